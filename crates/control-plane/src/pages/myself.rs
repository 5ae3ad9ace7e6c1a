//! `/myself/`: who the visitor is, where they can act, and their tokens.

#[cfg(test)]
mod tests;

use askama::Template;
use axum::extract::Query;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use novacula_protocol::people::{IssuedSecret, Page, Token, TokenRequest};
use serde_json::Value;
use uuid::Uuid;

use super::action::{Action, Look};
use super::form::Form;
use super::layout::{Layout, Room};
use super::refused::{Refused, render};
use super::rules::ask::Ask;
use super::rules::field::Field;
use super::rules::pager::{Pager, asked};
use super::rules::secret::SecretPage;
use super::rules::{Id, Turn};
use super::visitor::{Visitor, to};
use super::words;
use super::{Row, assets};
use crate::right::Right;

const HERE: &str = "/myself/";

pub(crate) fn routes() -> Vec<Row> {
    vec![
        (HERE, get(show)),
        ("/myself/tokens/new", get(ask_new).post(new)),
        ("/myself/tokens/{id}/revoke", get(ask_revoke).post(revoke)),
    ]
}

#[derive(Template)]
#[template(path = "myself/show.html")]
pub(crate) struct MyselfPage {
    pub layout: Layout,
    pub change_password: Action,
    pub new_token: Action,
    pub rows: Vec<Listed>,
    pub pager: Pager,
}

/// A token, and what can be done with it.
pub(crate) struct Listed {
    pub token: Token,
    pub revoke: Action,
}

async fn show(visitor: Visitor, Query(Turn { cursor }): Query<Turn>) -> Result<Response, Refused> {
    let page: Page<Token> = visitor.get(&asked("/tokens", &[], cursor.as_deref())).await?;
    let pager = Pager::of(HERE, &[], "cursor", cursor.as_deref(), &page);
    let cannot = visitor.cannot(Right::Myself);
    let no_session =
        visitor.session.csrf_token.is_none().then(|| "You are here without a session.".to_owned());
    Ok(render(&MyselfPage {
        change_password: Action::new("Change password", "/password", Look::Plain).unless(no_session),
        new_token: Action::new("New token", "/myself/tokens/new", Look::First).unless(cannot.clone()),
        rows: page.items.into_iter().map(|token| listed(token, cannot.as_ref())).collect(),
        pager,
        layout: visitor.layout("You", Room::Myself).await?,
    }))
}

pub(crate) fn listed(token: Token, cannot: Option<&String>) -> Listed {
    let revoke = Action::new("Revoke", format!("/myself/tokens/{}/revoke", token.id), Look::Grave);
    let is_over = token.revoked_at.map(|_| "It is revoked.".to_owned());
    Listed { revoke: revoke.unless(cannot.cloned()).unless(is_over), token }
}

async fn form_of_new(visitor: &Visitor) -> Result<Ask, Refused> {
    let ask = Ask::new(visitor, Right::Myself, Room::Myself, "New token", "/myself/tokens/new").await?;
    let end = Field::time("expires", "Ends").hint("Empty: in 90 days. At most a year from now.");
    Ok(ask
        .says("A token lets a program act as you in this account, with what you may do. It is shown once.")
        .field(Field::line("name", "What for").needed())
        .field(end))
}

async fn ask_new(visitor: Visitor) -> Result<Response, Refused> {
    Ok(form_of_new(&visitor).await?.show())
}

async fn new(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let ask = form_of_new(&visitor).await?;
    let done = made(&visitor, &ask, &form).await;
    Ok(ask.or_again(done, &form))
}

async fn made(visitor: &Visitor, ask: &Ask, form: &Form) -> Result<Response, Refused> {
    let expires_at = form.time("expires", "The end")?;
    let asked = TokenRequest { name: form.owned("name").unwrap_or_default(), expires_at };
    let issued: IssuedSecret = visitor.change(form, Method::POST, "/tokens", &asked).await?;
    let lines = vec![(
        "For novactl",
        "install -m 600 /dev/stdin ~/.novacula-token        # paste the token, then Ctrl-D\n".to_owned(),
    )];
    let says = vec!["Whoever has it can do what you can, until it ends or is revoked.".to_owned()];
    let layout = SecretPage::frame(ask, "A new token");
    Ok(SecretPage { layout, called: "Token", secret: issued.secret, says, lines }.show())
}

async fn form_of_revoke(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let action = format!("/myself/tokens/{id}/revoke");
    let ask = Ask::new(visitor, Right::Myself, Room::Myself, "Revoke the token", action).await?;
    Ok(ask.grave().says("It stops working now, and for good; sessions that were opened with it end."))
}

async fn ask_revoke(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_revoke(&visitor, id).await?.show())
}

async fn revoke(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_revoke(&visitor, id).await?;
    let done = visitor.act(&form, Method::DELETE, &format!("/tokens/{id}"), &Value::Null).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}
