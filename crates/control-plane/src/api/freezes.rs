//! `/api/v1/freezes`: times in which no upgrade begins.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::people::{self, FreezeRequest, Page, WithReason};

use super::windows::changed;
use crate::app::App;
use crate::extract::{Body, Id, ListQuery};
use crate::freeze::Freeze;
use crate::problem::{Answer, ApiError};
use crate::reason::checked_reason;
use crate::store::{FreezeRefused, Person};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<people::Freeze>>> {
    query.each_filter("none", |_, _| Ok(false))?;
    let freezes = app.store.freezes(person.account_id, query.cursor_id()?, query.limit + 1).await?;
    let now = app.clock.now();
    Ok(Json(query.page(freezes.iter().map(|freeze| freeze.shown(now)), |freeze| freeze.id.clone())))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<people::Freeze>> {
    let found = app.store.freeze(person.account_id, id).await?.ok_or(FreezeRefused::NotFound)?;
    Ok(Json(found.shown(app.clock.now())))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    Body(mut asked): Body<FreezeRequest>,
) -> Answer<(StatusCode, Json<people::Freeze>)> {
    asked.reason = checked_reason(Some(asked.reason))?;
    let now = app.clock.now();
    let owner = (person.account_id, person.name.clone());
    let freeze = Freeze::asked(asked, app.clock.new_id(), owner, now).map_err(ApiError::invalid)?;
    let store = app.store.clone();
    let kept = changed(&app, async move { store.add_freeze(person, freeze).await }).await?;
    Ok((StatusCode::CREATED, Json(kept.shown(now))))
}

/// Ends one before its time.
pub(crate) async fn end(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<WithReason>,
) -> Answer<Json<people::Freeze>> {
    let reason = checked_reason(Some(asked.reason))?;
    let (store, now) = (app.store.clone(), app.clock.now());
    let ended = changed(&app, async move { store.end_freeze(person, id, reason, now).await }).await?;
    Ok(Json(ended.shown(now)))
}

pub(crate) async fn delete(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<StatusCode> {
    let (store, now) = (app.store.clone(), app.clock.now());
    changed(&app, async move { store.delete_freeze(person, id, now).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<FreezeRefused> for ApiError {
    fn from(refused: FreezeRefused) -> Self {
        let message = refused.to_string();
        match refused {
            FreezeRefused::NotFound => Self::not_found("freeze"),
            FreezeRefused::InForce(_) => Self::conflict("freeze_in_force", message),
            FreezeRefused::NotInForce(..) => Self::conflict("freeze_not_in_force", message),
            FreezeRefused::TooMany => Self::conflict("too_many", message),
        }
    }
}

#[cfg(test)]
mod tests;
