//! `/api/v1/webhooks/{id}/test` and `/api/v1/webhooks/{id}/deliveries`: what a webhook was told, and telling it again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::people::{Delivery, DeliveryStatus, Page};

use super::webhooks::no_webhook;
use crate::app::App;
use crate::extract::{Id, Ids, ListQuery, word};
use crate::problem::{Answer, ApiError};
use crate::store::{DeliveryRefused, Person};

pub(crate) async fn test(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<(StatusCode, Json<Delivery>)> {
    let ordered = app.store.test_webhook(person, id, app.clock.new_id(), app.clock.now()).await?;
    let delivery = ordered.map_err(|refused| said(refused, no_webhook))?;
    Ok((StatusCode::ACCEPTED, Json(delivery)))
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    query: ListQuery,
) -> Answer<Json<Page<Delivery>>> {
    let mut status: Option<DeliveryStatus> = None;
    query.each_filter("`status`", |name, value| {
        if name == "status" {
            status = Some(word(name, value, |word| serde_json::from_value(word.into()).ok())?);
        }
        Ok(name == "status")
    })?;
    let (before, limit) = (query.cursor_id()?, query.limit + 1);
    let found = app.store.deliveries(person.account_id, id, status, before, limit).await?;
    let rows = found.ok_or_else(no_webhook)?;
    Ok(Json(query.page(rows.into_iter(), |delivery| delivery.id.clone())))
}

pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    person: Person,
    Ids([webhook_id, id]): Ids<2>,
) -> Answer<(StatusCode, Json<Delivery>)> {
    let ordered = app.store.retry_delivery(person, webhook_id, id, app.clock.now()).await?;
    let delivery = ordered.map_err(|refused| said(refused, || ApiError::not_found("delivery")))?;
    Ok((StatusCode::ACCEPTED, Json(delivery)))
}

fn said(refused: DeliveryRefused, not_found: impl Fn() -> ApiError) -> ApiError {
    match refused {
        DeliveryRefused::NotFound => not_found(),
        DeliveryRefused::Disabled => ApiError::conflict(
            "webhook_disabled",
            "the webhook is disabled, so it is told nothing; enable it with PATCH first",
        ),
    }
}
