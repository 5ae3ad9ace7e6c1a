//! Who asks, and whether they may: found out once, before the handler runs and before a byte of the body is read.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use novacula_protocol::enroll::{ENROLMENT_TOKEN_PREFIX, EXECUTOR_KEY_PREFIX, USER_TOKEN_PREFIX};
use novacula_protocol::people::ReleaseStatus;
use uuid::Uuid;

use crate::app::App;
use crate::extract::only_known;
use crate::fleet::KeyHolder;
use crate::operation::Parameter;
use crate::problem::ApiError;
use crate::request_log::note_who;
use crate::right::{Right, permits};
use crate::secrets::SecretHash;
use crate::store::Person;

/// What an operation demands of a request before its handler sees it.
pub(crate) struct Gate {
    pub app: Arc<App>,
    pub operation: &'static str,
    pub right: Right,
    pub query: Vec<Parameter>,
}

/// Rides on the answer, for whoever must know which operation gave it.
#[derive(Clone, Copy)]
#[cfg_attr(not(test), allow(dead_code, reason = "so far only tests ask"))]
pub(crate) struct OperationId(pub &'static str);

/// The layer of every operation.
pub(crate) async fn enforce(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let passed = gate.pass(&mut parts).await;
    note_who(&parts);
    let mut response = match passed {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refused) => refused.into_response(),
    };
    response.extensions_mut().insert(OperationId(gate.operation));
    response
}

impl Gate {
    async fn pass(&self, parts: &mut Parts) -> Result<(), ApiError> {
        let app = &self.app;
        match self.right {
            Right::Nobody => {}
            Right::Executor => {
                let by = key_holder(parts, app)?;
                parts.extensions.insert(by);
            }
            Right::Enrol => {
                let token = presented(parts, ENROLMENT_TOKEN_PREFIX, "an enrolment token")?;
                parts.extensions.insert(EnrolmentSecret(token));
            }
            Right::Fetch => {
                let by = fetcher(parts, app).await?;
                parts.extensions.insert(by);
            }
            right => {
                let person = person(parts, app).await?;
                parts.extensions.insert(admitted(person, right)?);
            }
        }
        only_known(&self.query, parts)
    }
}

fn admitted(person: Person, right: Right) -> Result<Person, ApiError> {
    if permits(&person, right) { Ok(person) } else { Err(ApiError::forbidden(right.holder(), person.role)) }
}

/// Every call of a person comes through here.
async fn person(parts: &Parts, app: &App) -> Result<Person, ApiError> {
    let hash = presented(parts, USER_TOKEN_PREFIX, "a person's token")?;
    app.store.person(hash).await?.ok_or_else(|| unknown("a person's token"))
}

fn key_holder(parts: &Parts, app: &App) -> Result<KeyHolder, ApiError> {
    let hash = presented(parts, EXECUTOR_KEY_PREFIX, "an executor's key")?;
    app.fleet.key(hash).ok_or_else(|| unknown("an executor's key"))
}

async fn fetcher(parts: &Parts, app: &App) -> Result<Fetcher, ApiError> {
    if bearer(parts).is_some_and(|secret| secret.starts_with(USER_TOKEN_PREFIX)) {
        let person = person(parts, app).await?;
        return Ok(Fetcher { account_id: person.account_id, least: ReleaseStatus::Draft });
    }
    let key = key_holder(parts, app)?;
    Ok(Fetcher { account_id: key.account_id, least: ReleaseStatus::Published })
}

/// An enrolment token, not yet held against anything.
#[derive(Clone, Copy)]
pub(crate) struct EnrolmentSecret(pub SecretHash);

/// Who may fetch artifacts of an account, and from which status of their release on.
#[derive(Clone, Copy)]
pub(crate) struct Fetcher {
    pub account_id: Uuid,
    pub least: ReleaseStatus,
}

/// A handler takes what the gate has put there. What its right does not bring cannot be taken.
macro_rules! brought_by_the_gate {
    ($($caller:ty),*) => {
        $(
            impl FromRequestParts<Arc<App>> for $caller {
                type Rejection = ApiError;

                async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
                    parts.extensions.get::<Self>().cloned().ok_or_else(|| {
                        let caller = stringify!($caller);
                        ApiError::internal(format!("{} has a right that brings no {caller}", parts.uri.path()))
                    })
                }
            }
        )*
    };
}

brought_by_the_gate!(Person, KeyHolder, EnrolmentSecret, Fetcher);

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

#[cfg(test)]
mod tests {
    use novacula_protocol::people::Role;

    use super::*;

    #[test]
    fn what_a_person_may_not_do_is_refused_with_the_role_it_takes() {
        let viewer = Person {
            account_id: Uuid::nil(),
            user_id: Uuid::nil(),
            name: "vera".to_owned(),
            role: Role::Viewer,
            is_release_manager: false,
            is_in_founding_account: false,
        };
        assert_eq!(admitted(viewer.clone(), Right::See).unwrap(), viewer);
        for (right, needed) in [
            (Right::Steer, "the role owner, admin or editor"),
            (Right::Publish, "a release manager"),
            (Right::Own, "the role owner"),
        ] {
            let refused = admitted(viewer.clone(), right).unwrap_err().to_string();
            let expected = format!("403 Forbidden forbidden: this call needs {needed}; you are viewer");
            assert!(refused.starts_with(&expected), "{refused}");
        }
    }
}
