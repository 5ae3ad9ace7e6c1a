//! `POST /api/v1/enroll`: an enrolment token for a key that belongs to one executor.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::enroll::{EXECUTOR_KEY_PREFIX, EnrollRequest, EnrollResponse};

use crate::app::App;
use crate::auth::EnrolmentSecret;
use crate::extract::Body;
use crate::problem::{Answer, ApiError};
use crate::said;
use crate::secrets::{self, SecretHash};

pub(crate) async fn enroll(
    State(app): State<Arc<App>>,
    EnrolmentSecret(token): EnrolmentSecret,
    Body(asked): Body<EnrollRequest>,
) -> Answer<Json<EnrollResponse>> {
    said::name(&asked.name).map_err(ApiError::invalid)?;
    let access_token = secrets::issue(EXECUTOR_KEY_PREFIX).map_err(ApiError::internal)?;
    let new = (app.clock.new_id(), SecretHash::of(&access_token));
    let key = app.enroll(token, asked.kind, asked.name, new).await??;
    tracing::info!(key = %key.id, executor = key.bound_name, "enrolled");
    Ok(Json(EnrollResponse { access_token }))
}
