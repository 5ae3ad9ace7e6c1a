//! `/api/v1/accounts`: the accounts, and what the owners of the founding one do with them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::people::{Account, AccountPatch, AccountRequest, Page, SuspensionRequest};
use uuid::Uuid;

use crate::app::App;
use crate::extract::{Body, Id, ListQuery};
use crate::problem::{Answer, ApiError};
use crate::reason::checked_reason;
use crate::said;
use crate::store::{PeopleRefused, Person};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<Account>>> {
    let rows = app.store.accounts(person, query.cursor_id()?, query.limit + 1).await?;
    Ok(Json(query.page(rows.into_iter(), |account| account.id.clone())))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Account>> {
    app.store.account(person, id).await?.map(Json).ok_or_else(|| ApiError::not_found("account"))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    Body(asked): Body<AccountRequest>,
) -> Answer<(StatusCode, Json<Account>)> {
    said::name(&asked.name).map_err(ApiError::invalid)?;
    let account = app.store.add_account(person, app.clock.new_id(), asked.name, app.clock.now()).await??;
    Ok((StatusCode::CREATED, Json(account)))
}

pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(patch): Body<AccountPatch>,
) -> Answer<Json<Account>> {
    let Some(name) = patch.name else { return show(State(app), person, Id(id)).await };
    said::name(&name).map_err(ApiError::invalid)?;
    Ok(Json(app.store.rename_account(person, id, name, app.clock.now()).await??))
}

pub(crate) async fn suspend(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<SuspensionRequest>,
) -> Answer<Json<Account>> {
    set_suspended(&app, person, id, true, asked).await
}

pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<SuspensionRequest>,
) -> Answer<Json<Account>> {
    set_suspended(&app, person, id, false, asked).await
}

async fn set_suspended(
    app: &Arc<App>,
    person: Person,
    id: Uuid,
    is_suspended: bool,
    asked: SuspensionRequest,
) -> Answer<Json<Account>> {
    let reason = checked_reason(Some(asked.reason))?;
    let account = app.set_suspended(person, id, is_suspended, reason).await??;
    tracing::info!(account = account.id, is_suspended, "an account was suspended or resumed");
    Ok(Json(account))
}

impl From<PeopleRefused> for ApiError {
    fn from(refused: PeopleRefused) -> Self {
        let message = refused.to_string();
        let code = match refused {
            PeopleRefused::NotFound => return Self::not_found("user or account here"),
            PeopleRefused::NotYours(_) | PeopleRefused::NotYoursAlone(_) => return Self::not_yours(message),
            PeopleRefused::NameTaken(_) => "name_taken",
            PeopleRefused::AlreadyMember(_) => "already_member",
            PeopleRefused::UserExists(_) => "user_exists",
            PeopleRefused::SubjectTaken => "subject_taken",
            PeopleRefused::LastOwner(_) => "last_owner",
            PeopleRefused::FoundingAccount => "founding_account",
        };
        Self::conflict(code, message)
    }
}

#[cfg(test)]
mod tests;
