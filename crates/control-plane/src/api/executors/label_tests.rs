//! Labels that people give.

use novacula_protocol::people::{PlanState, WaveState};
use serde_json::{Value, json};

use crate::in_process::{ControlPlane, said};
use crate::store::plan_bench::document;

const PROBE: &str = "<b>\"'; DROP TABLE executors; --</b>";
const NOBODY: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";

fn host(labels: &Value) -> Value {
    let mut said = said("host-1", "1.0.0");
    said["labels"] = labels.clone();
    said
}

async fn labelled(control_plane: &ControlPlane, labels: &Value) -> (String, String) {
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.sync(&key, host(labels)).await.ok();
    (key, format!("/api/v1/executors/{id}"))
}

#[tokio::test]
async fn labels_by_people_stand_over_those_of_the_host_wherever_labels_count() {
    let control_plane = ControlPlane::start().await;
    let of_host = json!({"ring": "prod", "rack": "1"});
    let (key, path) = labelled(&control_plane, &of_host).await;
    let effective = json!({"ring": "canary", "rack": "1", "site": PROBE});
    let asked = json!({"labels": {"ring": "canary", "site": PROBE}, "reason": "it has a spare"});
    let patched = control_plane.patch(&path, asked).await.ok();
    assert_eq!(patched["labels"], effective);
    assert_eq!(patched["hostLabels"], of_host);
    assert_eq!(patched["labelsByPeople"], json!({"ring": "canary", "site": PROBE}));
    assert_eq!(control_plane.get(&path).await.ok(), patched);

    let listed = control_plane.get("/api/v1/executors?label=ring%3Dcanary").await.ok();
    assert_eq!(listed["items"][0]["labels"], effective);
    assert_eq!(listed["items"][0]["hostLabels"], Value::Null, "a list tells what counts");
    assert_eq!(control_plane.get("/api/v1/executors?label=ring%3Dprod").await.ok()["items"], json!([]));
    let freeze = json!({
        "reason": "audit", "endsAt": "2026-12-24T00:00:00Z", "selector": {"matchLabels": {"ring": "canary"}},
    });
    control_plane.post("/api/v1/freezes", freeze).await.ok();
    assert_eq!(control_plane.get(&format!("{path}/windows")).await.ok()["isOpen"], false);
    control_plane.publish("1.1.0").await;
    let batch = "/api/v1/releases/agent/batch-upgrade?targetVersion=1.1.0";
    let nobody = control_plane.post(batch, json!({"labels": {"ring": "prod"}})).await;
    assert_eq!(nobody.problem(), (400, "invalid_request".to_owned()));
    control_plane.post(batch, json!({"labels": {"ring": "canary"}})).await.ok();

    let before = control_plane.app.store.commits();
    control_plane.sync(&key, host(&of_host)).await.ok();
    assert_eq!(control_plane.app.store.commits(), before, "a host that says nothing new writes nothing");
    control_plane.sync(&key, host(&json!({"ring": "test"}))).await.ok();
    let control_plane = control_plane.restart().await;
    let shown = control_plane.get(&path).await.ok();
    assert_eq!(shown["labels"], json!({"ring": "canary", "site": PROBE}), "also in a new process");
    assert_eq!(shown["hostLabels"], json!({"ring": "test"}));
    let back = control_plane.patch(&path, json!({"labels": {"ring": null, "site": null}})).await.ok();
    assert_eq!((&back["labels"], &back["labelsByPeople"]), (&json!({"ring": "test"}), &json!({})));
}

#[tokio::test]
async fn the_activity_tells_of_labels_that_changed_and_of_no_others() {
    let control_plane = ControlPlane::start().await;
    let (_key, path) = labelled(&control_plane, &json!({"ring": "prod"})).await;
    let asked = json!({"labels": {"ring": "canary"}, "reason": "it has a spare"});
    control_plane.patch(&path, asked.clone()).await.ok();
    let before = control_plane.app.store.commits();
    for nothing_new in [asked, json!({}), json!({"labels": {"rack": null}})] {
        control_plane.patch(&path, nothing_new).await.ok();
    }
    assert_eq!(control_plane.app.store.commits(), before);
    let told = control_plane.get("/api/v1/activity?action=executor.labelsChanged").await.ok();
    let told = told["items"].as_array().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["name"], &told[0]["actor"], &told[0]["reason"]),
        (&json!("host-1"), &json!("owner"), &json!("it has a spare"))
    );
    assert_eq!(told[0]["before"], json!({"labels": {"ring": "prod"}, "labelsByPeople": {}}));
    assert_eq!(told[0]["after"], json!({"labels": {"ring": "canary"}, "labelsByPeople": {"ring": "canary"}}));
    assert_eq!(control_plane.get("/api/v1/activity/verify").await.ok()["intact"], true);
}

#[tokio::test]
async fn labels_that_cannot_be_meant_are_refused_and_change_nothing() {
    let control_plane = ControlPlane::start().await;
    let many = |count: usize| -> Value { (0..count).map(|n| (format!("h{n}"), json!(""))).collect() };
    let (_key, path) = labelled(&control_plane, &many(64)).await;
    let before = control_plane.get(&path).await.ok();
    for (bad, said) in [
        (json!({"labels": {"": "x"}}), "key must have 1 to 63"),
        (json!({"labels": {"x".repeat(64): "x"}}), "it has 64"),
        (json!({"labels": {"h1": "x".repeat(257)}}), "it has 257"),
        (json!({"labels": {"h1": "a\u{1b}[2J"}}), "U+001B"),
        (json!({"labels": {"one more": "x"}}), "at most 64, there are 65"),
        (json!({"labels": {"h1": 1}}), "labels.h1"),
        (json!({"labels": ["h1"]}), "labels"),
        (json!({"lables": {}}), "lables"),
        (json!({"reason": "x".repeat(1_025)}), "1024"),
    ] {
        let refused = control_plane.patch(&path, bad.clone()).await;
        let sentence = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(refused.problem() == (400, "invalid_request".to_owned()), "{bad}: {sentence}");
        assert!(sentence.contains(said), "{bad}: {sentence}");
    }
    let refused = control_plane.patch(&path, json!({"reason": " "})).await;
    assert_eq!(refused.problem(), (400, "reason_required".to_owned()));
    assert_eq!(control_plane.get(&path).await.ok(), before);
    control_plane.patch(&path, json!({"labels": {"h1": "x"}})).await.ok();
    for nobody in [NOBODY, "x"] {
        let path = format!("/api/v1/executors/{nobody}");
        let missing = control_plane.patch(&path, json!({"labels": {"a": "b"}})).await;
        assert_eq!(missing.problem(), (404, "not_found".to_owned()));
    }
}

#[tokio::test]
async fn a_label_never_moves_an_executor_out_of_a_wave_that_has_begun() {
    let control_plane = ControlPlane::start().await;
    let (_key, path) = labelled(&control_plane, &json!({"ring": "canary"})).await;
    let wave = |ring: &str| json!({"name": ring, "clusterSelector": {"matchLabels": {"ring": ring}}});
    let document = document(PROBE, &json!([wave("canary"), wave("standard")]));
    let (store, now) = (&control_plane.app.store, control_plane.app.clock.now());
    let (account, ended) = (control_plane.account_id().await, control_plane.app.clock.new_id());
    store.put_plan(account, ended, document.clone(), now).await;
    store.put_plan_state(ended, PlanState::Completed, "", now).await;
    store.put_plan(account, NOBODY.parse().unwrap(), document, now).await;
    let standing = async || control_plane.get(&path).await.ok()["plans"].clone();
    let plans = standing().await;
    assert_eq!(plans.as_array().unwrap().len(), 1, "a plan that has ended is not shown: {plans}");
    assert_eq!(
        (&plans[0]["planId"], &plans[0]["planName"], &plans[0]["wave"], &plans[0]["waveByLabels"]),
        (&json!(NOBODY), &json!(PROBE), &Value::Null, &json!("canary"))
    );
    store.put_wave(NOBODY.parse().unwrap(), 0, WaveState::Running, "", None).await;
    let member = "INSERT INTO plan_members
        SELECT plans.id, executors.id, 'host-1', 0, 1, TRUE, 'held', 'audit', '1.0.0', 0, NULL FROM plans, executors";
    store.put(member).await;
    let asked = json!({"labels": {"ring": "standard"}});
    let patched = control_plane.patch(&path, asked).await.ok();
    let expected = json!([{
        "planId": NOBODY, "planName": PROBE, "wave": "canary", "waveByLabels": "standard", "outcome": "held",
        "reason": "audit; it stays in wave `canary`, whose members were fixed when it began; by its labels of today it \
                   would be in wave `standard`",
    }]);
    assert_eq!(patched["plans"], expected);
    assert_eq!(standing().await, expected);
}
