//! `/api/v1/enrolment-tokens`: tokens that many executors may exchange for keys, and their end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::enroll::ENROLMENT_TOKEN_PREFIX;
use novacula_protocol::people::{self, EnrolmentTokenRequest, IssuedSecret, Page};

use crate::app::App;
use crate::extract::{Body, Id, ListQuery};
use crate::key::EnrolmentToken;
use crate::problem::{Answer, ApiError};
use crate::reason::Reason;
use crate::secrets::{self, SecretHash};
use crate::store::Person;

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    Body(asked): Body<EnrolmentTokenRequest>,
) -> Answer<(StatusCode, Json<IssuedSecret>)> {
    let now = app.clock.now();
    if asked.max_uses == 0 {
        return Err(ApiError::invalid("`maxUses` must be at least 1, it is 0"));
    }
    if asked.expires_at <= now {
        return Err(ApiError::invalid(format!(
            "`expiresAt` must lie in the future, it is {}",
            asked.expires_at
        )));
    }
    let secret = secrets::issue(ENROLMENT_TOKEN_PREFIX).map_err(ApiError::internal)?;
    let token = EnrolmentToken {
        id: app.clock.new_id(),
        account_id: person.account_id,
        hash: SecretHash::of(&secret),
        max_uses: asked.max_uses,
        uses: 0,
        expires_at: asked.expires_at,
        created_by: person.name,
        created_at: now,
        revoked_at: None,
    };
    let id = token.id.to_string();
    app.store.add_enrolment_token(token).await?;
    Ok((StatusCode::CREATED, Json(IssuedSecret { id, secret })))
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<people::EnrolmentToken>>> {
    query.each_filter("none", |_, _| Ok(false))?;
    let tokens = app.store.enrolment_tokens(person.account_id, query.cursor_id()?, query.limit + 1).await?;
    Ok(Json(query.page(tokens.into_iter().map(shown), |token| token.id.clone())))
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Reason(reason): Reason,
) -> Answer<StatusCode> {
    match app.store.revoke_enrolment_token(person, id, reason, app.clock.now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::not_found("enrolment token")),
    }
}

fn shown(token: EnrolmentToken) -> people::EnrolmentToken {
    people::EnrolmentToken {
        id: token.id.to_string(),
        max_uses: token.max_uses,
        uses: token.uses,
        expires_at: token.expires_at,
        created_by: token.created_by,
        created_at: token.created_at,
        revoked_at: token.revoked_at,
    }
}
