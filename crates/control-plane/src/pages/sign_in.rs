//! Signing in and out, and the account that is acted in.

use askama::Template;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use novacula_protocol::people::{LoginRequest, SessionPatch};
use serde::Deserialize;

use super::form::Form;
use super::guest::Guest;
use super::refused::{Refused, render};
use super::visitor::{Visitor, to};
use super::{Console, Row, assets};
use crate::pages::words;

pub(crate) mod password;

pub(crate) fn routes() -> Vec<Row> {
    vec![
        ("/sign-in", get(show).post(sign_in)),
        ("/sign-out", post(sign_out)),
        ("/account", post(change_account)),
        ("/password", get(password::show).post(password::change)),
    ]
}

#[derive(Template, Default)]
#[template(path = "sign_in/sign_in.html")]
pub(crate) struct SignInPage {
    pub next: String,
    pub name: String,
    pub has_oidc: bool,
    pub refused: Option<String>,
    /// A token was tried, so its form stands open.
    pub is_token_open: bool,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    next: String,
    /// The code of what the OpenID provider's answer was refused with.
    refused: Option<String>,
}

async fn show(State(console): State<Console>, Query(Asked { next, refused }): Query<Asked>) -> Response {
    let refused = refused.as_deref().map(|code| why(code).to_owned());
    render(&SignInPage { next, has_oidc: console.app.oidc.is_some(), refused, ..Default::default() })
}

/// The code stands in a link that anybody can write, so it only chooses among our own sentences.
fn why(code: &str) -> &'static str {
    match code {
        "oidc_off" => "This control plane has no OpenID provider. Sign in with a password or a token.",
        "oidc_state" => {
            "The answer of your organisation's sign-in belongs to no try of this browser, or to one that took too long. \
             Begin again."
        }
        "oidc_refused" => {
            "Your organisation's sign-in did not let you in. The log of the control plane says why."
        }
        "oidc_unavailable" => "Your organisation's sign-in cannot be reached at the moment. Try again later.",
        "unknown_person" => {
            "Your organisation knows you, but nobody here is linked to you. An owner or admin can add you under “People”."
        }
        "no_account" => "You are in no account. An owner or admin of one can add you.",
        "too_many_attempts" => "Too many attempts were made. Wait a minute, then try again.",
        _ => "The sign-in did not work. Begin again.",
    }
}

async fn sign_in(State(console): State<Console>, parts: Parts, form: Form) -> Response {
    let guest = Guest::of(&parts, &console);
    let next = form.owned("next").unwrap_or_default();
    let name = form.owned("name").unwrap_or_default();
    let token = form.text("token");
    let answer = match token {
        Some(token) => with_token(&guest, token).await,
        None => {
            let password = form.verbatim("password").to_owned();
            let login = LoginRequest { name: name.clone(), password };
            guest.change(Method::POST, "/session", None, &login).await
        }
    };
    match answer {
        Ok(answer) => with_its_cookies(to(local(&next)), &answer),
        Err(refused) => {
            let is_token_open = token.is_some();
            let sentence = match refused.problem.code.as_str() {
                "invalid_api_key" => "This token is not valid here: unknown, expired or revoked.".to_owned(),
                _ => refused.sentence(),
            };
            let has_oidc = console.app.oidc.is_some();
            let page = SignInPage { next, name, has_oidc, refused: Some(sentence), is_token_open };
            (refused.status, render(&page)).into_response()
        }
    }
}

async fn with_token(guest: &Guest, token: &str) -> Result<Response, Refused> {
    let bearer = HeaderValue::try_from(format!("Bearer {token}"));
    let bearer = bearer.map_err(|_| Refused::invalid("a token is of letters, digits, `_` and `-`"))?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
    guest.send(Method::POST, "/session/token", None, headers, Body::empty()).await
}

/// The API opens and ends sessions by cookies; the browser gets them with the page.
fn with_its_cookies(mut page: Response, answer: &Response) -> Response {
    for cookie in answer.headers().get_all(header::SET_COOKIE) {
        page.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    page
}

async fn sign_out(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let answer =
        visitor.guest.change(Method::DELETE, "/session", form.csrf(), &serde_json::Value::Null).await?;
    Ok(with_its_cookies(to("/sign-in"), &answer))
}

async fn change_account(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let account_id = form.needed("account", "The account")?;
    visitor.act(&form, Method::PATCH, "/session", &SessionPatch { account_id }).await?;
    Ok(to("/"))
}

/// A place of ours, whatever a link to this page says.
fn local(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.bytes().any(|c| c.is_ascii_control());
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests;
