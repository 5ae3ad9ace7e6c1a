use novacula_protocol::people::{Delivery, DeliveryStatus, Role};
use serde_json::{Value, json};

use super::deliveries::{WebhookPage, actions, listed};
use super::*;
use crate::in_process::ControlPlane;
use crate::pages::rules::desk::Desk;
use crate::pages::sample::{HOSTILE, check, layout, now};

const ID: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";
const URL: &str = "http://127.0.0.1:9/hook?key=hidden";

fn webhook(enabled: bool) -> Webhook {
    Webhook {
        id: ID.to_owned(),
        url: HOSTILE.to_owned(),
        events: vec![WebhookEvent::UpgradeFailed],
        description: HOSTILE.to_owned(),
        enabled,
        disabled_reason: (!enabled).then(|| HOSTILE.to_owned()),
        failing_since: Some(now()),
        previous_secret_until: Some(now() + jiff::SignedDuration::from_hours(1)),
        created_by: HOSTILE.to_owned(),
        created_at: now(),
    }
}

fn delivery(id: &str, status: DeliveryStatus) -> Delivery {
    Delivery {
        id: id.to_owned(),
        event: WebhookEvent::WebhookTest,
        status,
        attempts: 3,
        created_at: now(),
        next_attempt_at: Some(now()),
        last_attempt_at: None,
        last_status: Some(500),
        last_answer: Some(HOSTILE.to_owned()),
        payload: HOSTILE.to_owned(),
    }
}

#[test]
fn the_pages_render() {
    let layout = layout(Room::Webhooks);
    let create = Action::new("New webhook", "/webhooks/new", Look::First);
    let everything = Webhook { events: WebhookEvent::WANTED.into(), ..webhook(false) };
    let page = WebhooksPage {
        layout: layout.clone(),
        create,
        hidden: None,
        rows: vec![webhook(true), everything],
        pager: Pager::default(),
    };
    check("webhooks", &page);
    check("hidden webhooks", &WebhooksPage { hidden: Some(HOSTILE.to_owned()), ..page });
    for enabled in [true, false] {
        let webhook = webhook(enabled);
        let statuses = [DeliveryStatus::Pending, DeliveryStatus::Delivered, DeliveryStatus::GivenUp];
        let rows = ["a", "b", "c"].into_iter().zip(statuses);
        let rows = rows.map(|(id, status)| listed(delivery(id, status), &webhook, None)).collect();
        let (actions, pager) = (actions(&webhook, Some(&HOSTILE.to_owned())), Pager::default());
        let status = HOSTILE.to_owned();
        check("webhook", &WebhookPage { layout: layout.clone(), webhook, actions, status, rows, pager });
    }
}

async fn only(control_plane: &ControlPlane) -> Value {
    control_plane.get("/api/v1/webhooks").await.ok()["items"][0].clone()
}

#[tokio::test]
async fn a_webhook_is_made_with_a_secret_that_is_shown_once_and_gets_another() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    assert!(desk.see("/webhooks/").await.ok().text().contains("nobody is told"));
    let form = desk.see("/webhooks/new").await.ok();
    assert_eq!(form.html.matches(" checked").count(), WebhookEvent::WANTED.len(), "everything unless said");
    let fields =
        [("url", URL), ("event", "upgrade.failed"), ("event", "plan.halted"), ("description", "pager")];
    let first = desk.send("/webhooks/new", &fields).await.secret();
    assert!(first.starts_with("nvw_"), "{first}");
    let known = only(&control_plane).await;
    assert_eq!(known["events"], json!(["upgrade.failed", "plan.halted"]));
    let at = |verb: &str| format!("/webhooks/{}/{verb}", known["id"].as_str().unwrap());
    let second = desk.send(&at("rotate"), &[]).await;
    assert!(second.text().contains("the secret before signs too"), "{}", second.text());
    assert_ne!(second.secret(), first);
    for path in ["/webhooks/", &format!("/webhooks/{}", known["id"].as_str().unwrap())] {
        let page = desk.see(path).await.ok();
        assert!(page.text().contains("An upgrade failed") && !page.html.contains("nvw_"), "{path}");
    }
    for (fields, why) in [
        (vec![("url", "ftp://x"), ("event", "plan.halted")], "`url`"),
        (vec![("url", URL)], "must name at least one"),
    ] {
        desk.send("/webhooks/new", &fields).await.was_refused(400, why);
    }
}

#[tokio::test]
async fn a_webhook_is_changed_disabled_and_deleted() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    desk.send("/webhooks/new", &[("url", URL), ("event", "plan.halted")]).await.secret();
    let id = only(&control_plane).await["id"].as_str().unwrap().to_owned();
    let (here, at) = (format!("/webhooks/{id}"), |verb: &str| format!("/webhooks/{id}/{verb}"));
    let fields = [("url", URL), ("event", "plan.paused"), ("description", "new")];
    desk.send(&at("change"), &[&fields[..], &[("enabled", "yes")]].concat()).await.led_to(&here);
    assert_eq!(only(&control_plane).await["enabled"], true);
    desk.send(&at("change"), &fields).await.led_to(&here);
    let known = only(&control_plane).await;
    assert_eq!((&known["enabled"], &known["events"]), (&json!(false), &json!(["plan.paused"])));
    let page = desk.see(&here).await.ok();
    assert!(page.locked("Test").unwrap().contains("enable it first"));
    desk.send(&at("test"), &[]).await.was_refused(409, "disabled");
    desk.send(&at("delete"), &[("reason", "moved")]).await.led_to("/webhooks/");
    assert_eq!(only(&control_plane).await, Value::Null);
}

#[tokio::test]
async fn a_test_stands_among_the_deliveries_and_can_be_sent_again() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    desk.send("/webhooks/new", &[("url", URL), ("event", "plan.halted")]).await.secret();
    let id = only(&control_plane).await["id"].as_str().unwrap().to_owned();
    let here = format!("/webhooks/{id}");
    desk.see(&format!("{here}/test")).await.ok();
    desk.send(&format!("{here}/test"), &[]).await.led_to(&here);
    let page = desk.see(&format!("{here}?status=pending")).await.ok();
    assert!(page.text().contains("A test") && page.text().contains("not tried yet"), "{}", page.text());
    assert!(
        desk.see(&format!("{here}?status=delivered"))
            .await
            .ok()
            .text()
            .contains("Nothing was told that stands so")
    );
    desk.see(&format!("{here}?status=forged")).await.was_refused(400, "`status`");
    let deliveries = control_plane.get(&format!("/api/v1/webhooks/{id}/deliveries")).await.ok();
    let retry = format!("{here}/deliveries/{}/retry", deliveries["items"][0]["id"].as_str().unwrap());
    assert!(page.html.contains(&retry));
    desk.see(&retry).await.ok();
    desk.send(&retry, &[]).await.led_to(&here);
    let told = control_plane.get("/api/v1/activity?action=webhook.retried").await.ok();
    assert_eq!(told["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn who_does_not_administer_sees_why_the_webhooks_are_hidden() {
    let control_plane = ControlPlane::start().await;
    let owner = Desk::of_the_owner(&control_plane);
    owner.send("/webhooks/new", &[("url", URL), ("event", "plan.halted")]).await.secret();
    let id = only(&control_plane).await["id"].as_str().unwrap().to_owned();
    for role in [Role::Editor, Role::Viewer] {
        let desk = Desk::of(&control_plane, role).await;
        let why = format!("This needs the role owner or admin; you are {role}.");
        let page = desk.see("/webhooks/").await.ok();
        assert_eq!(page.locked("New webhook"), Some(why.clone()));
        assert!(
            page.text().contains("only owners and admins see the webhooks")
                && !page.html.contains("key=hidden")
        );
        assert_eq!(desk.see(&format!("/webhooks/{id}")).await.status, 403);
        desk.send("/webhooks/new", &[("url", URL), ("event", "plan.halted")]).await.was_refused(403, &why);
        assert_eq!(desk.send(&format!("/webhooks/{id}/delete"), &[]).await.status, 403);
    }
    assert_eq!(only(&control_plane).await["id"], id);
}
