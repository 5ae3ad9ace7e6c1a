use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use novacula_protocol::people::WebhookEvent;

use super::*;
use crate::in_process::{ControlPlane, OWNER, reported};
use crate::outgoing::receiver::{Receiver, Reply, status, until};
use crate::secrets::SecretHash;
use crate::store::plan_bench::document;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn dispatcher(control_plane: &ControlPlane) -> JoinHandle<()> {
    tokio::spawn(run(Arc::clone(&control_plane.app)))
}

/// A webhook of all events; its path and its secret.
async fn webhook(control_plane: &ControlPlane, url: &str) -> (String, String) {
    let events = WebhookEvent::WANTED;
    let made = control_plane.post("/api/v1/webhooks", json!({"url": url, "events": events})).await.ok();
    (format!("/api/v1/webhooks/{}", text(&made["id"])), text(&made["secret"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn deliveries(control_plane: &ControlPlane, webhook: &str) -> Vec<Value> {
    let page = control_plane.get(&format!("{webhook}/deliveries")).await.ok();
    page["items"].as_array().unwrap().clone()
}

/// Waits until the only delivery has been tried so often and that is kept; gives it.
async fn tried(control_plane: &ControlPlane, webhook: &str, attempts: u64) -> Value {
    let one = async || deliveries(control_plane, webhook).await.remove(0);
    until(&format!("try {attempts}"), async || one().await["attempts"] == attempts).await;
    one().await
}

/// One executor's upgrade from its request to the stage that it ends at.
async fn upgrade(control_plane: &ControlPlane, name: &str, end: (&str, &str)) -> String {
    let (key, id) = control_plane.executor(name, "1.0.0").await;
    let asked = text(&control_plane.request(&id, "1.1.0").await.ok()["id"]);
    control_plane.sync(&key, reported(name, "1.0.0", &asked, "DOWNLOAD", "UNDERWAY")).await.ok();
    let mut ended = reported(name, "1.0.0", &asked, end.0, end.1);
    if end.0 != "COMPLETED" {
        ended["upgrade"]["error"] = json!({
            "code": "crash_loop", "stage": "CHECK_HEALTH", "message": "it ended three times",
            "timestamp": "2026-01-01T00:00:00Z",
        });
    }
    control_plane.sync(&key, ended).await.ok();
    asked
}

#[tokio::test]
async fn an_upgrade_is_told_from_its_start_to_its_end_signed_and_once() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    let receiver = Receiver::start(|_| status(200));
    let (path, secret) = webhook(&control_plane, &receiver.url()).await;
    for (name, end, expected) in [
        ("host-1", ("COMPLETED", "COMPLETED"), Some("upgrade.completed")),
        ("host-2", ("ROLLEDBACK", "ROLLEDBACK"), Some("upgrade.rolledBack")),
        ("host-3", ("FAILED", "FAILED"), Some("upgrade.failed")),
        ("host-4", ("ABANDONED", "COMPLETED"), None),
    ] {
        let before = receiver.received().len();
        let id = upgrade(&control_plane, name, end).await;
        let running = dispatcher(&control_plane);
        let told = 1 + usize::from(expected.is_some());
        let received = receiver.after(before + told).await[before..].to_vec();
        until("all is kept", async || control_plane.app.store.pending_deliveries().await == Ok(0)).await;
        running.abort();
        assert_eq!(receiver.received().len(), before + told, "{name}");
        let events: Vec<_> = received.iter().map(|call| text(&call.json()["type"])).collect();
        assert_eq!(events, [Some("upgrade.started"), expected].into_iter().flatten().collect::<Vec<_>>());
        for call in &received {
            assert!(call.is_signed_with(&secret), "{call:?}");
            assert!(!call.is_signed_with("nvw_AAAA"));
            assert_eq!(call.line, "POST /hook?token=secret-path HTTP/1.1");
            assert_eq!(call.header("content-type"), "application/json");
            let at: i64 = call.header("webhook-timestamp").parse().unwrap();
            assert_eq!(at, control_plane.app.clock.now().as_second());
            let data = &call.json()["data"];
            assert_eq!((&data["upgradeId"], &data["executorName"]), (&json!(id), &json!(name)));
            assert_eq!((&data["fromVersion"], &data["targetVersion"]), (&json!("1.0.0"), &json!("1.1.0")));
        }
        if expected == Some("upgrade.rolledBack") {
            let data = received[1].json()["data"].clone();
            assert_eq!(
                (&data["reason"], &data["error"]),
                (&json!("it ended three times"), &json!("crash_loop"))
            );
        }
    }
    let kept = deliveries(&control_plane, &path).await;
    assert_eq!(kept.len(), 7);
    let ids: Vec<_> = receiver.received().iter().map(|call| call.header("webhook-id").to_owned()).collect();
    for delivery in kept {
        assert_eq!((&delivery["status"], &delivery["lastStatus"]), (&json!("delivered"), &json!(200)));
        assert_eq!(ids.iter().filter(|id| delivery["id"] == **id).count(), 1);
    }
}

#[tokio::test]
async fn a_plan_that_halts_is_told_to_those_who_want_to_hear_it() {
    let control_plane = ControlPlane::start().await;
    let app = &control_plane.app;
    let (wants, wants_not) = (Receiver::start(|_| status(200)), Receiver::start(|_| status(200)));
    for (there, event) in [(&wants, "plan.halted"), (&wants_not, "plan.completed")] {
        control_plane.post("/api/v1/webhooks", json!({"url": there.url(), "events": [event]})).await.ok();
    }
    let by = app.store.by_token(SecretHash::of(OWNER), app.clock.now()).await.unwrap().unwrap().person;
    let (plan_id, now) = (app.clock.new_id(), app.clock.now());
    app.store.put_plan(by.account_id, plan_id, document("to 1.1", &json!([{"name": "canary"}])), now).await;
    let actor = by.name.clone();
    app.store.halt_plan(by, plan_id, "disks fill up", now).await;
    let running = dispatcher(&control_plane);
    let told = wants.after(1).await.remove(0).json();
    until("all is kept", async || app.store.pending_deliveries().await == Ok(0)).await;
    running.abort();
    assert_eq!(told["type"], "plan.halted");
    let data = &told["data"];
    assert_eq!((&data["planId"], &data["planName"]), (&json!(plan_id), &json!("to 1.1")));
    assert_eq!((&data["reason"], &data["actor"]), (&json!("disks fill up"), &json!(actor)));
    assert_eq!((wants.received().len(), wants_not.received().len()), (1, 0));
}

#[tokio::test]
async fn what_fails_is_sent_again_later_each_time_under_the_same_id_until_it_is_given_up() {
    let control_plane = ControlPlane::start().await;
    let is_up = Arc::new(AtomicUsize::new(0));
    let up = Arc::clone(&is_up);
    let receiver = Receiver::start(move |_| match up.load(Ordering::Relaxed) {
        0 => Reply::With(503, "Retry-After: 600\r\n", "not today".repeat(1_000)),
        _ => status(204),
    });
    let (path, _) = webhook(&control_plane, &receiver.url()).await;
    let ordered = control_plane.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(ordered.status, 202);
    let running = dispatcher(&control_plane);
    for (attempt, least_s) in [600, 600, 600, 600, 3_600, 21_600, 86_400].into_iter().enumerate() {
        let delivery = tried(&control_plane, &path, attempt as u64 + 1).await;
        let next: Timestamp = text(&delivery["nextAttemptAt"]).parse().unwrap();
        let wait = next.duration_since(control_plane.app.clock.now());
        assert!((least_s..=least_s * 6 / 5).contains(&wait.as_secs()), "after try {}: {wait:?}", attempt + 1);
        assert_eq!(delivery["lastStatus"], 503);
        assert_eq!(text(&delivery["lastAnswer"]), "not today".repeat(23)[..200]);
        control_plane.wait_ms(i64::try_from(wait.as_millis()).unwrap());
    }
    let given_up = tried(&control_plane, &path, 8).await;
    assert_eq!((&given_up["status"], &given_up["nextAttemptAt"]), (&json!("givenUp"), &Value::Null));
    let id = text(&given_up["id"]);
    assert!(receiver.received().iter().all(|call| call.header("webhook-id") == id));
    let bodies: std::collections::BTreeSet<_> =
        receiver.received().into_iter().map(|call| call.body).collect();
    assert_eq!(bodies.len(), 1, "to the byte");

    is_up.store(1, Ordering::Relaxed);
    let again = control_plane.post(&format!("{path}/deliveries/{id}/retry"), json!({})).await;
    assert_eq!(again.status, 202);
    let delivery = tried(&control_plane, &path, 1).await;
    assert_eq!((&delivery["status"], receiver.received().len()), (&json!("delivered"), 9));
    let shown = control_plane.get(&path).await.ok();
    assert_eq!((&shown["enabled"], &shown["failingSince"]), (&json!(true), &Value::Null));
    running.abort();
}

#[tokio::test]
async fn who_is_gone_is_told_nothing_any_more_and_that_is_in_the_activity() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    let receiver = Receiver::start(|_| status(410));
    let (path, _) = webhook(&control_plane, &receiver.url()).await;
    upgrade(&control_plane, "host-1", ("COMPLETED", "COMPLETED")).await;
    let running = dispatcher(&control_plane);
    until("nothing waits", async || control_plane.app.store.pending_deliveries().await == Ok(0)).await;
    running.abort();
    assert_eq!(receiver.received().len(), 1, "the second is not even tried");
    let statuses: Vec<_> =
        deliveries(&control_plane, &path).await.into_iter().map(|d| d["status"].clone()).collect();
    assert_eq!(statuses, ["givenUp", "givenUp"]);
    let shown = control_plane.get(&path).await.ok();
    assert_eq!(
        (&shown["enabled"], &shown["disabledReason"]),
        (&json!(false), &json!("it answered with 410 Gone"))
    );
    let page = control_plane.get("/api/v1/activity?action=webhook.disabled").await.ok();
    let entry = &page["items"][0];
    assert_eq!(
        (&entry["actor"], &entry["reason"]),
        (&json!("control plane"), &json!("it answered with 410 Gone"))
    );
    let refused = control_plane.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(refused.problem(), (409, "webhook_disabled".to_owned()));
    upgrade(&control_plane, "host-2", ("COMPLETED", "COMPLETED")).await;
    assert_eq!(deliveries(&control_plane, &path).await.len(), 2, "and nothing new is written down");
}

#[tokio::test]
async fn after_five_days_of_nothing_but_failures_a_webhook_is_disabled() {
    let control_plane = ControlPlane::start().await;
    let receiver = Receiver::start(|_| status(500));
    let (path, _) = webhook(&control_plane, &receiver.url()).await;
    let running = dispatcher(&control_plane);
    for day in 0..5 {
        let shown = control_plane.get(&path).await.ok();
        assert_eq!(shown["enabled"], true, "day {day}");
        let before = receiver.received().len();
        control_plane.post(&format!("{path}/test"), json!({})).await.ok();
        receiver.after(before + 1).await;
        until("it is kept", async || {
            let newest = deliveries(&control_plane, &path).await.remove(0);
            newest["attempts"] != 0
        })
        .await;
        control_plane.wait_ms(DAY_MS);
    }
    until("it is disabled", async || control_plane.get(&path).await.ok()["enabled"] == false).await;
    running.abort();
    let page = control_plane.get("/api/v1/activity?action=webhook.disabled").await.ok();
    assert!(text(&page["items"][0]["reason"]).starts_with("every try since"), "{page}");
    control_plane.patch(&path, json!({"enabled": true})).await.ok();
    let shown = control_plane.get(&path).await.ok();
    assert_eq!(
        (&shown["enabled"], &shown["failingSince"], &shown["disabledReason"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn webhooks_that_hang_hold_up_no_other() {
    let control_plane = ControlPlane::start().await;
    let mut hanging = Vec::new();
    for _ in 0..5 {
        let receiver = Receiver::start(|_| Reply::Never);
        let (path, _) = webhook(&control_plane, &receiver.url()).await;
        control_plane.post(&format!("{path}/test"), json!({})).await.ok();
        control_plane.post(&format!("{path}/test"), json!({})).await.ok();
        hanging.push(receiver);
    }
    // Each of them has failed before.
    control_plane.app.store.put("UPDATE webhooks SET failing_since = 1").await;
    let running = dispatcher(&control_plane);
    until("two of them are called", async || {
        hanging.iter().map(|receiver| receiver.received().len()).sum::<usize>() == FAILING_AT_ONCE
    })
    .await;
    let fine = Receiver::start(|_| status(200));
    let (path, _) = webhook(&control_plane, &fine.url()).await;
    for n in 1..=5 {
        control_plane.post(&format!("{path}/test"), json!({})).await.ok();
        fine.after(n).await;
    }
    let called: Vec<_> = hanging.iter().map(|receiver| receiver.received().len()).collect();
    assert!(called.iter().all(|calls| *calls <= 1), "one at a time: {called:?}");
    running.abort();
}

#[tokio::test]
async fn a_kill_between_the_commit_and_the_delivery_loses_nothing_and_invents_nothing() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let receiver = Receiver::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::Never,
        _ => status(200),
    });
    let (path, _) = webhook(&control_plane, &receiver.url()).await;
    upgrade(&control_plane, "host-1", ("COMPLETED", "COMPLETED")).await;
    // Killed before anything was sent.
    let control_plane = control_plane.restart().await;
    assert_eq!(deliveries(&control_plane, &path).await.len(), 2);
    // Killed after it was sent, before that is kept.
    let running = dispatcher(&control_plane);
    let sent = receiver.after(1).await;
    running.abort();
    let control_plane = control_plane.restart().await;
    assert_eq!(deliveries(&control_plane, &path).await[1]["attempts"], 0);

    // Where others may share the database, whoever was killed keeps its turn for a while.
    control_plane.wait_ms(11_000);
    let running = dispatcher(&control_plane);
    let received = receiver.after(3).await;
    until("all is kept", async || control_plane.app.store.pending_deliveries().await == Ok(0)).await;
    running.abort();
    assert_eq!(receiver.received().len(), 3);
    let id = |n: usize| received[n].header("webhook-id").to_owned();
    assert_eq!((id(0), &received[0].body), (id(1), &received[1].body));
    assert_ne!(id(1), id(2));
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_written_down_for_a_webhook_has_not_happened() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    let (path, _) = webhook(&control_plane, "https://example.com/").await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let asked = text(&control_plane.request(&id, "1.1.0").await.ok()["id"]);
    control_plane.database().refuse("no", "INSERT ON webhook_deliveries");
    let picked_up = reported("host-1", "1.0.0", &asked, "DOWNLOAD", "UNDERWAY");
    assert_eq!(control_plane.sync(&key, picked_up.clone()).await.status, 503);
    assert_eq!(control_plane.get(&format!("/api/v1/upgrades/{asked}")).await.ok()["startedAt"], Value::Null);
    control_plane.database().stop_refusing("no", "webhook_deliveries");
    for _ in 0..2 {
        control_plane.sync(&key, picked_up.clone()).await.ok();
    }
    assert_eq!(deliveries(&control_plane, &path).await.len(), 1);
}

#[tokio::test]
async fn the_last_hundred_deliveries_are_kept_and_none_for_ever() {
    let control_plane = ControlPlane::start().await;
    let receiver = Receiver::start(|_| status(200));
    let (path, _) = webhook(&control_plane, &receiver.url()).await;
    for _ in 0..105 {
        control_plane.post(&format!("{path}/test"), json!({})).await.ok();
    }
    let running = dispatcher(&control_plane);
    until("all are sent", async || control_plane.app.store.pending_deliveries().await == Ok(0)).await;
    running.abort();
    let page = control_plane.get(&format!("{path}/deliveries?limit=500")).await.ok();
    assert_eq!(page["items"].as_array().unwrap().len(), 100);
    let in_a_month = control_plane.app.clock.now() + SignedDuration::from_hours(31 * 24);
    control_plane.app.store.drop_old_deliveries(in_a_month).await.unwrap();
    assert_eq!(deliveries(&control_plane, &path).await.len(), 0);
}
