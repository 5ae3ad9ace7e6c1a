//! Signing in and out, and the account that is acted in.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use novacula_protocol::people::{LoginRequest, SessionPatch};
use serde::Deserialize;

use super::form::Form;
use super::guest::Guest;
use super::refused::{Refused, render};
use super::visitor::{Visitor, to};
use super::{Console, Row, assets};

pub(crate) fn routes() -> Vec<Row> {
    vec![
        ("/sign-in", get(show).post(sign_in)),
        ("/sign-out", post(sign_out)),
        ("/account", post(change_account)),
    ]
}

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub next: String,
    pub name: String,
    pub has_oidc: bool,
    pub refused: Option<String>,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn show(State(console): State<Console>, Query(Next { next }): Query<Next>) -> Response {
    render(&SignInPage { next, name: String::new(), has_oidc: console.app.oidc.is_some(), refused: None })
}

async fn sign_in(State(console): State<Console>, parts: Parts, form: Form) -> Response {
    let guest = Guest::of(&parts, &console);
    let next = form.owned("next").unwrap_or_default();
    let name = form.owned("name").unwrap_or_default();
    let login = LoginRequest { name: name.clone(), password: form.owned("password").unwrap_or_default() };
    match guest.change(Method::POST, "/session", None, &login).await {
        Ok(answer) => {
            let mut sent = to(local(&next));
            for cookie in answer.headers().get_all(header::SET_COOKIE) {
                sent.headers_mut().append(header::SET_COOKIE, cookie.clone());
            }
            sent
        }
        Err(refused) => {
            let has_oidc = console.app.oidc.is_some();
            let page = SignInPage { next, name, has_oidc, refused: Some(refused.sentence()) };
            (refused.status, render(&page)).into_response()
        }
    }
}

async fn sign_out(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let answer =
        visitor.guest.change(Method::DELETE, "/session", form.csrf(), &serde_json::Value::Null).await?;
    let mut sent = to("/sign-in");
    for cookie in answer.headers().get_all(header::SET_COOKIE) {
        sent.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    Ok(sent)
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
mod tests {
    use super::*;

    #[test]
    fn who_signs_in_is_sent_to_no_other_site() {
        for (next, expected) in [
            ("/upgrades/?state=pending", "/upgrades/?state=pending"),
            ("", "/"),
            ("https://evil.example/", "/"),
            ("//evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("javascript:alert(1)", "/"),
            ("/x\r\nset-cookie: a=b", "/"),
        ] {
            assert_eq!(local(next), expected, "{next:?}");
        }
    }
}
