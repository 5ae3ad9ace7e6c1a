//! `/webhooks/`: who is told.

mod deliveries;
mod edit;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use novacula_protocol::people::{Page, Webhook, WebhookEvent};

use super::action::{Action, Look};
use super::layout::{Layout, Room};
use super::refused::{Refused, render};
use super::rules::Turn;
use super::rules::pager::{Pager, asked};
use super::visitor::Visitor;
use super::words;
use super::{Row, assets};
use crate::right::Right;

const HERE: &str = "/webhooks/";

pub(crate) fn routes() -> Vec<Row> {
    vec![
        (HERE, get(list)),
        ("/webhooks/new", get(edit::ask_new).post(edit::new)),
        ("/webhooks/{id}", get(deliveries::show)),
        ("/webhooks/{id}/change", get(edit::ask_change).post(edit::change)),
        ("/webhooks/{id}/rotate", get(edit::ask_rotate).post(edit::rotate)),
        ("/webhooks/{id}/delete", get(edit::ask_delete).post(edit::delete)),
        ("/webhooks/{id}/test", get(deliveries::ask_test).post(deliveries::test)),
        ("/webhooks/{id}/deliveries/{delivery}/retry", get(deliveries::ask_retry).post(deliveries::retry)),
    ]
}

#[derive(Template)]
#[template(path = "webhooks/list.html")]
pub(crate) struct WebhooksPage {
    pub layout: Layout,
    pub create: Action,
    /// Why the list is not shown: an address may hold a secret.
    pub hidden: Option<String>,
    pub rows: Vec<Webhook>,
    pub pager: Pager,
}

async fn list(visitor: Visitor, Query(Turn { cursor }): Query<Turn>) -> Result<Response, Refused> {
    let hidden = visitor.cannot(Right::Administer);
    let create = Action::new("New webhook", "/webhooks/new", Look::First).unless(hidden.clone());
    let layout = visitor.layout("Webhooks", Room::Webhooks).await?;
    // Whoever administers a suspended account may still look.
    let page: Page<Webhook> = match visitor.get(&asked("/webhooks", &[], cursor.as_deref())).await {
        Ok(page) => page,
        Err(refused) if refused.problem.code == "forbidden" => {
            let (rows, pager) = (Vec::new(), Pager::default());
            return Ok(render(&WebhooksPage { layout, create, hidden, rows, pager }));
        }
        Err(refused) => return Err(refused),
    };
    let pager = Pager::of(HERE, &[], "cursor", cursor.as_deref(), &page);
    Ok(render(&WebhooksPage { layout, create, hidden: None, rows: page.items, pager }))
}

/// How a webhook stands: how its badge looks, and what it says.
fn state(webhook: &Webhook) -> (&'static str, &'static str) {
    match (webhook.enabled, webhook.failing_since) {
        (false, _) => ("badge", "disabled"),
        (true, Some(_)) => ("badge bad", "failing"),
        (true, None) => ("badge good", "enabled"),
    }
}

/// An event in plain words.
fn event(event: &WebhookEvent) -> &'static str {
    match event {
        WebhookEvent::UpgradeStarted => "An executor picked its upgrade up",
        WebhookEvent::UpgradeCompleted => "An upgrade completed",
        WebhookEvent::UpgradeFailed => "An upgrade failed",
        WebhookEvent::UpgradeRolledBack => "An upgrade was rolled back",
        WebhookEvent::UpgradeApprovalWanted => "An upgrade wants an approval",
        WebhookEvent::PlanHalted => "A fleet plan is halted",
        WebhookEvent::PlanPaused => "A fleet plan is paused",
        WebhookEvent::PlanApprovalWanted => "A fleet plan wants an approval",
        WebhookEvent::PlanWavePassed => "A wave of a fleet plan passed",
        WebhookEvent::PlanCompleted => "A fleet plan completed",
        WebhookEvent::PlanRolledBack => "A fleet plan was rolled back",
        WebhookEvent::WebhookTest => "A test",
    }
}
