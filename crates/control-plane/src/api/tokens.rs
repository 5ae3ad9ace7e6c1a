//! `/api/v1/tokens`: personal tokens, shown once, and their end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use novacula_protocol::enroll::USER_TOKEN_PREFIX;
use novacula_protocol::people::{IssuedSecret, Page, Token, TokenRequest};

use crate::app::App;
use crate::extract::{Body, Id, ListQuery};
use crate::problem::{Answer, ApiError};
use crate::said;
use crate::secrets::{self, SecretHash};
use crate::store::{Credential, NewToken, Opened, Person, SignedIn};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Unless said otherwise.
pub(crate) const USUALLY_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);
const MOST_DAYS: i32 = 366;

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    who: SignedIn,
    Body(asked): Body<TokenRequest>,
) -> Answer<(StatusCode, Json<IssuedSecret>)> {
    said::name(&asked.name).map_err(ApiError::invalid)?;
    let now = app.clock.now();
    let expires_at = end_of(asked.expires_at, who.credential, now)?;
    let secret = secrets::issue(USER_TOKEN_PREFIX).map_err(ApiError::internal)?;
    let id = app.clock.new_id();
    let hash = SecretHash::of(&secret);
    app.store.add_token(NewToken { by: who.person, id, hash, name: asked.name, expires_at, now }).await?;
    Ok((StatusCode::CREATED, Json(IssuedSecret { id: id.to_string(), secret })))
}

/// When a token made by `maker` ends: at most in a year, and whoever has found a token cannot make it last.
fn end_of(asked: Option<Timestamp>, maker: Credential, now: Timestamp) -> Answer<Timestamp> {
    let makers_end = match maker {
        Credential::Token { expires_at, .. }
        | Credential::Session { opened: Opened::ByToken { expires_at }, .. } => expires_at,
        Credential::Session { opened: Opened::ByPerson, .. } => None,
    };
    let latest = makers_end.unwrap_or(Timestamp::MAX).min(now + DAY * MOST_DAYS);
    let Some(asked) = asked else { return Ok(latest.min(now + USUALLY_FOR)) };
    if asked > now && asked <= latest {
        return Ok(asked);
    }
    let why =
        if makers_end == Some(latest) { "when the token ends that makes it" } else { "a year from now" };
    Err(ApiError::invalid(format!(
        "`expiresAt` must lie in the future and not after {latest}, {why}; it is {asked}"
    )))
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<Token>>> {
    let rows = app.store.tokens(person, query.cursor_id()?, query.limit + 1).await?;
    Ok(Json(query.page(rows.into_iter(), |token| token.id.clone())))
}

pub(crate) async fn revoke(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<StatusCode> {
    match app.store.revoke_token(person, id, app.clock.now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::not_found("token")),
    }
}

#[cfg(test)]
mod tests;
