use axum::http::Method;
use serde_json::{Value, json};

use crate::in_process::{ControlPlane, OWNER, reported};

const PATH: &str = "/api/v1/upgrades/attention";

/// Which needs there are, how often, and whose upgrades they are.
async fn needs(control_plane: &ControlPlane) -> Vec<(String, u64, Vec<String>)> {
    let all = control_plane.get(PATH).await.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |group: &Value| {
        let names =
            group["upgrades"].as_array().unwrap().iter().map(|it| text(&it["executorName"])).collect();
        (text(&group["need"]), group["count"].as_u64().unwrap(), names)
    };
    all.as_array().unwrap().iter().map(one).collect()
}

fn need(need: &str, names: &[&str]) -> (String, u64, Vec<String>) {
    (need.to_owned(), names.len() as u64, names.iter().map(|name| (*name).to_owned()).collect())
}

/// An upgrade of a new executor: its key and the id of the upgrade.
async fn asked(control_plane: &ControlPlane, name: &str, version: &str, extra: Value) -> (String, String) {
    let (key, id) = control_plane.executor(name, "1.0.0").await;
    let mut body = json!({"targetVersion": version});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let upgrade = control_plane.post(&format!("/api/v1/executors/{id}/upgrade"), body).await.ok();
    (key, upgrade["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_upgrade_that_only_a_person_can_move_on_says_what_it_needs() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    let release = control_plane.draft("1.2.0", b"x").await["id"].as_str().unwrap().to_owned();
    let steps = json!({"prerequisites": ["look"], "status": "published"});
    control_plane.patch(&format!("/api/v1/releases/{release}"), steps).await.ok();
    assert_eq!(needs(&control_plane).await, []);

    asked(&control_plane, "offered", "1.1.0", json!({})).await;
    asked(&control_plane, "later", "1.1.0", json!({"scheduledAt": "2026-12-24T00:00:00Z"})).await;
    asked(&control_plane, "steps", "1.2.0", json!({})).await;
    let (_, start) = asked(&control_plane, "start", "1.1.0", json!({"confirmStart": "manual"})).await;
    let (_, paused) = asked(&control_plane, "paused", "1.1.0", json!({"confirmStart": "manual"})).await;
    control_plane.post(&format!("/api/v1/upgrades/{paused}/pause"), json!({"reason": "wait"})).await.ok();
    let (midway_key, midway) = asked(&control_plane, "midway", "1.1.0", json!({})).await;
    let doing = |status| reported("midway", "1.0.0", &midway, "DOWNLOAD", status);
    control_plane.sync(&midway_key, doing("UNDERWAY")).await.ok();
    control_plane.post(&format!("/api/v1/upgrades/{midway}/pause"), json!({"reason": "wait"})).await.ok();
    assert!(needs(&control_plane).await.iter().all(|(_, _, names)| !names.contains(&"midway".to_owned())));
    control_plane.sync(&midway_key, doing("PAUSED")).await.ok();
    let (key, complete) = asked(&control_plane, "complete", "1.1.0", json!({"confirm": "manual"})).await;
    let stands = reported("complete", "1.1.0", &complete, "CONFIRM_COMPLETION", "UNDERWAY");
    control_plane.sync(&key, stands).await.ok();
    let channels = json!({"channels": ["stable"]}).to_string();
    control_plane.call(Method::PUT, "/api/v1/four-eyes", OWNER, channels).await.ok();
    asked(&control_plane, "approve", "1.1.0", json!({"confirmStart": "manual"})).await;
    assert_eq!(
        needs(&control_plane).await,
        [
            need("completion", &["complete"]),
            need("approval", &["approve"]),
            need("prerequisites", &["steps"]),
            need("start", &["start"]),
            need("paused", &["midway", "paused"]),
        ]
    );
    let told = control_plane.get(PATH).await.ok();
    assert_eq!(
        told[0]["upgrades"][0]["reason"],
        "it runs 1.1.0; a person has to complete it or roll it back"
    );

    control_plane.post(&format!("/api/v1/upgrades/{start}/start"), json!({})).await.ok();
    control_plane.post(&format!("/api/v1/upgrades/{complete}/complete"), json!({})).await.ok();
    let left: Vec<String> = needs(&control_plane).await.into_iter().map(|(need, ..)| need).collect();
    assert_eq!(left, ["approval", "prerequisites", "paused"], "who was answered is not asked again");
}

#[tokio::test]
async fn what_ended_badly_is_news_for_a_day_unless_somebody_has_asked_for_more() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    for (name, stage) in
        [("bad", "FAILED"), ("back", "ROLLEDBACK"), ("again", "FAILED"), ("good", "COMPLETED")]
    {
        let (key, upgrade) = asked(&control_plane, name, "1.1.0", json!({})).await;
        control_plane.sync(&key, reported(name, "1.0.0", &upgrade, stage, "FAILED")).await.ok();
    }
    assert_eq!(
        needs(&control_plane).await,
        [need("failed", &["again", "bad"]), need("rolledBack", &["back"])]
    );
    let found = control_plane.get("/api/v1/executors?name=again").await.ok();
    control_plane.request(found["items"][0]["id"].as_str().unwrap(), "1.1.0").await.ok();
    assert_eq!(needs(&control_plane).await, [need("failed", &["bad"]), need("rolledBack", &["back"])]);
    control_plane.wait_ms(86_400_000);
    let names: Vec<String> = needs(&control_plane).await.into_iter().map(|(need, ..)| need).collect();
    assert_eq!(names, ["failed", "rolledBack"], "to the last moment");
    control_plane.wait_ms(1);
    assert!(needs(&control_plane).await.is_empty());
}

#[tokio::test]
async fn of_very_many_the_newest_are_named_and_all_are_counted() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    for n in 0..23 {
        control_plane.wait_ms(1_000);
        asked(&control_plane, &format!("host-{n}"), "1.1.0", json!({"confirmStart": "manual"})).await;
    }
    let all = needs(&control_plane).await;
    let (need, count, names) = &all[0];
    assert_eq!((need.as_str(), *count, names.len()), ("start", 23, 20));
    assert_eq!((names[0].as_str(), names[19].as_str()), ("host-22", "host-3"));
    let (_, other) = control_plane.account("second").await;
    let seen = control_plane.call(Method::GET, PATH, &other.token, "").await.ok();
    assert_eq!(seen, json!([]), "nothing of another account");
}
