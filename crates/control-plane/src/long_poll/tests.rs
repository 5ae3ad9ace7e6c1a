use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::in_process::{Answered, ControlPlane, reported, said};

/// A sync that waits for a minute, in its own task. Every answer that the tests wait for comes long before that.
fn waiting(control_plane: &ControlPlane, key: &str, said: Value) -> JoinHandle<Answered> {
    asking(control_plane, key, said, "wait=60")
}

fn asking(control_plane: &ControlPlane, key: &str, said: Value, prefer: &str) -> JoinHandle<Answered> {
    let request = Request::post("/api/v1/syncExecutor")
        .header("host", "cp.test:3000")
        .header("authorization", format!("Bearer {key}"))
        .header("prefer", prefer)
        .body(Body::from(said.to_string()))
        .unwrap();
    let control_plane = control_plane.clone();
    tokio::spawn(async move { control_plane.send(request).await })
}

async fn until(sentence: &str, control_plane: &ControlPlane, count: u64) {
    let reached = async {
        while control_plane.app.fleet.long_polls().count() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reached).await.expect(sentence);
}

/// Sooner than by the beat of a sync that waits, which hears everything too.
async fn answer(sync: JoinHandle<Answered>) -> Answered {
    tokio::time::timeout(Duration::from_secs(10), sync).await.expect("it is answered at once").unwrap()
}

#[tokio::test]
async fn a_sync_that_waits_is_answered_when_something_is_pending_by_the_clock_of_then() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let sync = waiting(&control_plane, &key, said("host-1", "1.0.0"));
    until("it waits", &control_plane, 1).await;
    let text = String::from_utf8(control_plane.get("/metrics").await.bytes).unwrap();
    assert!(text.contains("\nnovacula_long_polls 1\n") && text.contains("\nnovacula_syncs_in_flight 0\n"));
    control_plane.wait_ms(20_000);
    control_plane.request(&id, "1.1.0").await.ok();
    let answered = answer(sync).await;
    assert_eq!(answered.header("preference-applied"), "wait=60");
    let body = answered.ok();
    assert_eq!(body["pendingUpgrade"]["targetVersion"], "1.1.0");
    let now = control_plane.app.clock.now().to_string();
    assert_eq!(body["now"], now.as_str());
    until("nobody waits any more", &control_plane, 0).await;
    let shown = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
    assert_eq!(shown["lastSeenAt"], now.as_str());
}

#[tokio::test]
async fn checks_that_are_asked_for_are_told_at_once_and_so_is_what_a_plan_grants() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let sync = waiting(&control_plane, &key, said("host-1", "1.0.0"));
    until("it waits", &control_plane, 1).await;
    control_plane.post(&format!("/api/v1/executors/{id}/preflight/checks/clock"), json!({})).await.ok();
    assert_eq!(answer(sync).await.ok()["preflight"], json!(["clock"]));
}

#[tokio::test]
async fn a_change_that_is_nothing_to_do_keeps_it_waiting_until_its_time_is_over() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let sync = asking(&control_plane, &key, said("host-1", "1.0.0"), "wait=1");
    until("it waits", &control_plane, 1).await;
    control_plane.patch(&format!("/api/v1/executors/{id}"), json!({"labels": {"ring": "canary"}})).await.ok();
    let answered = answer(sync).await;
    assert_eq!(answered.header("preference-applied"), "wait=1");
    assert_eq!(answered.ok()["pendingUpgrade"], json!(null));
}

#[tokio::test]
async fn whoever_has_something_to_tell_or_does_not_prefer_to_wait_is_answered_as_ever() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let mut held = said("host-1", "1.0.0");
    held["held"] = json!({"reason": "audit", "until": null});
    let mut checked = held.clone();
    checked["preflight"] = json!([{"check": "clock", "ok": true, "note": ""}]);
    let mut new = said("host-2", "1.0.0");
    let new_key = control_plane.key().await;
    new["labels"] = json!({"ring": "test"});
    for (sentence, key, said, prefer) in [
        ("a durable change wants its answer", key.as_str(), held.clone(), "wait=60"),
        ("so do results of checks", &key, checked, "wait=60"),
        ("and a first sync", &new_key, new, "wait=60"),
        ("who does not prefer it", &key, held.clone(), "respond-async"),
        ("what cannot be read is no preference", &key, held.clone(), "wait=soon"),
        ("not at all", &key, held.clone(), "wait=0"),
    ] {
        let answered = answer(asking(&control_plane, key, said, prefer)).await;
        assert_eq!(answered.header("preference-applied"), "", "{sentence}");
        assert_eq!(answered.status, 200, "{sentence}");
    }
    control_plane.publish("1.1.0").await;
    let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let mut at_work = reported("host-1", "1.0.0", &upgrade, "DOWNLOAD", "UNDERWAY");
    at_work["held"] = held["held"].clone();
    control_plane.sync(&key, at_work.clone()).await.ok();
    assert_eq!(answer(waiting(&control_plane, &key, at_work)).await.header("preference-applied"), "");
}

#[tokio::test]
async fn what_another_sync_of_the_executor_says_ends_the_wait_at_once_and_stands() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let path = format!("/api/v1/executors/{id}");
    let mut first = said("host-1", "1.0.0");
    let mut labelled = first.clone();
    (labelled["labels"], labelled["restarts"]) = (json!({"rack": "1"}), json!(3));
    let mut restarted = labelled.clone();
    restarted["restarts"] = json!(4);
    for (sentence, newer) in [("what is kept", labelled), ("what is not", restarted)] {
        let sync = waiting(&control_plane, &key, first);
        until("it waits", &control_plane, 1).await;
        control_plane.sync(&key, newer.clone()).await.ok();
        // Something new rings; the rest is heard by the next beat.
        control_plane.patch(&path, json!({"labels": {"ring": newer["restarts"].to_string()}})).await.ok();
        assert_eq!(answer(sync).await.header("preference-applied"), "", "{sentence}");
        let shown = control_plane.get(&path).await.ok();
        assert_eq!(
            (&shown["restarts"], &shown["labels"]["rack"]),
            (&newer["restarts"], &json!("1")),
            "{sentence}"
        );
        first = newer;
    }
}

#[tokio::test]
async fn whoever_waits_counts_as_heard() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let sync = waiting(&control_plane, &key, said("host-1", "1.0.0"));
    until("it waits", &control_plane, 1).await;
    control_plane.wait_ms(29_000);
    let path = format!("/api/v1/executors/{id}");
    // What is new for it is also when it is heard; without, its beat does the same.
    control_plane.patch(&path, json!({"labels": {"ring": "canary"}})).await.ok();
    let heard = control_plane.app.clock.now().to_string();
    let noted = async {
        while control_plane.get(&path).await.ok()["lastSeenAt"] != heard.as_str() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noted).await.expect("it is heard while it waits");
    sync.abort();
    until("who hangs up does not wait", &control_plane, 0).await;
}

#[tokio::test]
async fn whoever_is_revoked_suspended_or_deleted_while_it_waits_is_refused() {
    let control_plane = ControlPlane::start().await;
    let (key, _) = control_plane.executor("host-1", "1.0.0").await;
    let sync = waiting(&control_plane, &key, said("host-1", "1.0.0"));
    until("it waits", &control_plane, 1).await;
    let keys = control_plane.get("/api/v1/executor-keys").await.ok();
    let key_id = keys["items"][0]["id"].as_str().unwrap().to_owned();
    control_plane.delete(&format!("/api/v1/executor-keys/{key_id}?reason=lost")).await.ok();
    assert_eq!(answer(sync).await.problem(), (401, "invalid_api_key".to_owned()));

    let (key, id) = control_plane.executor("host-2", "1.0.0").await;
    let sync = waiting(&control_plane, &key, said("host-2", "1.0.0"));
    until("it waits", &control_plane, 1).await;
    control_plane.delete(&format!("/api/v1/executors/{id}?reason=gone")).await.ok();
    let deleted = answer(sync).await;
    let plain = control_plane.sync(&key, said("host-2", "1.0.0")).await;
    assert_eq!(deleted.status, plain.status, "as if it had come a moment later");

    let (account, owner) = control_plane.account("other").await;
    let made = control_plane.as_person(Method::POST, "/api/v1/executor-keys", &owner.token, json!({})).await;
    let key = made.ok()["secret"].as_str().unwrap().to_owned();
    control_plane.sync(&key, said("host-3", "1.0.0")).await.ok();
    let sync = waiting(&control_plane, &key, said("host-3", "1.0.0"));
    until("it waits", &control_plane, 1).await;
    let path = format!("/api/v1/accounts/{account}/suspend");
    control_plane.post(&path, json!({"reason": "unpaid"})).await.ok();
    assert_eq!(answer(sync).await.problem(), (403, "account_suspended".to_owned()));
}

#[tokio::test]
async fn a_second_sync_of_the_same_executor_ends_the_first() {
    let control_plane = ControlPlane::start().await;
    let (key, _) = control_plane.executor("host-1", "1.0.0").await;
    let first = waiting(&control_plane, &key, said("host-1", "1.0.0"));
    until("it waits", &control_plane, 1).await;
    let second = waiting(&control_plane, &key, said("host-1", "1.0.0"));
    let ended = answer(first).await;
    assert_eq!((ended.status.as_u16(), ended.header("preference-applied")), (200, ""));
    until("the second waits", &control_plane, 1).await;
    control_plane.app.ending.cancel();
    let ended = answer(second).await;
    assert_eq!((ended.status.as_u16(), ended.header("preference-applied")), (200, ""), "a server that ends");
}
