//! `/api/v1/users`: who is in the account, and as what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::people::{Page, User, UserPatch, UserRequest, UserWithPassword};

use crate::app::App;
use crate::extract::{Body, Id, ListQuery};
use crate::people::{self, Standing};
use crate::problem::{Answer, ApiError};
use crate::secrets;
use crate::store::{NewUser, Person};

const MAX_SUBJECT: usize = 255;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<User>>> {
    let rows = app.store.users(person.account_id, query.cursor_id()?, query.limit + 1).await?;
    Ok(Json(query.page(rows.into_iter(), |user| user.id.clone())))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<User>> {
    app.store.user(person.account_id, id).await?.map(Json).ok_or_else(|| ApiError::not_found("user"))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    Body(asked): Body<UserRequest>,
) -> Answer<(StatusCode, Json<UserWithPassword>)> {
    people::login_name(&asked.name).map_err(ApiError::invalid)?;
    if let Some(subject) = &asked.oidc_subject {
        check_subject(subject, 1)?;
    }
    let (password, kept) = match asked.one_time_password {
        true => one_time_password(&app).await.map(|(password, kept)| (Some(password), Some(kept)))?,
        false => (None, None),
    };
    let new = NewUser {
        by: person,
        id: app.clock.new_id(),
        name: asked.name,
        standing: Standing { role: asked.role, is_release_manager: asked.is_release_manager },
        one_time_password: kept,
        oidc_subject: asked.oidc_subject,
        now: app.clock.now(),
    };
    let user = app.store.add_user(new).await??;
    Ok((StatusCode::CREATED, Json(UserWithPassword { user, one_time_password: password })))
}

pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(patch): Body<UserPatch>,
) -> Answer<Json<User>> {
    if let Some(subject) = &patch.oidc_subject {
        check_subject(subject, 0)?;
    }
    Ok(Json(app.store.patch_user(person, id, patch, app.clock.now()).await??))
}

pub(crate) async fn remove(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<StatusCode> {
    app.store.remove_user(person, id, app.clock.now()).await??;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn reset_password(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<(StatusCode, Json<UserWithPassword>)> {
    // Before the slow part, so that nobody's processor is warmed for an id that is not theirs.
    if app.store.user(person.account_id, id).await?.is_none() {
        return Err(ApiError::not_found("user"));
    }
    let (password, kept) = one_time_password(&app).await?;
    let user = app.store.reset_password(person, id, kept, app.clock.now()).await??;
    Ok((StatusCode::CREATED, Json(UserWithPassword { user, one_time_password: Some(password) })))
}

/// A password for a first login, and what is kept of it.
async fn one_time_password(app: &App) -> Answer<(String, String)> {
    let password = secrets::one_time_password().map_err(ApiError::internal)?;
    let kept = app.passwords.hash(password.clone()).await?;
    Ok((password, kept))
}

fn check_subject(subject: &str, least: usize) -> Answer<()> {
    let length = subject.chars().count();
    if (least..=MAX_SUBJECT).contains(&length) {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "`oidcSubject` must have {least} to {MAX_SUBJECT} characters, it has {length}"
    )))
}

#[cfg(test)]
mod tests;
