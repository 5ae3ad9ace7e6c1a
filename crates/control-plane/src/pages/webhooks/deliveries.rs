//! `/webhooks/{id}`: one webhook, what it was told lately, and telling it again.

use askama::Template;
use axum::extract::Query;
use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{Delivery, DeliveryStatus, Page, Webhook};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{event, state};
use crate::pages::action::{Action, Look};
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::rules::Id;
use crate::pages::rules::ask::Ask;
use crate::pages::rules::pager::{Pager, asked};
use crate::pages::visitor::{Visitor, to};
use crate::pages::{assets, words};
use crate::right::Right;

#[derive(Template)]
#[template(path = "webhooks/show.html")]
pub(crate) struct WebhookPage {
    pub layout: Layout,
    pub webhook: Webhook,
    pub actions: Vec<Action>,
    /// The word that deliveries are filtered by; empty for all.
    pub status: String,
    pub rows: Vec<Listed>,
    pub pager: Pager,
}

/// A delivery, how it stands, and whether it can be sent again.
pub(crate) struct Listed {
    pub delivery: Delivery,
    pub badge: (&'static str, &'static str),
    pub retry: Action,
}

/// What deliveries can be filtered by.
pub(crate) const STATUSES: [(&str, &str); 4] =
    [("", "all"), ("pending", "to be tried"), ("delivered", "delivered"), ("givenUp", "given up")];

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    status: String,
    cursor: Option<String>,
}

pub(super) async fn show(
    visitor: Visitor,
    Id(id): Id<Uuid>,
    Query(Asked { status, cursor }): Query<Asked>,
) -> Result<Response, Refused> {
    let here = format!("/webhooks/{id}");
    let webhook: Webhook = visitor.get(&here).await?;
    let filter = [("status", status.as_str())];
    let path = asked(&format!("{here}/deliveries"), &filter, cursor.as_deref());
    let page: Page<Delivery> = visitor.get(&path).await?;
    let pager = Pager::of(&here, &filter, "cursor", cursor.as_deref(), &page);
    let cannot = visitor.cannot(Right::Administer);
    let actions = actions(&webhook, cannot.as_ref());
    let rows = page.items.into_iter().map(|it| listed(it, &webhook, cannot.as_ref())).collect();
    let layout = visitor.layout("Webhook", Room::Webhooks).await?;
    let layout =
        if cursor.is_none() { layout.following(format!("{here}?{}", words::query(filter))) } else { layout };
    Ok(render(&WebhookPage { layout, webhook, actions, status, rows, pager }))
}

pub(crate) fn actions(webhook: &Webhook, cannot: Option<&String>) -> Vec<Action> {
    let at = |verb: &str| format!("/webhooks/{}/{verb}", webhook.id);
    let test = Action::new("Test", at("test"), Look::Plain).unless(is_disabled(webhook));
    let actions = [
        test,
        Action::new("Change", at("change"), Look::Plain),
        Action::new("Another secret", at("rotate"), Look::Plain),
        Action::new("Delete", at("delete"), Look::Grave),
    ];
    actions.map(|action| action.unless(cannot.cloned())).into()
}

pub(crate) fn listed(delivery: Delivery, webhook: &Webhook, cannot: Option<&String>) -> Listed {
    let badge = match delivery.status {
        DeliveryStatus::Pending => ("badge busy", "to be tried"),
        DeliveryStatus::Delivered => ("badge good", "delivered"),
        DeliveryStatus::GivenUp => ("badge bad", "given up"),
    };
    let at = format!("/webhooks/{}/deliveries/{}/retry", webhook.id, delivery.id);
    let retry =
        Action::new("Send again", at, Look::Plain).unless(cannot.cloned()).unless(is_disabled(webhook));
    Listed { delivery, badge, retry }
}

fn is_disabled(webhook: &Webhook) -> Option<String> {
    (!webhook.enabled).then(|| "The webhook is disabled, so it is told nothing; enable it first.".to_owned())
}

async fn form_of_test(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let action = format!("/webhooks/{id}/test");
    let ask = Ask::new(visitor, Right::Administer, Room::Webhooks, "Test the webhook", action).await?;
    Ok(ask.says(
        "It is told webhook.test, signed as everything else. What came of it stands in its deliveries.",
    ))
}

pub(super) async fn ask_test(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_test(&visitor, id).await?.show())
}

pub(super) async fn test(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_test(&visitor, id).await?;
    let done = visitor.act(&form, Method::POST, &format!("/webhooks/{id}/test"), &Value::Null).await;
    Ok(ask.or_again(done.map(|()| to(&format!("/webhooks/{id}"))), &form))
}

async fn form_of_retry(visitor: &Visitor, id: Uuid, delivery: Uuid) -> Result<Ask, Refused> {
    let action = format!("/webhooks/{id}/deliveries/{delivery}/retry");
    let ask = Ask::new(visitor, Right::Administer, Room::Webhooks, "Send it again", action).await?;
    Ok(ask.says("It is sent as it was, under the same webhook-id, as if it had never been tried."))
}

pub(super) async fn ask_retry(
    visitor: Visitor,
    Id((id, delivery)): Id<(Uuid, Uuid)>,
) -> Result<Response, Refused> {
    Ok(form_of_retry(&visitor, id, delivery).await?.show())
}

pub(super) async fn retry(
    visitor: Visitor,
    Id((id, delivery)): Id<(Uuid, Uuid)>,
    form: Form,
) -> Result<Response, Refused> {
    let ask = form_of_retry(&visitor, id, delivery).await?;
    let path = format!("/webhooks/{id}/deliveries/{delivery}/retry");
    let done = visitor.act(&form, Method::POST, &path, &Value::Null).await;
    Ok(ask.or_again(done.map(|()| to(&format!("/webhooks/{id}"))), &form))
}
