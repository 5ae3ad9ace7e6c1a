use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::in_process::ControlPlane;

const PROBE: &str = "<b>\"'; DROP TABLE freezes; --</b>";

// The clock of a test starts at 2026-09-21T14:13:20Z.
fn a_week() -> Value {
    json!({"reason": PROBE, "endsAt": "2026-09-28T14:13:20Z", "zone": "America/New_York"})
}

async fn is_stopped(control_plane: &ControlPlane, executor: &str) -> bool {
    let shown = control_plane.get(&format!("/api/v1/executors/{executor}/windows")).await.ok();
    !shown["isOpen"].as_bool().unwrap()
}

#[tokio::test]
async fn a_freeze_holds_at_once_and_ends_by_itself_or_with_a_reason() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    let created = control_plane.post("/api/v1/freezes", a_week()).await;
    assert_eq!(created.status, 201);
    let freeze = created.json();
    assert_eq!((&freeze["reason"], &freeze["isInForce"]), (&json!(PROBE), &json!(true)));
    assert_eq!(freeze["startsAt"], "2026-09-21T14:13:20Z");
    assert_eq!(freeze["startsAtLocal"], "2026-09-21T10:13:20-04:00");
    assert_eq!(freeze["endsAtLocal"], "2026-09-28T10:13:20-04:00");
    assert!(is_stopped(&control_plane, &id).await);
    let path = format!("/api/v1/freezes/{}", freeze["id"].as_str().unwrap());
    assert_eq!(control_plane.get(&path).await.ok(), freeze);

    let control_plane = control_plane.restart().await;
    assert!(is_stopped(&control_plane, &id).await, "a new process knows it too");
    assert_eq!(control_plane.delete(&path).await.problem(), (409, "freeze_in_force".to_owned()));
    for (bad, code) in [
        (json!({}), "invalid_request"),
        (json!({"reason": ""}), "reason_required"),
        (json!({"reason": " \n"}), "reason_required"),
        (json!({"reason": "x".repeat(1_025)}), "invalid_request"),
    ] {
        let refused = control_plane.post(&format!("{path}/end"), bad).await;
        assert_eq!(refused.problem(), (400, code.to_owned()));
    }
    assert!(is_stopped(&control_plane, &id).await);
    control_plane.wait_ms(60_000);
    let ended = control_plane.post(&format!("{path}/end"), json!({"reason": PROBE})).await.ok();
    assert_eq!((&ended["endedBy"], &ended["endReason"]), (&json!("owner"), &json!(PROBE)));
    assert_eq!((&ended["endsAt"], &ended["isInForce"]), (&json!("2026-09-21T14:14:20Z"), &json!(false)));
    assert!(!is_stopped(&control_plane, &id).await);
    let again = control_plane.post(&format!("{path}/end"), json!({"reason": "again"})).await;
    assert_eq!(again.problem(), (409, "freeze_not_in_force".to_owned()));
    assert_eq!(control_plane.get("/api/v1/freezes").await.ok()["items"], json!([ended]));

    assert_eq!(control_plane.delete(&path).await.status, 204, "what is over can go");
    assert_eq!(control_plane.delete(&path).await.problem(), (404, "not_found".to_owned()));
    let told = control_plane.get("/api/v1/activity?limit=3").await.ok();
    let told: Vec<_> =
        told["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["reason"])).collect();
    let (created, ended, deleted) = (json!("freeze.created"), json!("freeze.ended"), json!("freeze.deleted"));
    assert_eq!(told, [(&deleted, &json!("")), (&ended, &json!(PROBE)), (&created, &json!(PROBE))]);
}

#[tokio::test]
async fn a_freeze_that_lies_ahead_holds_from_its_start_to_its_end() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    let start = control_plane.app.clock.now() + SignedDuration::from_hours(1);
    let asked =
        json!({"reason": "audit", "startsAt": start, "endsAt": start + SignedDuration::from_hours(1)});
    let path = control_plane.post("/api/v1/freezes", asked.clone()).await.ok();
    let path = format!("/api/v1/freezes/{}", path["id"].as_str().unwrap());
    for (wait_ms, stopped) in [(0, false), (3_599_999, false), (1, true), (3_599_999, true), (1, false)] {
        control_plane.wait_ms(wait_ms);
        assert_eq!(is_stopped(&control_plane, &id).await, stopped, "{wait_ms}");
    }
    assert_eq!(control_plane.get(&path).await.ok()["isInForce"], false);
    let late = control_plane.post("/api/v1/freezes", asked).await;
    assert_eq!(late.problem(), (400, "invalid_request".to_owned()), "one that is over already");
}

#[tokio::test]
async fn a_freeze_without_a_reason_or_without_a_length_is_refused() {
    let control_plane = ControlPlane::start().await;
    for (field, value) in [
        ("reason", json!(null)),
        ("reason", json!("x".repeat(1_025))),
        ("endsAt", json!("2026-09-21T14:13:20Z")),
        ("endsAt", json!("tomorrow")),
        ("startsAt", json!("2026-09-28T14:13:20Z")),
        ("zone", json!("Mars/Olympus")),
        ("zone", json!(PROBE)),
        ("selector", json!({"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]})),
        ("selector", json!({"matchExpressions": [{"key": "a", "operator": "In"}]})),
        ("until", json!("2026-09-28T14:13:20Z")),
    ] {
        let mut asked = a_week();
        asked[field] = value.clone();
        let refused = control_plane.post("/api/v1/freezes", asked).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{field}: {value}");
    }
    for empty in ["", " \t\n"] {
        let mut asked = a_week();
        asked["reason"] = json!(empty);
        let refused = control_plane.post("/api/v1/freezes", asked).await;
        assert_eq!(refused.problem(), (400, "reason_required".to_owned()));
    }
    assert_eq!(control_plane.get("/api/v1/freezes").await.ok()["items"], json!([]));
    let nobody = "/api/v1/freezes/01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";
    assert_eq!(control_plane.get(nobody).await.problem(), (404, "not_found".to_owned()));
    let ended = control_plane.post(&format!("{nobody}/end"), json!({"reason": "x"})).await;
    assert_eq!(ended.problem(), (404, "not_found".to_owned()));
}
