//! What the pages about rules are put together from: a form that asks, a secret that is shown once, and the way through
//! a list. Each page is a list of its own; everything that is done from it is one [`Ask`].

pub(crate) mod ask;
#[cfg(test)]
pub(crate) mod desk;
pub(crate) mod field;
pub(crate) mod pager;
pub(crate) mod secret;
#[cfg(test)]
mod tests;

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use novacula_protocol::problem::Problem;
use serde::de::DeserializeOwned;

use super::Console;
use super::refused::Refused;
use super::visitor::Visitor;
use crate::right::Right;

/// Whether this visitor may open the page of something that they could not do.
///
/// # Errors
/// Why not.
pub(crate) fn allowed(visitor: &Visitor, right: Right) -> Result<(), Refused> {
    match visitor.cannot(right) {
        None => Ok(()),
        Some(message) => {
            let code = "forbidden".to_owned();
            let problem = Problem { code, message, details: serde_json::Map::new() };
            Err(Refused { status: StatusCode::FORBIDDEN, problem, asked: "/".to_owned() })
        }
    }
}

/// The ids in the path of a page, which go into paths of the API and so are ids and nothing else.
pub(crate) struct Id<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Console> for Id<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let read = Path::<T>::from_request_parts(parts, console).await;
        read.map(|Path(id)| Self(id)).map_err(|_| Refused::no_such_page().into_response())
    }
}

/// Where a list goes on.
#[derive(serde::Deserialize)]
pub(crate) struct Turn {
    pub cursor: Option<String>,
}
