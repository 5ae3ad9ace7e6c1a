//! `/api/v1/executor-keys`: keys that people make for single executors, and their end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use novacula_protocol::enroll::EXECUTOR_KEY_PREFIX;
use novacula_protocol::people::{ExecutorKeyRequest, IssuedSecret, Page};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::extract::{Body, Id, ListQuery, Reason};
use crate::key::{ExecutorKey, NewKey};
use crate::problem::{Answer, ApiError};
use crate::said;
use crate::secrets::{self, SecretHash};
use crate::store::Person;

/// A key as people see it: everything but the secret.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownKey {
    id: String,
    name: Option<String>,
    created_by: String,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    Body(asked): Body<ExecutorKeyRequest>,
) -> Answer<(StatusCode, Json<IssuedSecret>)> {
    if let Some(name) = &asked.name {
        said::name(name).map_err(ApiError::invalid)?;
    }
    let secret = secrets::issue(EXECUTOR_KEY_PREFIX).map_err(ApiError::internal)?;
    let new = NewKey {
        id: app.clock.new_id(),
        account_id: person.account_id,
        hash: SecretHash::of(&secret),
        bound_name: asked.name,
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
) -> Answer<Json<Page<ShownKey>>> {
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

fn shown(key: ExecutorKey) -> ShownKey {
    ShownKey {
        id: key.id.to_string(),
        name: key.bound_name,
        created_by: key.created_by,
        created_at: key.created_at,
        revoked_at: key.revoked_at,
    }
}
