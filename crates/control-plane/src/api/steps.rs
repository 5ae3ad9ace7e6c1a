//! `/api/v1/upgrades/{id}/steps`: what people do themselves before and after an upgrade, and that they say so.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use novacula_protocol::people::{Acknowledge, UpgradeSteps};
use uuid::Uuid;

use crate::app::App;
use crate::extract::{Body, Id};
use crate::problem::{Answer, ApiError};
use crate::store::{AcknowledgeRefused, Part, Person};

/// A release has no more.
const MOST: usize = 50;

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<UpgradeSteps>> {
    Ok(Json(app.store.steps(person.account_id, id).await?.ok_or(AcknowledgeRefused::NoUpgrade)?))
}

pub(crate) async fn prerequisite(
    State(app): State<Arc<App>>,
    person: Person,
    Path(path): Path<(String, String)>,
) -> Answer<Json<UpgradeSteps>> {
    one(&app, person, Part::Prerequisites, path).await
}

pub(crate) async fn postrequisite(
    State(app): State<Arc<App>>,
    person: Person,
    Path(path): Path<(String, String)>,
) -> Answer<Json<UpgradeSteps>> {
    one(&app, person, Part::Postrequisites, path).await
}

pub(crate) async fn prerequisites(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<Acknowledge>,
) -> Answer<Json<UpgradeSteps>> {
    several(&app, person, Part::Prerequisites, (id, asked.numbers)).await
}

pub(crate) async fn postrequisites(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<Acknowledge>,
) -> Answer<Json<UpgradeSteps>> {
    several(&app, person, Part::Postrequisites, (id, asked.numbers)).await
}

async fn one(
    app: &App,
    person: Person,
    part: Part,
    (id, number): (String, String),
) -> Answer<Json<UpgradeSteps>> {
    let id = id.parse().map_err(|_| AcknowledgeRefused::NoUpgrade)?;
    let number = number.parse().map_err(|_| ApiError::not_found("step"))?;
    several(app, person, part, (id, vec![number])).await
}

async fn several(
    app: &App,
    person: Person,
    part: Part,
    (id, numbers): (Uuid, Vec<u32>),
) -> Answer<Json<UpgradeSteps>> {
    if !(1..=MOST).contains(&numbers.len()) {
        let count = numbers.len();
        return Err(ApiError::invalid(format!("`numbers` must be 1 to {MOST} steps, there are {count}")));
    }
    Ok(Json(app.store.acknowledge(person, id, (part, numbers), app.clock.now()).await??))
}

impl From<AcknowledgeRefused> for ApiError {
    fn from(refused: AcknowledgeRefused) -> Self {
        let message = refused.to_string();
        match refused {
            AcknowledgeRefused::NoUpgrade => Self::not_found("upgrade"),
            AcknowledgeRefused::NoStep { .. } => Self::not_found("step"),
            AcknowledgeRefused::TooEarly(_) => Self::conflict("too_early", message),
        }
    }
}

#[cfg(test)]
mod tests;
