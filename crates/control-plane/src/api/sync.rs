//! `POST /api/v1/syncExecutor`: the heartbeat of an executor, answered with what it shall do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use novacula_protocol::reach;
use novacula_protocol::sync::{Offer, SyncRequest, SyncResponse};

use crate::app::App;
use crate::executor::IdentityRefused;
use crate::extract::Body;
use crate::fleet::KeyHolder;
use crate::problem::{Answer, ApiError};
use crate::said;

pub(crate) async fn sync(
    State(app): State<Arc<App>>,
    by: KeyHolder,
    headers: HeaderMap,
    Body(said): Body<SyncRequest>,
) -> Answer<Json<SyncResponse>> {
    let said = said::checked(said).map_err(ApiError::invalid)?;
    let now = app.clock.now();
    let support = reach::support(&said.current_version, &app.version);
    let open = app.hear_sync(by, said, now).await??;
    let pending_upgrade = match open.filter(|open| open.is_offered(now)) {
        Some(open) => {
            let base = base_url(app.rules.public_url.as_deref(), &headers)?;
            let download_url = format!("{base}/api/v1/artifacts/{}", open.artifact.sha256);
            Some(Offer::Understood(Box::new(open.spec(download_url))))
        }
        None => None,
    };
    Ok(Json(SyncResponse {
        control_plane_version: app.version.to_string(),
        now,
        support,
        sync_interval_ms: app.rules.sync_interval_ms,
        pending_upgrade,
        preflight: Vec::new(),
    }))
}

/// Where executors reach us: as configured, else as this one just did.
fn base_url(public_url: Option<&str>, headers: &HeaderMap) -> Answer<String> {
    if let Some(url) = public_url {
        return Ok(url.to_owned());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = text("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    let host = text(header::HOST.as_str())
        .filter(|host| {
            host.parse::<axum::http::uri::Authority>().is_ok_and(|host| !host.as_str().contains('@'))
        })
        .ok_or_else(|| {
            ApiError::invalid(
                "the request must have a Host header, or the control plane be started with --public-url",
            )
        })?;
    Ok(format!("{scheme}://{host}"))
}

impl From<IdentityRefused> for ApiError {
    fn from(refused: IdentityRefused) -> Self {
        let message = refused.to_string();
        match refused {
            IdentityRefused::UnknownKey => Self::unauthenticated(message),
            IdentityRefused::KeyBound { .. } => Self::new(StatusCode::FORBIDDEN, "key_bound", message),
            IdentityRefused::NameTaken(_) => Self::conflict("name_taken", message),
            IdentityRefused::KindMismatch { .. } => Self::conflict("kind_mismatch", message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_download_url_is_as_configured_or_as_the_request_came() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect::<HeaderMap>()
        };
        for (sentence, public_url, pairs, expected) in [
            (
                "as configured",
                Some("https://cp.example"),
                &[("host", "evil")][..],
                Some("https://cp.example"),
            ),
            ("as asked", None, &[("host", "10.0.0.1:3000")][..], Some("http://10.0.0.1:3000")),
            (
                "as asked through a proxy",
                None,
                &[("host", "cp.example"), ("x-forwarded-proto", "https")][..],
                Some("https://cp.example"),
            ),
            (
                "an odd scheme does not count",
                None,
                &[("host", "cp"), ("x-forwarded-proto", "file")][..],
                Some("http://cp"),
            ),
            ("a host that is none", None, &[("host", "a/b")][..], None),
            ("a host with a user", None, &[("host", "a@b")][..], None),
            ("no host", None, &[][..], None),
        ] {
            assert_eq!(base_url(public_url, &headers(pairs)).ok().as_deref(), expected, "{sentence}");
        }
    }
}
