use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::in_process::ControlPlane;

const PROBE: &str = "<b>\"'; DROP TABLE windows; --</b>";
const NOBODY: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";

// The clock of a test starts at 2026-09-21T14:13:20Z, a Monday.
fn nightly(name: &str) -> Value {
    json!({"name": name, "cron": "30 2 * * *", "durationMs": 3_600_000, "zone": "Europe/Berlin"})
}

async fn labelled(control_plane: &ControlPlane, name: &str, ring: &str) -> String {
    let key = control_plane.key().await;
    let mut said = crate::in_process::said(name, "1.0.0");
    said["labels"] = json!({"ring": ring});
    control_plane.sync(&key, said).await.ok();
    let found = control_plane.get(&format!("/api/v1/executors?name={name}")).await.ok();
    found["items"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_next_three_openings_are_shown_in_local_time_and_utc_at_creation_and_over_the_change() {
    let control_plane = ControlPlane::start().await;
    // 2026-10-24T12:00Z: the clocks of Berlin go back in the following night.
    control_plane.wait_ms(1_792_843_200_000 - 1_790_000_000_000);
    let created = control_plane.post("/api/v1/windows", nightly("nightly")).await;
    assert_eq!(created.status, 201);
    let window = created.json();
    let opening = |opens: &str, closes: &str, opens_local: &str, closes_local: &str| {
        json!({
            "opensAt": opens, "closesAt": closes, "opensAtLocal": opens_local, "closesAtLocal": closes_local,
            "zone": "Europe/Berlin", "window": "nightly",
        })
    };
    let expected = json!([
        opening(
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:30:00+02:00",
            "2026-10-25T02:30:00+01:00"
        ),
        opening(
            "2026-10-26T01:30:00Z",
            "2026-10-26T02:30:00Z",
            "2026-10-26T02:30:00+01:00",
            "2026-10-26T03:30:00+01:00"
        ),
        opening(
            "2026-10-27T01:30:00Z",
            "2026-10-27T02:30:00Z",
            "2026-10-27T02:30:00+01:00",
            "2026-10-27T03:30:00+01:00"
        ),
    ]);
    assert_eq!(window["next"], expected);
    assert_eq!((&window["isOpen"], &window["closesAt"]), (&json!(false), &Value::Null));
    let path = format!("/api/v1/windows/{}", window["id"].as_str().unwrap());
    assert_eq!(control_plane.get(&path).await.ok(), window);
    assert_eq!(control_plane.get("/api/v1/windows").await.ok()["items"], json!([window]));
    control_plane.wait_ms(13 * 3_600_000);
    let open = control_plane.get(&path).await.ok();
    assert_eq!((&open["isOpen"], &open["closesAt"]), (&json!(true), &json!("2026-10-25T01:30:00Z")));
    assert_eq!(open["next"][0]["opensAt"], "2026-10-26T01:30:00Z", "the one that is open is not a next one");
}

#[tokio::test]
async fn a_preview_shows_the_same_and_keeps_nothing() {
    let control_plane = ControlPlane::start().await;
    let shown = control_plane.post("/api/v1/windows/preview", nightly(PROBE)).await.ok();
    assert_eq!((&shown["id"], &shown["name"]), (&Value::Null, &json!(PROBE)));
    assert_eq!(shown["next"][0]["opensAtLocal"], "2026-09-22T02:30:00+02:00");
    assert_eq!(control_plane.get("/api/v1/windows").await.ok()["items"], json!([]));
    assert_eq!(control_plane.get("/api/v1/activity?action=window.created").await.ok()["items"], json!([]));
    let mut never = nightly("never");
    never["cron"] = json!("0 2 30 2 *");
    for path in ["/api/v1/windows/preview", "/api/v1/windows"] {
        let refused = control_plane.post(path, never.clone()).await;
        let sentence = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(sentence.contains("`0 2 30 2 *` never does"), "{sentence}");
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()));
    }
}

#[tokio::test]
async fn a_window_is_changed_and_deleted_and_the_activity_tells_of_it() {
    let control_plane = ControlPlane::start().await;
    let mut asked = nightly(PROBE);
    asked["selector"] = json!({
        "matchLabels": {"ring": PROBE},
        "matchExpressions": [{"key": "site", "operator": "NotIn", "values": [PROBE]}],
    });
    let created = control_plane.post("/api/v1/windows", asked.clone()).await.ok();
    assert_eq!(created["selector"], asked["selector"]);
    let path = format!("/api/v1/windows/{}", created["id"].as_str().unwrap());
    let patched = control_plane.patch(&path, json!({"cron": " 0  3 * * sun", "zone": "utc"})).await.ok();
    assert_eq!((&patched["cron"], &patched["zone"]), (&json!("0 3 * * sun"), &json!("UTC")));
    assert_eq!((&patched["name"], &patched["selector"]), (&json!(PROBE), &asked["selector"]));
    assert_eq!(patched["next"][0]["opensAt"], "2026-09-27T03:00:00Z");
    control_plane.patch(&path, json!({})).await.ok();
    for bad in [
        json!({"cron": "0 3 * *"}),
        json!({"durationMs": 1}),
        json!({"zone": "Mars"}),
        json!({"name": ""}),
        json!({"id": NOBODY}),
        json!({"selector": {"matchLables": {"ring": "canary"}}}),
    ] {
        let refused = control_plane.patch(&path, bad.clone()).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
    }
    assert_eq!(control_plane.get(&path).await.ok(), patched, "what is refused changes nothing");

    assert_eq!(control_plane.delete(&path).await.status, 204);
    assert_eq!(control_plane.delete(&path).await.problem(), (404, "not_found".to_owned()));
    assert_eq!(control_plane.get(&path).await.problem(), (404, "not_found".to_owned()));
    assert_eq!(control_plane.patch(&path, json!({})).await.problem(), (404, "not_found".to_owned()));
    let told = control_plane.get("/api/v1/activity").await.ok();
    let actions: Vec<_> = told["items"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["window.deleted", "window.changed", "window.created"]);
    let change = &told["items"][1];
    assert_eq!((&change["name"], &change["actor"]), (&json!(PROBE), &json!("owner")));
    assert_eq!(
        (&change["before"]["cron"], &change["after"]["cron"]),
        (&json!("30 2 * * *"), &json!("0 3 * * sun"))
    );
    assert_eq!(told["items"][0]["after"], Value::Null);
    assert_eq!(control_plane.get("/api/v1/activity/verify").await.ok()["intact"], true);
}

#[tokio::test]
async fn a_name_stands_for_one_window_and_there_is_an_end_to_their_number() {
    let control_plane = ControlPlane::start().await;
    let first = control_plane.post("/api/v1/windows", nightly("one")).await.ok();
    let taken = control_plane.post("/api/v1/windows", nightly("one")).await;
    assert_eq!(taken.problem(), (409, "name_taken".to_owned()));
    let second = control_plane.post("/api/v1/windows", nightly("two")).await.ok();
    let path = format!("/api/v1/windows/{}", second["id"].as_str().unwrap());
    let renamed = control_plane.patch(&path, json!({"name": "one"})).await;
    assert_eq!(renamed.problem(), (409, "name_taken".to_owned()));
    for number in 2..200 {
        control_plane.post("/api/v1/windows", nightly(&format!("w{number}"))).await.ok();
    }
    let many = control_plane.post("/api/v1/windows", nightly("one too many")).await;
    assert_eq!(many.problem(), (409, "too_many".to_owned()));
    let page = control_plane.get("/api/v1/windows?limit=199").await.ok();
    let rest = format!("/api/v1/windows?cursor={}", page["nextCursor"].as_str().unwrap());
    assert_eq!(control_plane.get(&rest).await.ok()["items"][0]["id"], first["id"]);
    for bad in ["limit=0", "cursor=x", "name=one"] {
        let refused = control_plane.get(&format!("/api/v1/windows?{bad}")).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn an_executor_shows_what_applies_to_it_and_whether_it_is_open() {
    let control_plane = ControlPlane::start().await;
    let canary = labelled(&control_plane, "canary", "canary").await;
    let prod = labelled(&control_plane, "prod", "prod").await;
    let path = |id: &str| format!("/api/v1/executors/{id}/windows");
    let always = json!({
        "isOpen": true, "reason": null, "closesAt": null, "next": [], "windows": [], "freezes": [],
    });
    assert_eq!(control_plane.get(&path(&canary)).await.ok(), always);

    let mut lunch = nightly("lunch");
    lunch["cron"] = json!("0 14 * * MON-FRI");
    lunch["zone"] = json!("UTC");
    lunch["selector"] =
        json!({"matchExpressions": [{"key": "ring", "operator": "In", "values": ["canary"]}]});
    let lunch = control_plane.post("/api/v1/windows", lunch).await.ok();
    assert_eq!(control_plane.get(&path(&prod)).await.ok(), always);
    control_plane.post("/api/v1/windows", nightly("nightly")).await.ok();
    let shown = control_plane.get(&path(&canary)).await.ok();
    assert_eq!((&shown["isOpen"], &shown["closesAt"]), (&json!(true), &json!("2026-09-21T15:00:00Z")));
    let names: Vec<_> = shown["next"].as_array().unwrap().iter().map(|opening| &opening["window"]).collect();
    assert_eq!(names, ["nightly", "lunch", "nightly"]);
    assert_eq!(shown["windows"].as_array().unwrap().len(), 2);
    let shut = control_plane.get(&path(&prod)).await.ok();
    assert_eq!(shut["isOpen"], false);
    assert_eq!(
        shut["reason"],
        "outside its maintenance windows: `nightly` opens at 2026-09-22T02:30:00+02:00 in Europe/Berlin (2026-09-22T00:30:00Z)"
    );

    let control_plane = control_plane.restart().await;
    assert_eq!(
        control_plane.get(&path(&prod)).await.ok()["reason"],
        shut["reason"],
        "a new process knows it too"
    );
    control_plane.delete(&format!("/api/v1/windows/{}", lunch["id"].as_str().unwrap())).await;
    assert_eq!(control_plane.get(&path(&canary)).await.ok()["isOpen"], false);
    assert_eq!(control_plane.get(&path(NOBODY)).await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_freeze_ahead_is_the_end_of_an_open_window() {
    let control_plane = ControlPlane::start().await;
    let id = labelled(&control_plane, "host-1", "prod").await;
    let path = format!("/api/v1/executors/{id}/windows");
    let soon = control_plane.app.clock.now() + SignedDuration::from_mins(10);
    let freeze = json!({"reason": "audit", "startsAt": soon, "endsAt": soon + SignedDuration::from_hours(1)});
    let freeze = control_plane.post("/api/v1/freezes", freeze).await.ok();
    let shown = control_plane.get(&path).await.ok();
    assert_eq!((&shown["isOpen"], &shown["closesAt"]), (&json!(true), &freeze["startsAt"]));
    control_plane.wait_ms(600_000);
    let shown = control_plane.get(&path).await.ok();
    assert_eq!(
        (&shown["isOpen"], &shown["reason"]),
        (&json!(false), &json!("frozen until 2026-09-21T15:23:20Z: audit"))
    );
    assert_eq!(shown["freezes"][0]["id"], freeze["id"]);
}
