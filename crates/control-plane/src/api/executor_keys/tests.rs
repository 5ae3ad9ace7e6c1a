use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::in_process::{ControlPlane, said};

const KEYS: &str = "/api/v1/executor-keys";
const HOUR_MS: i64 = 3_600_000;

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn status(control_plane: &ControlPlane, key: &str) -> u16 {
    control_plane.sync(key, said("host-1", "1.0.0")).await.status.as_u16()
}

async fn key(control_plane: &ControlPlane, body: Value) -> (String, String) {
    let issued = control_plane.post(KEYS, body).await.ok();
    (format!("{KEYS}/{}", text(&issued["id"])), text(&issued["secret"]))
}

fn in_hours(control_plane: &ControlPlane, hours: i64) -> String {
    (control_plane.app.clock.now() + SignedDuration::from_hours(hours)).to_string()
}

#[tokio::test]
async fn a_rotated_key_has_both_secrets_for_the_overlap_and_then_one() {
    let control_plane = ControlPlane::start().await;
    let (path, old) = key(&control_plane, json!({"name": "host-1"})).await;
    assert_eq!(status(&control_plane, &old).await, 200);
    let rotated = control_plane.post(&format!("{path}/rotate"), json!({"overlapMs": HOUR_MS})).await.ok();
    let new = text(&rotated["secret"]);
    assert_eq!(rotated["previousUntil"], in_hours(&control_plane, 1));
    for secret in [&old, &new, &old] {
        assert_eq!(status(&control_plane, secret).await, 200);
    }
    let other = control_plane.sync(&new, said("host-2", "1.0.0")).await;
    assert_eq!(other.problem(), (403, "key_bound".to_owned()), "bound to the same name");
    let executors = control_plane.get("/api/v1/executors").await.ok();
    assert_eq!(executors["items"].as_array().unwrap().len(), 1);

    let control_plane = control_plane.restart().await;
    control_plane.wait_ms(HOUR_MS - 1);
    assert_eq!((status(&control_plane, &old).await, status(&control_plane, &new).await), (200, 200));
    control_plane.wait_ms(1);
    assert_eq!((status(&control_plane, &old).await, status(&control_plane, &new).await), (401, 200));
    let control_plane = control_plane.restart().await;
    assert_eq!((status(&control_plane, &old).await, status(&control_plane, &new).await), (401, 200));

    control_plane.delete(&path).await.ok();
    assert_eq!(status(&control_plane, &new).await, 401);
    let refused = control_plane.post(&format!("{path}/rotate"), json!({})).await;
    assert_eq!(refused.problem(), (409, "key_revoked".to_owned()));
    let told = control_plane.get("/api/v1/activity?action=key.rotated").await.ok();
    assert_eq!(told["items"][0]["name"], "host-1");
    assert!(!told.to_string().contains("nva_"));
}

#[tokio::test]
async fn without_an_overlap_and_after_two_rotations_and_a_revocation_old_secrets_are_over_at_once() {
    let control_plane = ControlPlane::start().await;
    let (path, first) = key(&control_plane, json!({"name": "host-1"})).await;
    let rotate = async |body| text(&control_plane.post(&format!("{path}/rotate"), body).await.ok()["secret"]);
    let second = rotate(json!({})).await;
    assert_eq!(status(&control_plane, &first).await, 200, "a day when nothing is said");
    let third = rotate(json!({})).await;
    assert_eq!(status(&control_plane, &first).await, 401, "only the last one goes on");
    assert_eq!(status(&control_plane, &second).await, 200);
    let fourth = rotate(json!({"overlapMs": 0})).await;
    assert_eq!((status(&control_plane, &third).await, status(&control_plane, &fourth).await), (401, 200));
    let fifth = rotate(json!({})).await;
    control_plane.delete(&path).await.ok();
    assert_eq!((status(&control_plane, &fourth).await, status(&control_plane, &fifth).await), (401, 401));
}

#[tokio::test]
async fn an_expired_key_is_none_and_a_new_one_gets_its_name() {
    let control_plane = ControlPlane::start().await;
    let expires_at = in_hours(&control_plane, 1);
    let (path, old) = key(&control_plane, json!({"name": "host-1", "expiresAt": expires_at})).await;
    assert_eq!(status(&control_plane, &old).await, 200);
    let id = text(&control_plane.get("/api/v1/executors").await.ok()["items"][0]["id"]);
    control_plane.wait_ms(HOUR_MS - 1);
    assert_eq!(status(&control_plane, &old).await, 200);
    let (_, new) = key(&control_plane, json!({"name": "host-1"})).await;
    let taken = control_plane.sync(&new, said("host-1", "1.0.0")).await;
    assert_eq!(taken.problem(), (409, "name_taken".to_owned()));
    control_plane.wait_ms(1);
    let control_plane = control_plane.restart().await;
    assert_eq!(
        control_plane.sync(&old, said("host-1", "1.0.0")).await.problem(),
        (401, "invalid_api_key".to_owned())
    );
    let artifact = format!("/api/v1/artifacts/{}", "0".repeat(64));
    assert_eq!(control_plane.call(Method::GET, &artifact, &old, "").await.problem().0, 401);
    assert_eq!(status(&control_plane, &new).await, 200);
    assert_eq!(
        text(&control_plane.get("/api/v1/executors").await.ok()["items"][0]["id"]),
        id,
        "the same executor"
    );

    let refused = control_plane.post(&format!("{path}/rotate"), json!({})).await;
    assert_eq!(refused.problem(), (409, "key_expired".to_owned()));
    let listed = control_plane.get(KEYS).await.ok();
    assert_eq!(listed["items"][1]["expiresAt"], expires_at);
}

#[tokio::test]
async fn a_rotation_does_not_let_the_old_secret_live_longer() {
    let control_plane = ControlPlane::start().await;
    let expires_at = in_hours(&control_plane, 1);
    let (path, _) = key(&control_plane, json!({"expiresAt": expires_at})).await;
    let body = json!({"overlapMs": 2 * HOUR_MS, "expiresAt": in_hours(&control_plane, 9)});
    let rotated = control_plane.post(&format!("{path}/rotate"), body).await.ok();
    assert_eq!(rotated["previousUntil"], expires_at);
    for bad in [
        json!({"overlapMs": -1}),
        json!({"overlapMs": 31 * 24 * HOUR_MS}),
        json!({"expiresAt": "2001-01-01T00:00:00Z"}),
        json!({"secret": "nva_mine"}),
    ] {
        let refused = control_plane.post(&format!("{path}/rotate"), bad.clone()).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
    }
    let past = control_plane.post(KEYS, json!({"expiresAt": "2001-01-01T00:00:00Z"})).await;
    assert_eq!(past.problem(), (400, "invalid_request".to_owned()));
}
