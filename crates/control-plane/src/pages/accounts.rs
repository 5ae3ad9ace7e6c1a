//! `/accounts/`: the accounts of the house.

use askama::Template;
use axum::extract::Query;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use novacula_protocol::people::{Account, AccountPatch, AccountRequest, Page, SuspensionRequest};
use uuid::Uuid;

use super::action::{Action, Look};
use super::form::Form;
use super::layout::{Layout, Room};
use super::refused::{Refused, render};
use super::rules::ask::Ask;
use super::rules::field::Field;
use super::rules::pager::{Pager, asked};
use super::rules::{Id, Turn};
use super::visitor::{Visitor, to};
use super::words;
use super::{Row, assets};
use crate::right::Right;

#[cfg(test)]
mod tests;

const HERE: &str = "/accounts/";

pub(crate) fn routes() -> Vec<Row> {
    vec![
        (HERE, get(list)),
        ("/accounts/new", get(ask_new).post(new)),
        ("/accounts/{id}/rename", get(ask_rename).post(rename)),
        ("/accounts/{id}/suspend", get(ask_suspend).post(suspend)),
        ("/accounts/{id}/resume", get(ask_resume).post(resume)),
    ]
}

#[derive(Template)]
#[template(path = "accounts/list.html")]
pub(crate) struct AccountsPage {
    pub layout: Layout,
    pub create: Action,
    pub rows: Vec<Listed>,
    pub pager: Pager,
    /// Why others are not to be seen here.
    pub is_only_own: bool,
}

/// An account, and what can be done with it.
pub(crate) struct Listed {
    pub account: Account,
    pub actions: Vec<Action>,
}

async fn list(visitor: Visitor, Query(Turn { cursor }): Query<Turn>) -> Result<Response, Refused> {
    let page: Page<Account> = visitor.get(&asked("/accounts", &[], cursor.as_deref())).await?;
    let pager = Pager::of(HERE, &[], "cursor", cursor.as_deref(), &page);
    let cannot = visitor.cannot(Right::House);
    let create = Action::new("New account", "/accounts/new", Look::First).unless(cannot.clone());
    let rows = page.items.into_iter().map(|account| listed(account, cannot.as_ref())).collect();
    let layout = visitor.layout("Accounts", Room::Accounts).await?;
    Ok(render(&AccountsPage { layout, create, rows, pager, is_only_own: cannot.is_some() }))
}

pub(crate) fn listed(account: Account, cannot: Option<&String>) -> Listed {
    let at = |verb: &str| format!("/accounts/{}/{verb}", account.id);
    let is_founding = account.is_founding.then(|| {
        "It came with the control plane, and its owners keep the others: it cannot be suspended.".to_owned()
    });
    let stop = match account.suspended_at {
        Some(_) => Action::new("Resume", at("resume"), Look::Plain),
        None => Action::new("Suspend", at("suspend"), Look::Grave),
    };
    let rename = Action::new("Rename", at("rename"), Look::Plain).unless(cannot.cloned());
    let actions = vec![rename, stop.unless(cannot.cloned()).unless(is_founding)];
    Listed { account, actions }
}

async fn form_of_new(visitor: &Visitor) -> Result<Ask, Refused> {
    let ask = Ask::new(visitor, Right::House, Room::Accounts, "New account", "/accounts/new").await?;
    Ok(ask
        .says("An account has people, executors, releases and rules of its own. You become its first owner.")
        .field(Field::line("name", "Name").needed()))
}

async fn ask_new(visitor: Visitor) -> Result<Response, Refused> {
    Ok(form_of_new(&visitor).await?.show())
}

async fn new(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let ask = form_of_new(&visitor).await?;
    let asked = AccountRequest { name: form.owned("name").unwrap_or_default() };
    let done = visitor.act(&form, Method::POST, "/accounts", &asked).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

async fn form_of_rename(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let account: Account = visitor.get(&format!("/accounts/{id}")).await?;
    let action = format!("/accounts/{id}/rename");
    let ask = Ask::new(visitor, Right::House, Room::Accounts, "Rename the account", action).await?;
    Ok(ask.field(Field::line("name", "Name").value(account.name).needed()))
}

async fn ask_rename(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_rename(&visitor, id).await?.show())
}

async fn rename(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_rename(&visitor, id).await?;
    let patch = AccountPatch { name: Some(form.owned("name").unwrap_or_default()) };
    let done = visitor.act(&form, Method::PATCH, &format!("/accounts/{id}"), &patch).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

async fn ask_suspend(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_turn(&visitor, id, "suspend").await?.show())
}

async fn suspend(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    turn(&visitor, id, "suspend", &form).await
}

async fn ask_resume(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_turn(&visitor, id, "resume").await?.show())
}

async fn resume(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    turn(&visitor, id, "resume", &form).await
}

async fn form_of_turn(visitor: &Visitor, id: Uuid, verb: &str) -> Result<Ask, Refused> {
    let account: Account = visitor.get(&format!("/accounts/{id}")).await?;
    let (title, meaning) = match verb {
        "suspend" => (
            format!("Suspend {}", account.name),
            "The account keeps its lists, and nothing in it can act: no sync, no enrolment, no change. Who is on trial \
             goes on to its end.",
        ),
        _ => (format!("Resume {}", account.name), "Everything in the account can act again."),
    };
    let action = format!("/accounts/{id}/{verb}");
    let ask = Ask::new(visitor, Right::House, Room::Accounts, &title, action).await?;
    let why = Field::lines("reason", "Why")
        .hint("The people of the account read it, and it is kept in the activity.");
    let ask = ask.says(meaning).field(why.needed());
    Ok(if verb == "suspend" { ask.grave() } else { ask })
}

async fn turn(visitor: &Visitor, id: Uuid, verb: &str, form: &Form) -> Result<Response, Refused> {
    let ask = form_of_turn(visitor, id, verb).await?;
    let asked = SuspensionRequest { reason: form.owned("reason").unwrap_or_default() };
    let done = visitor.act(form, Method::POST, &format!("/accounts/{id}/{verb}"), &asked).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), form))
}
