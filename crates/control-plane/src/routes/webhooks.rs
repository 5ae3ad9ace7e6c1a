//! Who is told of upgrades. A URL may hold a secret, so reading them is for those who administer too.

use novacula_protocol::people::{
    Delivery, DeliveryStatus, IssuedWebhook, Webhook, WebhookPatch, WebhookRequest,
};

use crate::api::{webhook_deliveries, webhooks};
use crate::operation::{Operation, area, delete, get, patch, post};
use crate::right::Right;
use crate::{example, refusal, shape};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = area("webhooks", rows());
    all.extend(area("webhooks", deliveries()));
    all
}

fn rows() -> [Operation; 6] {
    [
        get("/webhooks", "listWebhooks", Right::Administer, webhooks::list)
            .summary("The webhooks, without their secrets, newest first")
            .lists::<Webhook>(example::WEBHOOK),
        post("/webhooks", "createWebhook", Right::Administer, webhooks::create)
            .summary("A new webhook, its secret shown once")
            .takes::<WebhookRequest>(example::WEBHOOK_REQUEST)
            .answers::<IssuedWebhook>(201, example::WEBHOOK_ISSUED)
            .refuses(&[refusal::TOO_MANY_WEBHOOKS]),
        get("/webhooks/{id}", "showWebhook", Right::Administer, webhooks::show)
            .summary("One webhook")
            .answers::<Webhook>(200, example::WEBHOOK),
        patch("/webhooks/{id}", "changeWebhook", Right::Administer, webhooks::patch)
            .summary("Its URL, its events, its description, and whether it is told")
            .takes::<WebhookPatch>(example::WEBHOOK_PATCH)
            .answers::<Webhook>(200, example::WEBHOOK),
        delete("/webhooks/{id}", "deleteWebhook", Right::Administer, webhooks::delete)
            .summary("Removes a webhook with its deliveries")
            .query::<shape::Reason>("reason", "Why, for the activity")
            .answers_nothing(),
        post("/webhooks/{id}/rotate", "rotateWebhook", Right::Administer, webhooks::rotate)
            .summary("Another secret, shown once; for a day both sign")
            .answers::<IssuedWebhook>(200, example::WEBHOOK_ISSUED),
    ]
}

fn deliveries() -> [Operation; 3] {
    [
        post("/webhooks/{id}/test", "testWebhook", Right::Administer, webhook_deliveries::test)
            .summary("Tells a webhook `webhook.test`")
            .answers::<Delivery>(202, example::DELIVERY)
            .refuses(&[refusal::WEBHOOK_DISABLED]),
        get("/webhooks/{id}/deliveries", "listDeliveries", Right::Administer, webhook_deliveries::list)
            .summary("What a webhook was told lately and what came of it, newest first")
            .query::<DeliveryStatus>("status", "Only those that stand so")
            .lists::<Delivery>(example::DELIVERY),
        post(
            "/webhooks/{id}/deliveries/{deliveryId}/retry",
            "retryDelivery",
            Right::Administer,
            webhook_deliveries::retry,
        )
        .summary("Tells it again, as if it had never been tried")
        .answers::<Delivery>(202, example::DELIVERY)
        .refuses(&[refusal::WEBHOOK_DISABLED]),
    ]
}
