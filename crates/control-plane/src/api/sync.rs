//! `POST /api/v1/syncExecutor`: the heartbeat of an executor, answered with what it shall do.

use std::future::{Ready, ready};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use jiff::Timestamp;
use novacula_protocol::reach;
use novacula_protocol::sync::{Offer, Support, SyncRequest, SyncResponse};

use crate::app::{App, Rules};
use crate::clock::after_ms;
use crate::executor::{Asks, IdentityRefused};
use crate::extract::Body;
use crate::fleet::{KeyHolder, Print};
use crate::long_poll::Applied;
use crate::pace::Room;
use crate::problem::{Answer, ApiError};
use crate::said;
use crate::suspended::account_suspended;

pub(crate) async fn sync(
    State(app): State<Arc<App>>,
    by: KeyHolder,
    _: Room,
    headers: HeaderMap,
    Body(said): Body<SyncRequest>,
) -> Answer<(Applied, Json<SyncResponse>)> {
    let said = Arc::new(said::checked(said).map_err(ApiError::invalid)?);
    let support = reach::support(&said.current_version, &app.version);
    let (asks, now, applied) = app.hear_and_wait(by, said, &headers).await?;
    Ok((applied, Json(told(&app, (support, asks), now, || Reached::by(&headers).source(&app.rules))?)))
}

/// The answer to a sync that may be taken and does not want to wait: at once, or when what it says is kept. Whoever waits for
/// that holds nothing of the request.
pub(crate) fn answer<'a>(
    app: &'a Arc<App>,
    by: KeyHolder,
    said: Arc<SyncRequest>,
    print: Option<Print>,
    headers: &HeaderMap,
) -> Either<Ready<Answer<SyncResponse>>, BoxFuture<'a, Answer<SyncResponse>>> {
    let support = reach::support(&said.current_version, &app.version);
    let now = app.clock.now();
    match app.hear_sync(by, said, print, now) {
        Either::Left(heard) => {
            let asks = app.asks(heard.into_inner());
            Either::Left(ready(asks.and_then(|asks| {
                told(app, (support, asks), now, || Reached::by(headers).source(&app.rules))
            })))
        }
        Either::Right(waiting) => {
            let reached = Reached::by(headers).kept();
            let answer = waiting.map(move |outcome| {
                told(app, (support, app.asks(outcome)?), now, || reached.source(&app.rules))
            });
            Either::Right(answer.boxed())
        }
    }
}

/// The same, where the executor says to the byte what it said before; `None` where what it says has to be read.
pub(crate) fn answer_again(
    app: &App,
    by: KeyHolder,
    print: Print,
    headers: &HeaderMap,
) -> Option<Answer<SyncResponse>> {
    let now = app.clock.now();
    let (asks, version) = app.fleet.hear_again(by, print, now)?;
    let support = reach::support(&version, &app.version);
    Some(told(app, (support, asks), now, || Reached::by(headers).source(&app.rules)))
}

fn told(
    app: &App,
    (support, asks): (Support, Asks),
    now: Timestamp,
    source: impl FnOnce() -> Answer<String>,
) -> Answer<SyncResponse> {
    let is_asked_for_something = !asks.is_nothing();
    let pending_upgrade = match asks.upgrade {
        Some(open) => {
            let download_url = format!("{}/{}", source()?, open.artifact.sha256);
            let fresh_until = after_ms(now, app.rules.pending_upgrade_ttl_ms).unwrap_or(now);
            Some(Offer::Understood(Box::new(open.spec(download_url, fresh_until))))
        }
        None => None,
    };
    Ok(SyncResponse {
        control_plane_version: app.version.to_string(),
        now,
        support,
        sync_interval_ms: app.pace.interval_ms(is_asked_for_something),
        pending_upgrade,
        preflight: asks.checks,
    })
}

/// How an executor has reached us, in case its answer names a place here.
struct Reached<H> {
    is_https: bool,
    host: Option<H>,
}

impl<'h> Reached<&'h str> {
    fn by(headers: &'h HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self { is_https: text("x-forwarded-proto") == Some("https"), host: text(header::HOST.as_str()) }
    }

    /// For when the request is gone.
    fn kept(self) -> Reached<Box<str>> {
        Reached { is_https: self.is_https, host: self.host.map(Into::into) }
    }
}

impl<H: AsRef<str>> Reached<H> {
    /// Where this executor fetches artifacts: as configured, else from us.
    fn source(&self, rules: &Rules) -> Answer<String> {
        match &rules.artifact_base_url {
            Some(base) => Ok(base.clone()),
            None => Ok(format!("{}/api/v1/artifacts", self.base_url(rules)?)),
        }
    }

    fn base_url(&self, rules: &Rules) -> Answer<String> {
        if let Some(url) = &rules.public_url {
            return Ok(url.clone());
        }
        let scheme = if rules.serves_tls || self.is_https { "https" } else { "http" };
        let is_host = |host: &&str| {
            host.parse::<axum::http::uri::Authority>().is_ok_and(|host| !host.as_str().contains('@'))
        };
        let host = self.host.as_ref().map(AsRef::as_ref).filter(is_host).ok_or_else(|| {
            ApiError::invalid(
                "the request must have a Host header, or the control plane be started with --public-url",
            )
        })?;
        Ok(format!("{scheme}://{host}"))
    }
}

/// Where executors reach us: as configured, else as this one just did.
pub(super) fn base_url(rules: &Rules, headers: &HeaderMap) -> Answer<String> {
    Reached::by(headers).base_url(rules)
}

impl From<IdentityRefused> for ApiError {
    fn from(refused: IdentityRefused) -> Self {
        let message = refused.to_string();
        match refused {
            IdentityRefused::UnknownKey => Self::unauthenticated(message),
            IdentityRefused::AccountSuspended => account_suspended(),
            IdentityRefused::KeyBound { .. } => Self::new(StatusCode::FORBIDDEN, "key_bound", message),
            IdentityRefused::NameTaken(_) => Self::conflict("name_taken", message),
            IdentityRefused::KindMismatch { .. } => Self::conflict("kind_mismatch", message),
        }
    }
}

#[cfg(test)]
mod tests;
