//! The way back.

use super::*;

#[tokio::test]
async fn the_executors_of_a_failed_wave_go_back_and_nobody_else_does() {
    let mut scene = Scene::with(&[("a", 1), ("b", 3), ("c", 1)]).await;
    let rolling = json!({"rollbackOnFailure": true, "maxInFlight": 1});
    scene.apply(json!([wave("a", json!({})), wave("b", rolling), wave("c", json!({}))])).await;
    scene.everybody_succeeds().await;
    scene.wait_s(70, &[]).await;
    let first = scene.all_sync().await.remove(0);
    scene.succeed(&first).await;
    let second = scene.all_sync().await.remove(0);
    scene.fail(&second).await;
    assert_eq!(scene.stands().await, "rollingBack passed rollingBack pending");
    assert_eq!(
        scene.all_sync().await,
        std::slice::from_ref(&first),
        "only who went forward is asked to go back"
    );
    let pending = scene.sync(scene.index(&first)).await;
    assert_eq!((&pending["targetVersion"], &pending["direction"]), (&json!("1.0.0"), &json!("downgrade")));
    scene.succeed(&first).await;
    assert_eq!(scene.stands().await, "halted passed rolledBack pending");
    let mut expected = vec!["a-0 completed".to_owned()];
    for name in ["b-0", "b-1", "b-2"] {
        let outcome = match name {
            _ if name == first => "rolledBack",
            _ if name == second => "failed",
            _ => "waiting",
        };
        expected.push(format!("{name} {outcome}"));
    }
    assert_eq!(scene.outcomes().await, expected);

    scene.steer("rollback", json!({"reason": "all of it"})).await.ok();
    scene.everybody_succeeds().await;
    assert_eq!(scene.stands().await, "rolledBack rolledBack rolledBack rolledBack");
    assert!(versions(&scene).iter().all(|version| *version == "1.0.0"));
    let over = scene.steer("rollback", json!({"reason": "again"})).await;
    assert_eq!(over.problem(), (409, "plan_not_running".to_owned()));
}

#[tokio::test]
async fn a_rollback_leaves_alone_what_somebody_else_has_changed_since() {
    let mut scene = Scene::with(&[("a", 3)]).await;
    scene.control_plane.publish("1.2.0").await;
    scene.apply(json!([wave("a", json!({"maxInFlight": 3}))])).await;
    scene.everybody_succeeds().await;
    let listed = scene.control_plane.get("/api/v1/executors?name=a-1").await.ok();
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    scene.control_plane.request(&id, "1.2.0").await.ok();
    scene.succeed("a-1").await;
    scene.steer("rollback", json!({"reason": "no good"})).await.ok();
    scene.everybody_succeeds().await;
    assert_eq!(versions(&scene), ["1.0.0", "1.2.0", "1.0.0"]);
    assert_eq!(scene.stands().await, "rolledBack rolledBack");
}

#[tokio::test]
async fn what_is_in_hand_when_a_plan_is_rolled_back_is_steered_back() {
    let mut scene = Scene::with(&[("a", 2)]).await;
    scene.apply(json!([wave("a", json!({"maxInFlight": 2}))])).await;
    scene.report(0, "CHECK_HEALTH", "UNDERWAY").await;
    scene.steer("rollback", json!({"reason": "no good"})).await.ok();
    assert_eq!(scene.sync(0).await["intent"], "rollback");
    assert!(scene.sync(1).await.is_null(), "it had not begun");
    scene.report(0, "ROLLEDBACK", "ROLLEDBACK").await;
    scene.tick().await;
    assert_eq!(scene.outcomes().await, ["a-0 rolledBack", "a-1 waiting"]);
    assert_eq!(scene.stands().await, "rolledBack rolledBack");
    scene.everybody_succeeds().await;
    assert_eq!(versions(&scene), ["1.0.0", "1.0.0"]);
}
