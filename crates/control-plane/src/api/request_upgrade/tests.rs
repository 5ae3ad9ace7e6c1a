use std::collections::BTreeMap;

use crate::in_process::{ControlPlane, reported, said};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_requests_at_once_exactly_one_is_taken() {
    let control_plane = std::sync::Arc::new(ControlPlane::start().await);
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let requests: Vec<_> = (0..1_000)
        .map(|_| {
            let (control_plane, id) = (std::sync::Arc::clone(&control_plane), id.clone());
            tokio::spawn(async move { control_plane.request(&id, "1.1.0").await.problem() })
        })
        .collect();
    let mut answers = BTreeMap::new();
    for request in requests {
        *answers.entry(request.await.unwrap()).or_insert(0) += 1;
    }
    let expected =
        BTreeMap::from([((201, String::new()), 1), ((409, "upgrade_already_pending".to_owned()), 999)]);
    assert_eq!(answers, expected);
    let listed = control_plane.get("/api/v1/upgrades").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_request_while_one_is_open_is_refused_and_names_it() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let asked = control_plane.request(&id, "1.1.0").await.ok();
    let control_plane = control_plane.restart().await;
    let refused = control_plane.request(&id, "1.1.0").await;
    assert_eq!(refused.problem(), (409, "upgrade_already_pending".to_owned()));
    assert_eq!(refused.json()["error"]["details"]["upgradeId"], asked["id"]);
    let executor = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
    assert_eq!(executor["pendingUpgradeId"], asked["id"]);
    let deleted = control_plane.delete(&format!("/api/v1/executors/{id}")).await;
    assert_eq!(deleted.problem(), (409, "upgrade_already_pending".to_owned()));
}

#[tokio::test]
async fn a_request_is_refused_with_the_reason() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.5.0").await;
    control_plane.publish("2.0.0").await;
    control_plane.publish("3.0.0").await;
    control_plane.draft("1.6.0", b"draft").await;
    let beta = control_plane.draft("1.7.0", b"beta").await["id"].as_str().unwrap().to_owned();
    let patch = json!({"channel": "beta", "status": "published"});
    control_plane.patch(&format!("/api/v1/releases/{beta}"), patch).await.ok();
    for (sentence, version, expected, part) in [
        ("there is none", "9.9.9", (404, "release_not_found"), "9.9.9"),
        ("it is a draft", "1.6.0", (404, "release_not_found"), "published"),
        ("it is on a wider channel", "1.7.0", (404, "release_not_found"), "channel"),
        ("it runs already", "1.5.0", (409, "already_there"), "runs 1.5.0 already"),
        ("it is two majors away", "3.0.0", (409, "release_unreachable"), "requires upgrade to 2.x first"),
    ] {
        let refused = control_plane.request(&id, version).await;
        assert_eq!(refused.problem(), (expected.0, expected.1.to_owned()), "{sentence}");
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{sentence}: {message}");
    }
    let path = format!("/api/v1/executors/{id}/upgrade");
    for bad in [
        json!({"targetVersion": "2.0.0", "healthWindowMs": 999}),
        json!({"targetVersion": "2.0.0", "healthWindowMs": 86_400_001}),
        json!({"targetVersion": "2.0.0", "scheduledAt": "9999-12-30T00:00:00Z", "force": true}),
        json!({"targetVersion": "2.0.0", "description": "x".repeat(4_097)}),
        json!({"targetVersion": "two"}),
        json!({}),
    ] {
        let refused = control_plane.post(&path, bad.clone()).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
    }
    control_plane.wait_ms(30_000);
    assert_eq!(control_plane.request(&id, "2.0.0").await.problem(), (409, "executor_offline".to_owned()));
}

#[tokio::test]
async fn what_is_offered_to_an_executor_depends_on_its_target_and_version() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.5.0").await;
    for version in ["1.4.0", "2.0.0", "3.0.0"] {
        control_plane.publish(version).await;
    }
    let shown = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
    let ups = shown["availableUpgrades"].as_array().unwrap();
    assert_eq!(
        (ups[0]["version"].as_str(), ups[0]["allowedAsDirectTarget"].as_bool()),
        (Some("2.0.0"), Some(true))
    );
    assert_eq!(
        (ups[1]["version"].as_str(), ups[1]["reason"].as_str()),
        (Some("3.0.0"), Some("requires upgrade to 2.x first"))
    );
    assert_eq!(shown["availableDowngrades"][0]["version"], "1.4.0");
    let down = control_plane.request(&id, "1.4.0").await.ok();
    assert_eq!(down["direction"], "downgrade");

    let mut elsewhere = said("host-1", "1.5.0");
    elsewhere["target"] = json!("aarch64-unknown-linux-musl");
    control_plane.sync(&key, elsewhere).await.ok();
    let shown = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
    assert_eq!((&shown["availableUpgrades"], &shown["availableDowngrades"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_scheduled_upgrade_is_offered_when_it_is_due() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let due = control_plane.app.clock.now() + jiff::SignedDuration::from_secs(3_600);
    let body = json!({"targetVersion": "1.1.0", "scheduledAt": due.to_string(), "confirm": "manual", "healthWindowMs": 1_000});
    let asked = control_plane.post(&format!("/api/v1/executors/{id}/upgrade"), body).await.ok();
    assert_eq!(asked["expiresAt"], (due + jiff::SignedDuration::from_secs(900)).to_string());
    control_plane.wait_ms(3_599_999);
    control_plane.app.tick().await.unwrap();
    let early = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
    assert_eq!(early["pendingUpgrade"], json!(null));
    control_plane.wait_ms(1);
    control_plane.app.tick().await.unwrap();
    let offered = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok()["pendingUpgrade"].clone();
    assert_eq!(
        (offered["confirm"].as_str(), offered["healthWindowMs"].as_u64()),
        (Some("manual"), Some(1_000))
    );
}

#[tokio::test]
async fn what_is_not_picked_up_lapses_and_can_be_requested_again() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let first = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    control_plane.wait_ms(900_000);
    let late = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
    assert_eq!(late["pendingUpgrade"], json!(null), "not even before the tick");
    control_plane.app.tick().await.unwrap();
    let lapsed = control_plane.get(&format!("/api/v1/upgrades/{first}")).await.ok();
    assert_eq!(
        (lapsed["stage"].as_str(), lapsed["error"]["code"].as_str()),
        (Some("FAILED"), Some("lapsed"))
    );

    let second = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let answer =
        control_plane.sync(&key, reported("host-1", "1.1.0", &first, "COMPLETED", "COMPLETED")).await.ok();
    assert_eq!(answer["pendingUpgrade"]["upgradeId"], second);
    let late = control_plane.get(&format!("/api/v1/upgrades/{first}")).await.ok();
    assert_eq!(
        (late["state"].as_str(), &late["error"]),
        (Some("completed"), &json!(null)),
        "a late success wins"
    );
}

#[tokio::test]
async fn what_was_picked_up_does_not_lapse_while_its_bytes_flow() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let mut report = reported("host-1", "1.0.0", &asked, "DOWNLOAD", "UNDERWAY");
    for bytes in 1..20 {
        report["upgrade"]["bytesDone"] = json!(bytes);
        control_plane.sync(&key, report.clone()).await.ok();
        control_plane.wait_ms(900_000);
        control_plane.app.tick().await.unwrap();
    }
    let answer = control_plane.sync(&key, report.clone()).await.ok();
    assert_eq!(answer["pendingUpgrade"]["upgradeId"], asked);
    let control_plane = control_plane.restart().await;
    control_plane.wait_ms(900_000);
    control_plane.app.tick().await.unwrap();
    let answer = control_plane.sync(&key, report).await.ok();
    assert_eq!(answer["pendingUpgrade"]["upgradeId"], asked, "who was down has heard nobody");
}

#[tokio::test]
async fn an_upgrade_that_stands_still_times_out_at_its_last_stage_and_a_late_success_wins() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    for stage in ["PREFLIGHT", "DOWNLOAD", "VERIFY", "SWAP", "RESTART", "CHECK_HEALTH", "CONFIRM_COMPLETION"]
    {
        let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        let stuck = reported("host-1", "1.0.0", &asked, stage, "UNDERWAY");
        for _ in 0..2 {
            control_plane.sync(&key, stuck.clone()).await.ok();
            control_plane.wait_ms(139_000);
            control_plane.app.tick().await.unwrap();
        }
        let path = format!("/api/v1/upgrades/{asked}");
        // Nearly at the shortest of the limits: syncs that bring no news do not lengthen it.
        assert_eq!(control_plane.get(&path).await.ok()["endedAt"], json!(null), "{stage}");
        control_plane.wait_ms(662_000);
        control_plane.app.tick().await.unwrap();
        let shown = control_plane.get(&path).await.ok();
        assert_eq!(
            (shown["state"].as_str(), shown["error"]["code"].as_str(), shown["error"]["stage"].as_str()),
            (Some("error"), Some("timed_out"), Some(stage))
        );
        let answer = control_plane.sync(&key, stuck).await.ok();
        assert_eq!(answer["pendingUpgrade"], json!(null), "{stage}");
        let next = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        let end = reported("host-1", "1.0.0", &asked, "COMPLETED", "COMPLETED");
        let answer = control_plane.sync(&key, end).await.ok();
        assert_eq!(answer["pendingUpgrade"]["upgradeId"], next, "{stage}");
        let shown = control_plane.get(&path).await.ok();
        assert_eq!((shown["state"].as_str(), &shown["error"]), (Some("completed"), &json!(null)), "{stage}");
        control_plane.sync(&key, reported("host-1", "1.0.0", &next, "ABANDONED", "COMPLETED")).await.ok();
    }
}

#[tokio::test]
async fn from_every_end_a_new_request_is_possible() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    for (stage, status, state) in [
        ("ROLLEDBACK", "ROLLEDBACK", "error"),
        ("FAILED", "FAILED", "error"),
        ("ABANDONED", "COMPLETED", "error"),
        ("VERIFY", "FAILED", "error"),
        ("COMPLETED", "COMPLETED", "completed"),
    ] {
        let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        let mut report = reported("host-1", "1.0.0", &asked, stage, status);
        report["upgrade"]["error"] = json!({
            "code": "from_a_newer_agent", "stage": "VERIFY", "message": "<i>", "timestamp": "2026-01-01T00:00:00Z",
        });
        let answer = control_plane.sync(&key, report).await.ok();
        assert_eq!(answer["pendingUpgrade"], json!(null), "{stage}");
        let shown = control_plane.get(&format!("/api/v1/upgrades/{asked}")).await.ok();
        assert_eq!((shown["state"].as_str(), shown["error"]["message"].as_str()), (Some(state), Some("<i>")));
    }
    for code in ["lapsed", "timed_out"] {
        let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        if code == "timed_out" {
            let report = reported("host-1", "1.0.0", &asked, "DOWNLOAD", "UNDERWAY");
            control_plane.sync(&key, report).await.ok();
        }
        control_plane.wait_ms(1_000_000);
        control_plane.app.tick().await.unwrap();
        let shown = control_plane.get(&format!("/api/v1/upgrades/{asked}")).await.ok();
        assert_eq!((shown["state"].as_str(), shown["error"]["code"].as_str()), (Some("error"), Some(code)));
        control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
    }
    control_plane.request(&id, "1.1.0").await.ok();
}
