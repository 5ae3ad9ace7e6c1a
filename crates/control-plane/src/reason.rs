//! Why a person does something, as it is kept in the activity.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::problem::{Answer, ApiError};

/// The longest reason that is kept, in characters.
pub(crate) const MAX_REASON: usize = 1_024;

/// `?reason=` of a call that has no body.
pub(crate) struct Reason(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Reason {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|e| ApiError::invalid(e.body_text()))?;
        // That there is nothing else, and this once, the gate has seen.
        let reason = pairs.into_iter().find(|(name, _)| name == "reason").map(|(_, reason)| reason);
        let reason = reason.unwrap_or_default();
        is_reason(&reason)?;
        Ok(Self(reason))
    }
}

/// Whether a reason can be kept.
pub(crate) fn is_reason(reason: &str) -> Answer<()> {
    let found = reason.chars().count();
    if found > MAX_REASON {
        return Err(ApiError::invalid(format!(
            "`reason` must have at most {MAX_REASON} characters, it has {found}"
        )));
    }
    Ok(())
}

/// A reason from a body: none, or one that is not of spaces.
pub(crate) fn checked_reason(reason: Option<String>) -> Answer<String> {
    let Some(reason) = reason else { return Ok(String::new()) };
    if reason.trim().is_empty() {
        return Err(reason_required());
    }
    is_reason(&reason)?;
    Ok(reason)
}

/// Whoever does this says why.
pub(crate) fn reason_required() -> ApiError {
    let sentence = "`reason` must say why: it is kept in the activity";
    ApiError::new(StatusCode::BAD_REQUEST, "reason_required", sentence)
}
