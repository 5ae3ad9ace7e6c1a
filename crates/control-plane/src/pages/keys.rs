//! `/keys/`: what executors show to be who they are, and what hosts show to become executors.

mod config;
mod executor_key;
#[cfg(test)]
mod tests;
mod token;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use novacula_protocol::people::{EnrolmentToken, ExecutorKey, Page};
use serde::Deserialize;

use super::action::{Action, Look};
use super::layout::{Layout, Room};
use super::refused::{Refused, render};
use super::rules::pager::{Pager, asked};
use super::visitor::Visitor;
use super::words;
use super::{Row, assets};
use crate::right::Right;

const HERE: &str = "/keys/";

pub(crate) fn routes() -> Vec<Row> {
    vec![
        (HERE, get(list)),
        ("/keys/new", get(executor_key::ask_new).post(executor_key::new)),
        ("/keys/{id}/rotate", get(executor_key::ask_rotate).post(executor_key::rotate)),
        ("/keys/{id}/revoke", get(executor_key::ask_revoke).post(executor_key::revoke)),
        ("/keys/tokens/new", get(token::ask_new).post(token::new)),
        ("/keys/tokens/{id}/revoke", get(token::ask_revoke).post(token::revoke)),
    ]
}

#[derive(Template)]
#[template(path = "keys/list.html")]
pub(crate) struct KeysPage {
    pub layout: Layout,
    pub new_key: Action,
    pub new_token: Action,
    pub keys: Vec<ListedKey>,
    pub keys_pager: Pager,
    pub tokens: Vec<ListedToken>,
    pub tokens_pager: Pager,
}

/// A key, how it stands, and what can be done with it.
pub(crate) struct ListedKey {
    pub key: ExecutorKey,
    pub state: State,
    pub actions: Vec<Action>,
}

/// An enrolment token, how it stands, and what can be done with it.
pub(crate) struct ListedToken {
    pub token: EnrolmentToken,
    pub state: State,
    pub actions: Vec<Action>,
}

/// How a key or token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Valid,
    Expired,
    UsedUp,
    Revoked,
}

impl State {
    fn of(revoked_at: Option<Timestamp>, expires_at: Option<Timestamp>, now: Timestamp) -> Self {
        match (revoked_at, expires_at) {
            (Some(_), _) => Self::Revoked,
            (None, Some(at)) if at <= now => Self::Expired,
            _ => Self::Valid,
        }
    }

    pub(crate) fn badge(self) -> &'static str {
        if self == Self::Valid { "badge good" } else { "badge" }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::UsedUp => "used up",
            Self::Revoked => "revoked",
        }
    }

    /// Why nothing can be done with it.
    fn is_over(self) -> Option<String> {
        (self == Self::Revoked).then(|| "It is revoked.".to_owned())
    }
}

#[derive(Deserialize)]
struct Turns {
    keys: Option<String>,
    tokens: Option<String>,
}

async fn list(visitor: Visitor, Query(at): Query<Turns>) -> Result<Response, Refused> {
    let keys: Page<ExecutorKey> = visitor.get(&asked("/executor-keys", &[], at.keys.as_deref())).await?;
    let path = asked("/enrolment-tokens", &[], at.tokens.as_deref());
    let tokens: Page<EnrolmentToken> = visitor.get(&path).await?;
    let (keys_at, tokens_at) = (at.keys.as_deref(), at.tokens.as_deref());
    let keys_pager = Pager::of(HERE, &[("tokens", tokens_at.unwrap_or_default())], "keys", keys_at, &keys);
    let tokens_pager =
        Pager::of(HERE, &[("keys", keys_at.unwrap_or_default())], "tokens", tokens_at, &tokens);
    let (cannot, now) = (visitor.cannot(Right::Administer), visitor.now);
    let action = |label, href, look| Action::new(label, href, look).unless(cannot.clone());
    Ok(render(&KeysPage {
        new_key: action("New key", "/keys/new", Look::First),
        new_token: action("New enrolment token", "/keys/tokens/new", Look::First),
        keys: keys.items.into_iter().map(|key| listed_key(key, now, cannot.as_ref())).collect(),
        keys_pager,
        tokens: tokens.items.into_iter().map(|token| listed_token(token, now, cannot.as_ref())).collect(),
        tokens_pager,
        layout: visitor.layout("Keys", Room::Keys).await?,
    }))
}

pub(crate) fn listed_key(key: ExecutorKey, now: Timestamp, cannot: Option<&String>) -> ListedKey {
    let state = State::of(key.revoked_at, key.expires_at, now);
    let rotate = Action::new("Rotate", format!("/keys/{}/rotate", key.id), Look::Plain);
    let revoke = Action::new("Revoke", format!("/keys/{}/revoke", key.id), Look::Grave);
    let actions = [rotate, revoke].map(|action| action.unless(cannot.cloned()).unless(state.is_over()));
    ListedKey { key, state, actions: actions.into() }
}

pub(crate) fn listed_token(token: EnrolmentToken, now: Timestamp, cannot: Option<&String>) -> ListedToken {
    let state = match State::of(token.revoked_at, Some(token.expires_at), now) {
        State::Valid if token.uses >= token.max_uses => State::UsedUp,
        state => state,
    };
    let revoke = Action::new("Revoke", format!("/keys/tokens/{}/revoke", token.id), Look::Grave);
    let actions = vec![revoke.unless(cannot.cloned()).unless(state.is_over())];
    ListedToken { token, state, actions }
}
