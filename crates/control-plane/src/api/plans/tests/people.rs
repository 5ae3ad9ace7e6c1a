//! Where people come in.

use super::*;

#[tokio::test]
async fn a_manual_gate_waits_for_a_person_with_a_reason() {
    let mut scene = Scene::with(&[("a", 1), ("b", 1)]).await;
    let manual = json!({"validation": {"healthCheckDuration": "60s", "automated": false}});
    scene.apply(json!([wave("a", manual), wave("b", json!({}))])).await;
    let early = scene.steer("approve", json!({"reason": "now"})).await;
    assert_eq!(early.problem(), (409, "approval_not_wanted".to_owned()));
    scene.everybody_succeeds().await;
    scene.wait_s(100, &[]).await;
    assert_eq!(scene.stands().await, "running gate pending");
    let told = scene.control_plane.get("/api/v1/activity?action=plan.approvalWanted").await.ok();
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "it is asked for once");
    for (body, expected) in [
        (json!({}), (400, "invalid_request")),
        (json!({"reason": " "}), (400, "reason_required")),
        (json!({"reason": "x", "wave": "z"}), (404, "not_found")),
        (json!({"reason": "x", "wave": "b"}), (409, "approval_not_wanted")),
    ] {
        let refused = scene.steer("approve", body.clone()).await;
        assert_eq!(refused.problem(), (expected.0, expected.1.to_owned()), "{body}");
    }
    scene.steer("approve", json!({"reason": "a quiet day", "wave": "a"})).await.ok();
    assert_eq!(scene.stands().await, "running passed running");
    let gates = scene.plan().await["waves"][0]["gates"].clone();
    let approval = gates.as_array().unwrap().iter().find(|gate| gate["name"] == "approval").unwrap();
    assert_eq!((&approval["outcome"], &approval["by"]), (&json!("pass"), &json!("owner")));
    assert!(approval["message"].as_str().unwrap().contains("a quiet day"), "{approval}");
}

#[tokio::test]
async fn a_gate_can_be_skipped_with_a_role_and_a_reason() {
    let mut scene = Scene::with(&[("a", 2), ("b", 1)]).await;
    scene.apply(json!([wave("a", json!({"maxInFlight": 2})), wave("b", json!({}))])).await;
    scene.fail("a-0").await;
    assert_eq!(scene.stands().await, "halted halted pending");
    let id = scene.plan().await["id"].as_str().unwrap().to_owned();
    let editor = scene.control_plane.somebody(OWNER, "eve", Role::Editor).await;
    let path = format!("/api/v1/fleet/plans/{id}/skip-gate");
    let body = json!({"wave": "a", "gate": "reconciled", "reason": "that host is broken anyway"});
    let by_editor =
        scene.control_plane.call(axum::http::Method::POST, &path, &editor.token, body.to_string()).await;
    assert_eq!(by_editor.problem(), (403, "forbidden".to_owned()));
    for (wave, gate) in [("z", "reconciled"), ("a", "none")] {
        let body = json!({"wave": wave, "gate": gate, "reason": "x"});
        assert_eq!(scene.steer("skip-gate", body).await.problem(), (404, "not_found".to_owned()));
    }
    scene.steer("skip-gate", body).await.ok();
    scene.steer("resume", json!({"reason": "go on"})).await.ok();
    scene.tick().await;
    scene.succeed("a-1").await;
    if let Some(again) = scene.all_sync().await.first().cloned() {
        scene.fail(&again).await;
    }
    scene.wait_s(70, &[]).await;
    assert_eq!(scene.stands().await, "running passed running", "its failure holds nobody up any more");
}
