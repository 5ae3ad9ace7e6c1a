//! The one error answer: a status, the protocol's problem, and when to come again.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use novacula_protocol::people::{DocumentRefused, Role};
use novacula_protocol::problem::{ErrorBody, Problem};
use serde_json::{Map, Value};

use crate::store::StoreError;

/// An answer that is not a success.
#[derive(Debug, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Map<String, Value>,
    retry_after_s: Option<u32>,
}

/// Rides on the answer, for whoever counts them.
#[derive(Clone, Copy)]
pub(crate) struct ProblemCode(pub &'static str);

pub(crate) type Answer<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Map::new(), retry_after_s: None }
    }

    pub(crate) fn with(mut self, detail: &str, value: impl Into<Value>) -> Self {
        self.details.insert(detail.to_owned(), value.into());
        self
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// The word that programs know it by.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// A plan that cannot be meant, or not here.
    pub(crate) fn invalid_plan(refused: &DocumentRefused) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_plan", refused.to_string())
            .with("path", refused.path.as_str())
            .with("reason", refused.reason.as_str())
    }

    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
    }

    /// The caller is known and may not do this.
    pub(crate) fn forbidden(needed: &str, role: Role) -> Self {
        let sentence = format!("this call needs {needed}; you are {role}; an owner or admin can change that");
        Self::new(StatusCode::FORBIDDEN, "forbidden", sentence)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// The caller may do this, but not to whom or what they want.
    pub(crate) fn not_yours(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(crate) fn too_many_attempts(retry_after_s: u32) -> Self {
        let sentence = format!("too many attempts were made; wait {retry_after_s} s, then try again");
        let mut refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", sentence);
        refused.retry_after_s = Some(retry_after_s);
        refused
    }

    pub(crate) fn disk_full() -> Self {
        let sentence =
            "the control plane's disk is full, nothing was kept; free some space there and try again";
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", sentence)
    }

    /// What the caller is told.
    pub(crate) fn problem(self) -> Problem {
        Problem { code: self.code.to_owned(), message: self.message, details: self.details }
    }

    /// Our fault: the cause goes to the log, not to the caller.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!("{cause}");
        let sentence = "the control plane failed; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", sentence)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!("{error}");
        match error {
            StoreError::Full => Self::disk_full(),
            StoreError::Busy | StoreError::Away(_) | StoreError::Stopped => Self::unavailable(1),
            StoreError::Failed(_) => Self::unavailable(10),
        }
    }
}

impl ApiError {
    /// What an executor is told of the store: it can do nothing about a full disk but come again.
    pub(crate) fn to_executor(error: StoreError) -> Self {
        match error {
            StoreError::Full => {
                tracing::error!("{error}");
                Self::unavailable(10)
            }
            error => error.into(),
        }
    }

    /// The bucket does not answer, or not as it should.
    pub(crate) fn artifacts_unavailable() -> Self {
        let sentence = "the control plane cannot reach its store of artifacts at the moment; try again later";
        let mut refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", sentence);
        refused.retry_after_s = Some(10);
        refused
    }

    /// There is no room for this at the moment. Worth no line in the log each: they are counted.
    pub(crate) fn overloaded(retry_after_s: u32) -> Self {
        let sentence =
            format!("the control plane has too much to do at the moment; come again in {retry_after_s} s");
        let mut refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", sentence);
        refused.retry_after_s = Some(retry_after_s);
        refused
    }

    fn unavailable(retry_after_s: u32) -> Self {
        let sentence = "the control plane cannot write or read its store at the moment; try again later";
        let mut refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", sentence);
        refused.retry_after_s = Some(retry_after_s);
        refused
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, retry_after_s) = (self.status, self.code, self.retry_after_s);
        let mut response = (status, Json(ErrorBody { error: self.problem() })).into_response();
        response.extensions_mut().insert(ProblemCode(code));
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
