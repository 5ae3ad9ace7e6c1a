use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::auth;
use crate::in_process::{ControlPlane, said};

/// Syncs until the text is known by its print.
async fn settled(control_plane: &ControlPlane, key: &str, text: &Value) {
    control_plane.sync(key, text.clone()).await.ok();
    control_plane.sync(key, text.clone()).await.ok();
    assert!(is_known(control_plane, key, text));
}

fn is_known(control_plane: &ControlPlane, key: &str, text: &Value) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
    let by = auth::known_executor(&headers, &control_plane.app).unwrap();
    let print = control_plane.app.fleet.print(text.to_string().as_bytes()).unwrap();
    control_plane.app.fleet.hear_again(by, print, control_plane.app.clock.now()).is_some()
}

#[tokio::test]
async fn whoever_repeats_itself_to_the_byte_hears_all_that_is_new() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let path = format!("/api/v1/executors/{id}");
    let text = said("host-1", "1.0.0");
    settled(&control_plane, &key, &text).await;

    control_plane.wait_ms(3_000);
    let now = control_plane.sync(&key, text.clone()).await.ok()["now"].clone();
    assert_eq!(control_plane.get(&path).await.ok()["lastSeenAt"], now, "it was heard");

    control_plane.post(&format!("{path}/preflight"), json!({"checks": ["disk_space"]})).await.ok();
    assert_eq!(control_plane.sync(&key, text.clone()).await.ok()["preflight"], json!(["disk_space"]));

    control_plane.publish("1.1.0").await;
    let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].clone();
    settled(&control_plane, &key, &text).await;
    assert_eq!(
        control_plane.sync(&key, text.clone()).await.ok()["pendingUpgrade"]["upgradeId"],
        upgrade,
        "also in the answer to what was known"
    );

    let path = format!("/api/v1/upgrades/{}/abandon", upgrade.as_str().unwrap());
    control_plane.post(&path, json!({"reason": "test", "checkUnstarted": true})).await.ok();
    assert_eq!(control_plane.sync(&key, text.clone()).await.ok()["pendingUpgrade"], Value::Null);
}

#[tokio::test]
async fn what_was_said_before_something_else_is_read_anew() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let path = format!("/api/v1/executors/{id}");
    let before = said("host-1", "1.0.0");
    for (other, field, there, back) in [
        (json!({"currentVersion": "1.0.1"}), "currentVersion", json!("1.0.1"), json!("1.0.0")),
        (json!({"labels": {"ring": "canary"}}), "labels", json!({"ring": "canary"}), json!({})),
        (json!({"restarts": 7}), "restarts", json!(7), json!(0)),
    ] {
        let mut after = before.clone();
        after.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        // Said once or more often, the last word counts.
        for settles in [true, false] {
            for (text, expected) in [(&before, &back), (&after, &there), (&before, &back)] {
                match settles {
                    true => settled(&control_plane, &key, text).await,
                    false => _ = control_plane.sync(&key, text.clone()).await.ok(),
                }
                assert_eq!(control_plane.get(&path).await.ok()[field], *expected);
            }
        }
        assert!(!is_known(&control_plane, &key, &after), "only what was said last is known");
    }
}

#[tokio::test]
async fn restarts_that_another_control_plane_has_heard_of_make_the_text_unknown() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let text = said("host-1", "1.0.0");
    settled(&control_plane, &key, &text).await;
    let at = control_plane.app.clock.now() + jiff::SignedDuration::from_secs(1);
    let seen = |restarts| [crate::store::LastSeen { executor_id: id.parse().unwrap(), at, restarts }];
    control_plane.app.fleet.heard_elsewhere(&seen(3), &[]);
    assert!(!is_known(&control_plane, &key, &text));
}

#[tokio::test]
async fn a_text_is_known_from_nobody_else_and_only_while_its_key_is() {
    let control_plane = ControlPlane::start().await;
    let (key, _) = control_plane.executor("host-1", "1.0.0").await;
    let (other, other_id) = control_plane.executor("host-2", "1.0.0").await;
    let text = said("host-1", "1.0.0");
    settled(&control_plane, &key, &text).await;
    assert!(!is_known(&control_plane, &other, &text));
    assert_eq!(control_plane.sync(&other, text).await.problem().0, 403);

    let text = said("host-2", "1.0.0");
    settled(&control_plane, &other, &text).await;
    control_plane.delete(&format!("/api/v1/executors/{other_id}")).await;
    assert!(!is_known(&control_plane, &other, &text));
    control_plane.sync(&other, text.clone()).await.ok();
    assert_eq!(control_plane.get("/api/v1/executors").await.ok()["items"][1]["name"], "host-2", "it is back");
}

#[tokio::test]
async fn reports_and_results_are_read_each_time() {
    let control_plane = ControlPlane::start().await;
    let (key, _) = control_plane.executor("host-1", "1.0.0").await;
    let mut text = said("host-1", "1.0.0");
    text["preflight"] = json!([{"check": "disk_space", "ok": true, "note": ""}]);
    control_plane.sync(&key, text.clone()).await.ok();
    control_plane.sync(&key, text.clone()).await.ok();
    assert!(!is_known(&control_plane, &key, &text));
}
