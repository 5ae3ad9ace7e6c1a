//! What a plan brings along for its upgrades, there and back.

use super::*;

/// A plan that says more than its waves.
async fn apply_with(scene: &Scene, more: Value, waves: Value) {
    let mut whole = document("monthly", waves);
    whole["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    scene.control_plane.post("/api/v1/fleet/plans", whole).await.ok();
}

#[tokio::test]
async fn a_plan_says_how_long_its_version_must_stay_up_on_a_host() {
    for (more, expected) in [(json!({"healthWindow": "90s"}), 90_000), (json!({}), 60_000)] {
        let scene = Scene::with(&[("a", 1)]).await;
        apply_with(&scene, more, json!([wave("a", json!({}))])).await;
        assert_eq!(scene.sync(0).await["healthWindowMs"], expected);
    }
}

#[tokio::test]
async fn whoever_applies_a_plan_says_once_for_all_that_prerequisites_are_done() {
    let scene = Scene::with(&[("a", 2)]).await;
    let draft = scene.control_plane.draft("1.2.0", b"x").await["id"].as_str().unwrap().to_owned();
    let steps = json!({"prerequisites": ["take a backup"], "status": "published"});
    scene.control_plane.patch(&format!("/api/v1/releases/{draft}"), steps).await.ok();
    let more = json!({"targetVersion": "1.2.0", "prerequisitesAcknowledged": true});
    apply_with(&scene, more, json!([wave("a", json!({"maxInFlight": 2}))])).await;
    assert_eq!(scene.all_sync().await.len(), 2, "nobody waits for a person at each host");
    let id = scene.sync(0).await["upgradeId"].as_str().unwrap().to_owned();
    let steps = scene.control_plane.get(&format!("/api/v1/upgrades/{id}/steps")).await.ok();
    assert_eq!(steps["prerequisites"][0]["acknowledgedBy"], "owner");
}

#[tokio::test]
async fn a_plan_goes_over_the_versions_in_between_and_back_over_them() {
    let mut scene = Scene::with(&[("a", 1)]).await;
    for version in ["2.0.0", "3.0.0"] {
        scene.control_plane.publish(version).await;
    }
    apply_with(&scene, json!({"targetVersion": "3.0.0"}), json!([wave("a", json!({}))])).await;
    let plan = scene.plan().await["id"].clone();
    scene.succeed("a-0").await;
    assert_eq!((versions(&scene), scene.outcomes().await), (vec!["2.0.0"], vec!["a-0 started".to_owned()]));
    scene.succeed("a-0").await;
    assert_eq!((versions(&scene), scene.outcomes().await), (vec!["3.0.0"], vec!["a-0 completed".to_owned()]));
    scene.steer("rollback", json!({"reason": "no good"})).await.ok();
    scene.everybody_succeeds().await;
    assert_eq!((versions(&scene), scene.stands().await), (vec!["1.0.0"], "rolledBack rolledBack".to_owned()));
    let upgrades = scene.control_plane.get("/api/v1/upgrades").await.ok();
    let of: Vec<_> = upgrades["items"].as_array().unwrap().iter().map(|it| &it["planId"]).collect();
    assert_eq!(of, [&plan; 4], "each hop is the plan's, there and back");
}

#[tokio::test]
async fn nothing_of_a_wave_begins_outside_its_window() {
    let scene = Scene::with(&[("a", 1)]).await;
    let opens: jiff::Timestamp = "2026-09-21T22:00:00Z".parse().unwrap();
    let window = json!({"window": {"cron": "0 22 * * *", "duration": "1h", "zone": "UTC"}});
    scene.apply(json!([wave("a", window)])).await;
    let until = async |at: jiff::Timestamp| {
        let now = scene.control_plane.app.clock.now();
        scene.control_plane.wait_ms(at.as_millisecond() - now.as_millisecond());
        scene.all_sync().await;
        scene.tick().await;
        !scene.sync(0).await.is_null()
    };
    assert!(!until(opens - jiff::SignedDuration::from_secs(1)).await, "it is closed yet");
    let reason = scene.plan().await["waves"][0]["reason"].clone();
    assert!(reason.as_str().unwrap().contains("opens at 2026-09-21T22:00:00Z"), "{reason}");
    assert!(until(opens).await, "it is open");
    assert!(!until(opens + jiff::SignedDuration::from_hours(1)).await, "it is closed, and nothing had begun");
}

#[tokio::test]
async fn a_rollback_keeps_the_cap_and_waits_for_no_freeze() {
    let mut scene = Scene::with(&[("a", 3)]).await;
    scene.apply(json!([wave("a", json!({}))])).await;
    scene.everybody_succeeds().await;
    let freeze = json!({"reason": "year end", "startsAt": scene.control_plane.app.clock.now(),
        "endsAt": "2026-12-01T00:00:00Z", "zone": "UTC"});
    scene.control_plane.post("/api/v1/freezes", freeze).await.ok();
    scene.steer("rollback", json!({"reason": "no good"})).await.ok();
    for _ in 0..2 {
        assert_eq!(scene.all_sync().await.len(), 1, "one at once, and at once");
        scene.tick().await;
    }
    scene.everybody_succeeds().await;
    assert_eq!(versions(&scene), ["1.0.0"; 3]);
}
