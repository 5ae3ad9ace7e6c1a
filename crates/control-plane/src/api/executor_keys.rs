//! `/api/v1/executor-keys`: keys that people make for single executors, and their end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use novacula_protocol::enroll::EXECUTOR_KEY_PREFIX;
use novacula_protocol::people::{
    self, ExecutorKeyRequest, ExecutorKeyRotation, IssuedSecret, Page, RotatedKey,
};

use crate::app::App;
use crate::clock::after_ms;
use crate::extract::{Body, Id, ListQuery};
use crate::key::{ExecutorKey, NewKey, Rotation, RotationRefused};
use crate::problem::{Answer, ApiError};
use crate::reason::Reason;
use crate::said;
use crate::secrets::{self, SecretHash};
use crate::store::Person;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const MAX_OVERLAP_MS: u64 = 30 * DAY_MS;

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    Body(asked): Body<ExecutorKeyRequest>,
) -> Answer<(StatusCode, Json<IssuedSecret>)> {
    if let Some(name) = &asked.name {
        said::name(name).map_err(ApiError::invalid)?;
    }
    check_future(asked.expires_at, app.clock.now())?;
    let secret = secrets::issue(EXECUTOR_KEY_PREFIX).map_err(ApiError::internal)?;
    let new = NewKey {
        id: app.clock.new_id(),
        account_id: person.account_id,
        hash: SecretHash::of(&secret),
        bound_name: asked.name,
        expires_at: asked.expires_at,
        enrolment_token_id: None,
        created_by: person.name,
        created_at: app.clock.now(),
    };
    let key = app.add_key(new).await?;
    Ok((StatusCode::CREATED, Json(IssuedSecret { id: key.id.to_string(), secret })))
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<people::ExecutorKey>>> {
    query.each_filter("none", |_, _| Ok(false))?;
    let keys = app.store.keys(person.account_id, query.cursor_id()?, query.limit + 1).await?;
    Ok(Json(query.page(keys.into_iter().map(shown), |key| key.id.clone())))
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Reason(reason): Reason,
) -> Answer<StatusCode> {
    match app.revoke_key(person, id, reason).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::not_found("executor key")),
    }
}

pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<ExecutorKeyRotation>,
) -> Answer<(StatusCode, Json<RotatedKey>)> {
    let now = app.clock.now();
    check_future(asked.expires_at, now)?;
    let overlap_ms = asked.overlap_ms.unwrap_or(DAY_MS);
    if overlap_ms > MAX_OVERLAP_MS {
        return Err(ApiError::invalid(format!(
            "`overlapMs` must be 0 to {MAX_OVERLAP_MS}, it is {overlap_ms}"
        )));
    }
    let secret = secrets::issue(EXECUTOR_KEY_PREFIX).map_err(ApiError::internal)?;
    let previous_until = after_ms(now, overlap_ms).filter(|_| overlap_ms > 0);
    let new = Rotation { hash: SecretHash::of(&secret), previous_until, expires_at: asked.expires_at };
    let key = app.rotate_key(person, id, new).await??;
    let previous_until = key.previous.map(|(_, until)| until);
    Ok((StatusCode::CREATED, Json(RotatedKey { id: key.id.to_string(), secret, previous_until })))
}

fn check_future(expires_at: Option<Timestamp>, now: Timestamp) -> Answer<()> {
    match expires_at {
        Some(at) if at <= now => {
            Err(ApiError::invalid(format!("`expiresAt` must lie in the future, it is {at}")))
        }
        _ => Ok(()),
    }
}

impl From<RotationRefused> for ApiError {
    fn from(refused: RotationRefused) -> Self {
        match refused {
            RotationRefused::NotFound => Self::not_found("executor key"),
            RotationRefused::Revoked => Self::conflict("key_revoked", refused.to_string()),
            RotationRefused::Expired => Self::conflict("key_expired", refused.to_string()),
        }
    }
}

fn shown(key: ExecutorKey) -> people::ExecutorKey {
    people::ExecutorKey {
        id: key.id.to_string(),
        name: key.bound_name,
        created_by: key.created_by,
        created_at: key.created_at,
        expires_at: key.expires_at,
        previous_until: key.previous.map(|(_, until)| until),
        revoked_at: key.revoked_at,
    }
}

#[cfg(test)]
mod tests;
