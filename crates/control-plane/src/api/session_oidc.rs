//! `/api/v1/session/oidc`: a person logs in who is known to the OpenID provider.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use jiff::SignedDuration;

use super::session::open;
use crate::app::App;
use crate::auth::Caller;
use crate::oidc::{COOKIE, LONGEST, Oidc, OidcFailure, state};
use crate::problem::{Answer, ApiError};
use crate::secrets;

pub(crate) async fn begin(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer<Response> {
    sent_off(&app).await.or_else(|refused| told(&headers, refused))
}

pub(crate) async fn finish(
    State(app): State<Arc<App>>,
    from: Caller,
    headers: HeaderMap,
    Query(answer): Query<HashMap<String, String>>,
) -> Answer<Response> {
    come_back(&app, from, &headers, &answer).await.or_else(|refused| told(&headers, refused))
}

/// A person is told on the page where they can try again, a program in the API's words.
fn told(headers: &HeaderMap, refused: ApiError) -> Answer<Response> {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/html") {
        return Err(refused);
    }
    let page = format!("/sign-in?refused={}", refused.code());
    let headers = [(header::LOCATION, page), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::SEE_OTHER, AppendHeaders(headers)).into_response())
}

async fn sent_off(app: &App) -> Answer<Response> {
    let oidc = provider(app)?;
    let secret = secrets::issue("").map_err(ApiError::internal)?;
    let url = oidc.begin(&secret, app.clock.now()).await?;
    // Lax, because it is the provider's page that sends the browser back.
    let cookie = app.rules.site().cookie(COOKIE, &secret, "Lax", LONGEST);
    let headers = [
        (header::LOCATION, url),
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::SEE_OTHER, AppendHeaders(headers)).into_response())
}

async fn come_back(
    app: &App,
    from: Caller,
    headers: &HeaderMap,
    answer: &HashMap<String, String>,
) -> Answer<Response> {
    let oidc = provider(app)?;
    let site = app.rules.site();
    let secret = site.read_cookie(headers, COOKIE);
    let Some(secret) = secret.filter(|secret| answer.get("state") == Some(&state(secret))) else {
        let sentence =
            "this answer belongs to no login of this browser, or to one that took too long; begin again";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "oidc_state", sentence));
    };
    app.attempts.bad_secret(from.0, app.clock.now())?;
    let somebody = oidc.finish(&secret, answer, app.clock.now()).await?;
    let found = app.store.login_by_oidc(somebody.subject, somebody.verified_email).await?;
    let Some(found) = found else {
        tracing::warn!(from = %from.0, "somebody whom the OpenID provider knows is no user here");
        let sentence = "nobody here is linked to this person; an owner or admin can add them";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "unknown_person", sentence));
    };
    let ([session], _) = open(app, found.user_id, &found.name, None).await?;
    let gone = (header::SET_COOKIE, site.cookie(COOKIE, "", "Lax", SignedDuration::ZERO));
    Ok((AppendHeaders([session, gone, (header::CACHE_CONTROL, "no-store".to_owned())]), onwards(app))
        .into_response())
}

/// A page of our own that leads on: after a redirect from the provider's page the browser would leave out the cookie,
/// which is `Strict`.
fn onwards(app: &App) -> impl IntoResponse + use<> {
    let home = app.rules.public_url.as_deref().unwrap_or_default();
    let policy = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")];
    let home = home.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><html lang=\"en\"><title>Novacula</title><meta http-equiv=\"refresh\" content=\"0;url={home}/\">\
         <p>You are logged in. <a href=\"{home}/\">Go on</a></html>\n"
    );
    (policy, Html(page))
}

fn provider(app: &App) -> Answer<&Oidc> {
    app.oidc.as_ref().ok_or_else(|| {
        let sentence = "this control plane has no OpenID provider; log in with a password";
        ApiError::new(StatusCode::NOT_FOUND, "oidc_off", sentence)
    })
}

impl From<OidcFailure> for ApiError {
    fn from(failure: OidcFailure) -> Self {
        tracing::warn!("{failure}");
        match failure {
            OidcFailure::Unreachable(_) => {
                let sentence = "the OpenID provider cannot be reached at the moment; try again later";
                Self::new(StatusCode::BAD_GATEWAY, "oidc_unavailable", sentence)
            }
            OidcFailure::Refused(why) => Self::new(
                StatusCode::FORBIDDEN,
                "oidc_refused",
                format!("the OpenID provider did not let you in: {why}"),
            ),
        }
    }
}
