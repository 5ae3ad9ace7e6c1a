//! Who asks, and whether they may: found out once, before the handler runs and before a byte of the body is read.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use novacula_protocol::enroll::{ENROLMENT_TOKEN_PREFIX, EXECUTOR_KEY_PREFIX, USER_TOKEN_PREFIX};
use novacula_protocol::people::ReleaseStatus;
use uuid::Uuid;

use crate::app::App;
use crate::door::Peer;
use crate::extract::only_known;
use crate::fleet::KeyHolder;
use crate::operation::Parameter;
use crate::problem::ApiError;
use crate::request_log::note_who;
use crate::right::{Right, permits};
use crate::secrets::SecretHash;
use crate::session::COOKIE;
use crate::store::{Person, SignedIn};
use crate::suspended::account_suspended;

/// What an operation demands of a request before its handler sees it.
pub(crate) struct Gate {
    pub app: Arc<App>,
    pub operation: &'static str,
    pub right: Right,
    /// What may be asked; anything where there is none.
    pub query: Option<Vec<Parameter>>,
}

/// Rides on a request that no person made just now: a page that was left open looks again by itself.
#[derive(Clone, Copy)]
pub(crate) struct Unattended;

/// Rides on the answer, for whoever must know which operation gave it.
#[derive(Clone, Copy)]
#[cfg_attr(not(test), allow(dead_code, reason = "so far only tests ask"))]
pub(crate) struct OperationId(pub &'static str);

/// The layer of every operation.
pub(crate) async fn enforce(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let passed = gate.pass(&mut parts).await;
    note_who(&parts);
    let mut response = match passed {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refused) => refused.into_response(),
    };
    response.extensions_mut().insert(OperationId(gate.operation));
    response
}

impl Gate {
    async fn pass(&self, parts: &mut Parts) -> Result<(), ApiError> {
        let app = &self.app;
        let from = caller(parts, app);
        parts.extensions.insert(from);
        match self.right {
            Right::Nobody => {}
            Right::Executor => {
                let by = key_holder(parts, app, from)?;
                parts.extensions.insert(by);
            }
            Right::Enrol => {
                let token = presented(parts, ENROLMENT_TOKEN_PREFIX, "an enrolment token")?;
                parts.extensions.insert(EnrolmentSecret(token));
            }
            Right::Fetch
                if bearer(&parts.headers).is_some_and(|secret| secret.starts_with(EXECUTOR_KEY_PREFIX)) =>
            {
                let key = key_holder(parts, app, from)?;
                let least = ReleaseStatus::Published;
                parts.extensions.insert(Fetcher { account_id: key.account_id, least });
            }
            right => {
                let signed_in = admitted(signed_in(parts, app, from).await?, right, &parts.method)?;
                let account_id = signed_in.person.account_id;
                parts.extensions.insert(Fetcher { account_id, least: ReleaseStatus::Draft });
                parts.extensions.insert(signed_in.person.clone());
                parts.extensions.insert(signed_in);
            }
        }
        self.query.as_ref().map_or(Ok(()), |known| only_known(known, parts))
    }
}

fn admitted(who: SignedIn, right: Right, method: &Method) -> Result<SignedIn, ApiError> {
    if who.must_change_password && !right.outlives_suspension() {
        let sentence = "the one-time password must be changed first, with PUT /api/v1/session/password";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "password_change_required", sentence));
    }
    if !permits(&who.person, right) {
        return Err(ApiError::forbidden(right.holder(), who.person.role));
    }
    if who.is_account_suspended && !method.is_safe() && !right.outlives_suspension() {
        return Err(account_suspended());
    }
    Ok(who)
}

/// Every call of a person comes through here: with a token, or with the cookie of a session.
async fn signed_in(parts: &Parts, app: &App, from: Caller) -> Result<SignedIn, ApiError> {
    let now = app.clock.now();
    let site = app.rules.site();
    let cookie = site
        .read_cookie(&parts.headers, COOKIE)
        .filter(|_| !parts.headers.contains_key(header::AUTHORIZATION));
    let found = match &cookie {
        Some(secret) => {
            let is_attended = parts.extensions.get::<Unattended>().is_none();
            app.store.by_session(SecretHash::of(secret), now, is_attended).await?
        }
        None => app.store.by_token(presented(parts, USER_TOKEN_PREFIX, "a person's token")?, now).await?,
    };
    let Some(found) = found else {
        let what = if cookie.is_some() { "the session is over; log in again" } else { UNKNOWN_TOKEN };
        return Err(unknown(app, from, what));
    };
    if let Some(secret) = cookie.filter(|_| !parts.method.is_safe()) {
        site.check_change(&parts.headers, &secret)?;
    }
    Ok(found)
}

fn key_holder(parts: &Parts, app: &App, from: Caller) -> Result<KeyHolder, ApiError> {
    let hash = presented(parts, EXECUTOR_KEY_PREFIX, "an executor's key")?;
    let by = app.fleet.key(hash, app.clock.now()).ok_or_else(|| unknown(app, from, UNKNOWN_KEY))?;
    match app.suspended.check(by.account_id) {
        // Whoever is on trial would be taken for broken: what was swapped goes on to its end.
        Err(_) if app.fleet.is_beyond_verify(by.key_id) => Ok(by),
        checked => checked.map(|()| by),
    }
}

/// The executor whose key this is, where nothing is to be said against it.
pub(crate) fn known_executor(headers: &HeaderMap, app: &App) -> Option<KeyHolder> {
    let secret = bearer(headers).filter(|secret| secret.starts_with(EXECUTOR_KEY_PREFIX))?;
    let by = app.fleet.key(SecretHash::of(secret), app.clock.now())?;
    app.suspended.check(by.account_id).ok().map(|()| by)
}

/// Where the request came from, for who counts tries.
#[derive(Clone, Copy)]
pub(crate) struct Caller(pub IpAddr);

fn caller(parts: &Parts, app: &App) -> Caller {
    let peer = parts.extensions.get::<ConnectInfo<Peer>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.0.ip());
    let forwarded: Vec<_> =
        parts.headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    Caller(app.rules.trusted_proxies.caller(peer, &forwarded.join(",")))
}

/// An enrolment token, not yet held against anything.
#[derive(Clone, Copy)]
pub(crate) struct EnrolmentSecret(pub SecretHash);

/// Who may fetch artifacts of an account, and from which status of their release on.
#[derive(Clone, Copy)]
pub(crate) struct Fetcher {
    pub account_id: Uuid,
    pub least: ReleaseStatus,
}

/// A handler takes what the gate has put there. What its right does not bring cannot be taken.
macro_rules! brought_by_the_gate {
    ($($caller:ty),*) => {
        $(
            impl FromRequestParts<Arc<App>> for $caller {
                type Rejection = ApiError;

                async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
                    parts.extensions.get::<Self>().cloned().ok_or_else(|| {
                        let caller = stringify!($caller);
                        ApiError::internal(format!("{} has a right that brings no {caller}", parts.uri.path()))
                    })
                }
            }
        )*
    };
}

brought_by_the_gate!(Person, SignedIn, KeyHolder, EnrolmentSecret, Fetcher, Caller);

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

fn presented(parts: &Parts, prefix: &str, what: &str) -> Result<SecretHash, ApiError> {
    match bearer(&parts.headers) {
        Some(secret) if secret.starts_with(prefix) => Ok(SecretHash::of(secret)),
        _ => Err(ApiError::unauthenticated(format!(
            "this call wants the header `Authorization: Bearer {prefix}…` with {what}"
        ))),
    }
}

const UNKNOWN_TOKEN: &str =
    "the bearer is not a person's token that is valid here: unknown, expired or revoked";
const UNKNOWN_KEY: &str =
    "the bearer is not an executor's key that is valid here: unknown, expired or revoked";

/// A secret that opens nothing counts against whoever brings it; one that opens something never does.
fn unknown(app: &App, from: Caller, sentence: &str) -> ApiError {
    match app.attempts.bad_secret(from.0, app.clock.now()) {
        Ok(()) => ApiError::unauthenticated(sentence),
        Err(too_many) => too_many,
    }
}

#[cfg(test)]
mod tests {
    use novacula_protocol::people::Role;

    use super::*;
    use crate::store::Credential;

    #[test]
    fn what_a_person_may_not_do_is_refused_with_the_role_it_takes() {
        let viewer = Person {
            account_id: Uuid::nil(),
            user_id: Uuid::nil(),
            name: "vera".to_owned(),
            role: Role::Viewer,
            is_release_manager: false,
            is_in_founding_account: false,
        };
        let viewer = SignedIn {
            person: viewer,
            credential: Credential::Token { id: Uuid::nil(), expires_at: None },
            is_account_suspended: false,
            must_change_password: false,
        };
        assert!(admitted(viewer.clone(), Right::See, &Method::GET).is_ok());
        for (right, needed) in [
            (Right::Steer, "the role owner, admin or editor"),
            (Right::Publish, "a release manager"),
            (Right::Own, "the role owner"),
        ] {
            let refused = admitted(viewer.clone(), right, &Method::GET).unwrap_err().to_string();
            let expected = format!("403 Forbidden forbidden: this call needs {needed}; you are viewer");
            assert!(refused.starts_with(&expected), "{refused}");
        }
    }
}
