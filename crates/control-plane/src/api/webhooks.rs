//! `/api/v1/webhooks`: who is told of upgrades.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use novacula_protocol::people::{IssuedWebhook, Page, Webhook, WebhookEvent, WebhookPatch, WebhookRequest};

use crate::app::App;
use crate::extract::{Body, Id, ListQuery};
use crate::outgoing::address;
use crate::problem::{Answer, ApiError};
use crate::reason::Reason;
use crate::secrets;
use crate::store::{NewWebhook, Person};
use crate::webhook::signature::SECRET_PREFIX;

const MAX_DESCRIPTION: usize = 1_000;

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    Body(asked): Body<WebhookRequest>,
) -> Answer<(StatusCode, Json<IssuedWebhook>)> {
    let description = asked.description.unwrap_or_default();
    check(&app, Some(&asked.url), Some(&asked.events), Some(&description))?;
    let secret = new_secret()?;
    let new = NewWebhook {
        id: app.clock.new_id(),
        by: person,
        url: asked.url,
        events: asked.events,
        description,
        secret: secret.clone(),
        now: app.clock.now(),
    };
    let made = app.store.add_webhook(new).await?;
    let webhook = made.map_err(|e| ApiError::conflict("too_many_webhooks", e.to_string()))?;
    Ok((StatusCode::CREATED, Json(IssuedWebhook { webhook, secret })))
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<Webhook>>> {
    query.each_filter("none", |_, _| Ok(false))?;
    let webhooks = app.store.webhooks(person.account_id, query.cursor_id()?, query.limit + 1).await?;
    Ok(Json(query.page(webhooks.into_iter(), |webhook| webhook.id.clone())))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Webhook>> {
    app.store.webhook(person.account_id, id).await?.map(Json).ok_or_else(no_webhook)
}

pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(patch): Body<WebhookPatch>,
) -> Answer<Json<Webhook>> {
    check(&app, patch.url.as_deref(), patch.events.as_deref(), patch.description.as_deref())?;
    app.store.patch_webhook(person, id, patch, app.clock.now()).await?.map(Json).ok_or_else(no_webhook)
}

pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<IssuedWebhook>> {
    let secret = new_secret()?;
    let rotated = app.store.rotate_webhook(person, id, secret.clone(), app.clock.now()).await?;
    rotated.map(|webhook| Json(IssuedWebhook { webhook, secret })).ok_or_else(no_webhook)
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Reason(reason): Reason,
) -> Answer<StatusCode> {
    match app.store.delete_webhook(person, id, reason, app.clock.now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_webhook()),
    }
}

pub(super) fn no_webhook() -> ApiError {
    ApiError::not_found("webhook")
}

fn check(
    app: &App,
    url: Option<&str>,
    events: Option<&[WebhookEvent]>,
    description: Option<&str>,
) -> Answer<()> {
    if let Some(url) = url {
        address::url(url, app.webhooks.leave).map_err(ApiError::invalid)?;
    }
    if let Some(events) = events {
        let known = || WebhookEvent::WANTED.map(WebhookEvent::as_str).join(", ");
        let is_twice = |(n, event): (usize, &WebhookEvent)| events[..n].contains(event);
        if events.is_empty() || events.iter().enumerate().any(is_twice) {
            return Err(ApiError::invalid(format!(
                "`events` must name at least one of {}, each once",
                known()
            )));
        }
        if let Some(event) = events.iter().find(|event| !WebhookEvent::WANTED.contains(event)) {
            let (event, known) = (event.as_str(), known());
            return Err(ApiError::invalid(format!(
                "`events` must be of {known}; `{event}` comes by itself when a webhook is tested"
            )));
        }
    }
    let found = description.unwrap_or_default().chars().count();
    if found > MAX_DESCRIPTION {
        return Err(ApiError::invalid(format!(
            "`description` must have at most {MAX_DESCRIPTION} characters, it has {found}"
        )));
    }
    Ok(())
}

/// 256 random bits behind the prefix, in the base64 that libraries of the specification take.
fn new_secret() -> Answer<String> {
    let bits = secrets::random::<32>().map_err(ApiError::internal)?;
    Ok(format!("{SECRET_PREFIX}{}", STANDARD.encode(bits)))
}

#[cfg(test)]
mod tests;
