//! Who asks: an executor with its key, or a person with a token.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::{header, request::Parts};
use novacula_protocol::enroll::{ENROLMENT_TOKEN_PREFIX, EXECUTOR_KEY_PREFIX, USER_TOKEN_PREFIX};
use novacula_protocol::people::ReleaseStatus;
use uuid::Uuid;

use crate::app::App;
use crate::fleet::KeyHolder;
use crate::problem::ApiError;
use crate::secrets::SecretHash;
use crate::store::Person;

/// Every call of a person comes through here, so that roles have one place to be asked for.
impl FromRequestParts<Arc<App>> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let hash = presented(parts, USER_TOKEN_PREFIX, "a person's token")?;
        app.store.person(hash).await?.ok_or_else(|| unknown("a person's token"))
    }
}

impl FromRequestParts<Arc<App>> for KeyHolder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let hash = presented(parts, EXECUTOR_KEY_PREFIX, "an executor's key")?;
        app.fleet.key(hash).ok_or_else(|| unknown("an executor's key"))
    }
}

/// An enrolment token, not yet held against anything.
pub(crate) struct EnrolmentSecret(pub SecretHash);

impl FromRequestParts<Arc<App>> for EnrolmentSecret {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        presented(parts, ENROLMENT_TOKEN_PREFIX, "an enrolment token").map(Self)
    }
}

/// Who may fetch artifacts of an account, and from which status of their release on.
pub(crate) struct Fetcher {
    pub account_id: Uuid,
    pub least: ReleaseStatus,
}

impl FromRequestParts<Arc<App>> for Fetcher {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        if bearer(parts).is_some_and(|secret| secret.starts_with(USER_TOKEN_PREFIX)) {
            let person = Person::from_request_parts(parts, app).await?;
            return Ok(Self { account_id: person.account_id, least: ReleaseStatus::Draft });
        }
        let key = KeyHolder::from_request_parts(parts, app).await?;
        Ok(Self { account_id: key.account_id, least: ReleaseStatus::Published })
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, secret) = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

fn presented(parts: &Parts, prefix: &str, what: &str) -> Result<SecretHash, ApiError> {
    match bearer(parts) {
        Some(secret) if secret.starts_with(prefix) => Ok(SecretHash::of(secret)),
        _ => Err(ApiError::unauthenticated(format!(
            "this call wants the header `Authorization: Bearer {prefix}…` with {what}"
        ))),
    }
}

fn unknown(what: &str) -> ApiError {
    ApiError::unauthenticated(format!("the bearer is not {what} that is valid here: unknown or revoked"))
}
