//! What stands in the way of an upgrade before its executor is told of it.

use super::*;

/// A minute from now for `minutes`, then never again for a year, as people write it.
fn window_at(control_plane: &ControlPlane, in_minutes: i64, minutes: i64) -> Value {
    let opens = control_plane.app.clock.now() + SignedDuration::from_mins(in_minutes);
    let cron = opens.strftime("%-M %-H %-d %-m *").to_string();
    json!({"name": "once", "cron": cron, "durationMs": minutes * 60_000, "zone": "UTC"})
}

/// A whole minute, so that windows of whole minutes can be met exactly.
async fn on_the_minute() -> ControlPlane {
    let control_plane = ControlPlane::start().await;
    let past = control_plane.app.clock.now().as_millisecond() % 60_000;
    control_plane.wait_ms(60_000 - past);
    control_plane
}

async fn scene(control_plane: ControlPlane, order: Value) -> Scene {
    let (key, executor_id) = control_plane.executor("host-1", "1.0.0").await;
    if control_plane.get("/api/v1/releases").await.ok()["items"] == json!([]) {
        control_plane.publish("1.1.0").await;
    }
    let mut scene = Scene { control_plane, key, executor_id, upgrade_id: String::new() };
    scene.upgrade_id = scene.request(order).await.ok()["id"].as_str().unwrap().to_owned();
    scene
}

impl Scene {
    async fn waits_for(&self) -> String {
        self.show().await["waitsFor"]["code"].as_str().unwrap_or_default().to_owned()
    }

    async fn explained(&self) -> String {
        let path = format!("/api/v1/executors/{}/explain", self.executor_id);
        self.control_plane.get(&path).await.ok()["rule"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn nothing_is_offered_outside_a_window_and_what_nobody_took_is_taken_back_when_it_closes() {
    let control_plane = on_the_minute().await;
    let window = window_at(&control_plane, 2, 5);
    control_plane.post("/api/v1/windows", window).await.ok();
    let scene = scene(control_plane, json!({})).await;
    assert_eq!(
        (scene.waits_for().await, scene.explained().await),
        ("outside_window".into(), "outside_window".into())
    );
    assert_eq!(scene.refused("start", json!({})).await, "outside_window");
    scene.wait_ms(119_999).await;
    assert_eq!(scene.sync().await, Value::Null, "not a millisecond before it opens");
    scene.wait_ms(1).await;
    assert_eq!(scene.sync().await["intent"], "apply");
    scene.wait_ms(300_000).await;
    assert_eq!(scene.sync().await, Value::Null, "the window has closed");
    assert_eq!(scene.waits_for().await, "outside_window");
}

#[tokio::test]
async fn what_was_picked_up_inside_a_window_goes_on_behind_it() {
    let control_plane = on_the_minute().await;
    let window = window_at(&control_plane, 0, 5);
    control_plane.post("/api/v1/windows", window).await.ok();
    let scene = scene(control_plane, json!({})).await;
    scene.report("DOWNLOAD", "UNDERWAY").await;
    scene.wait_ms(300_000).await;
    assert_eq!(scene.report("VERIFY", "UNDERWAY").await["intent"], "apply");
}

#[tokio::test]
async fn force_goes_past_a_freeze_with_a_reason_and_stays_past_it() {
    let control_plane = on_the_minute().await;
    let at = |hours: i64| (control_plane.app.clock.now() + SignedDuration::from_hours(hours)).to_string();
    let freeze = json!({"reason": "<b>year end</b>", "startsAt": at(0), "endsAt": at(9)});
    control_plane.post("/api/v1/freezes", freeze).await.ok();
    let scene = scene(control_plane, json!({})).await;
    assert_eq!((scene.waits_for().await, scene.explained().await), ("frozen".into(), "frozen".into()));
    let told = scene.show().await["waitsFor"]["message"].as_str().unwrap().to_owned();
    assert!(told.contains("<b>year end</b>"), "{told}");
    assert_eq!(scene.refused("start", json!({})).await, "frozen");
    let started = scene.ask("start", json!({"force": true, "reason": "the door is open"})).await.ok();
    assert_eq!(started["forced"], true);
    scene.wait_ms(5_000).await;
    assert_eq!(scene.sync().await["intent"], "apply");
    let activity = "/api/v1/activity?action=upgrade.startRequested";
    let told = scene.control_plane.get(activity).await.ok();
    assert_eq!(told["items"][0]["reason"], "the door is open");
}

#[tokio::test]
async fn prerequisites_are_acknowledged_before_anything_starts_and_no_force_goes_past_them() {
    let control_plane = on_the_minute().await;
    let id = control_plane.draft("1.1.0", b"one").await["id"].as_str().unwrap().to_owned();
    let steps = json!(["tell the shop", "take a backup"]);
    let path = format!("/api/v1/releases/{id}");
    control_plane.patch(&path, json!({"prerequisites": steps, "status": "published"})).await.ok();
    let scene = scene(control_plane, json!({})).await;
    assert_eq!(scene.waits_for().await, "prerequisites_open");
    assert_eq!(scene.explained().await, "prerequisites_open");
    let forced = json!({"force": true, "reason": "now"});
    assert_eq!(scene.refused("start", forced.clone()).await, "prerequisites_open");
    scene.ask("prerequisites/1/acknowledge", json!({})).await.ok();
    let message = scene.show().await["waitsFor"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("prerequisites 2 "), "{message}");
    scene.ask("prerequisites/2/acknowledge", json!({})).await.ok();
    scene.wait_ms(1_000).await;
    assert_eq!(scene.sync().await["intent"], "apply");
}

#[tokio::test]
async fn upgrades_of_different_types_keep_their_order_and_those_of_one_type_do_not() {
    let control_plane = on_the_minute().await;
    for (version, kind) in [("1.1.0", "routine"), ("1.2.0", "migration")] {
        let id = control_plane.draft(version, version.as_bytes()).await["id"].as_str().unwrap().to_owned();
        let patch = json!({"type": kind, "status": "published"});
        control_plane.patch(&format!("/api/v1/releases/{id}"), patch).await.ok();
    }
    let now = control_plane.app.clock.now();
    let at = |hours: i64| (now + SignedDuration::from_hours(hours)).to_string();
    let ask = async |name: &str, version: &str, hours: i64| {
        let (key, id) = control_plane.executor(name, "1.0.0").await;
        let body = json!({"targetVersion": version, "scheduledAt": at(hours)});
        let asked = control_plane.post(&format!("/api/v1/executors/{id}/upgrade"), body).await.ok();
        (key, asked["id"].as_str().unwrap().to_owned(), asked["type"].as_str().unwrap().to_owned())
    };
    let (_, migration, kind) = ask("a", "1.2.0", 4).await;
    assert_eq!(kind, "migration");
    let (key, routine, _) = ask("b", "1.1.0", 6).await;
    let (_, other_routine, _) = ask("c", "1.1.0", 8).await;
    let put_off = async |id: &str, hours: i64| {
        control_plane
            .patch(&format!("/api/v1/upgrades/{id}"), json!({"scheduledAt": at(hours)}))
            .await
            .problem()
            .1
    };
    assert_eq!(put_off(&routine, 3).await, "crosses_other_type", "forward");
    assert_eq!(put_off(&migration, 7).await, "crosses_other_type", "backward");
    assert_eq!(put_off(&migration, 5).await, "", "on its own side");
    assert_eq!(put_off(&other_routine, 6).await, "", "those of one type are free");
    assert_eq!(put_off(&routine, 9).await, "");
    assert_eq!(put_off(&routine, 7).await, "");

    let start = format!("/api/v1/upgrades/{routine}/start");
    control_plane.sync(&key, said("b", "1.0.0")).await.ok();
    let stopped = control_plane.post(&start, json!({})).await;
    assert_eq!(stopped.problem().1, "older_upgrade_pending");
    assert_eq!(stopped.json()["error"]["details"]["upgradeId"], migration);
    let why = json!({"reason": "not this year"});
    control_plane.post(&format!("/api/v1/upgrades/{migration}/abandon"), why).await.ok();
    control_plane.post(&start, json!({})).await.ok();
}

#[tokio::test]
async fn an_upgrade_runs_by_itself_when_the_older_one_of_another_type_is_picked_up() {
    let control_plane = on_the_minute().await;
    for (version, kind) in [("1.1.0", "routine"), ("1.2.0", "migration")] {
        let id = control_plane.draft(version, version.as_bytes()).await["id"].as_str().unwrap().to_owned();
        let patch = json!({"type": kind, "status": "published"});
        control_plane.patch(&format!("/api/v1/releases/{id}"), patch).await.ok();
    }
    let (first_key, first) = control_plane.executor("a", "1.0.0").await;
    let (key, second) = control_plane.executor("b", "1.0.0").await;
    let older = control_plane.request(&first, "1.2.0").await.ok()["id"].as_str().unwrap().to_owned();
    control_plane.wait_ms(1);
    let asked = control_plane.request(&second, "1.1.0").await.ok();
    assert_eq!(asked["waitsFor"]["upgradeId"], older);
    let offered = async || {
        control_plane.app.tick().await.unwrap();
        control_plane.sync(&key, said("b", "1.0.0")).await.ok()["pendingUpgrade"].clone()
    };
    assert_eq!(offered().await, Value::Null);
    let picked_up = reported("a", "1.0.0", &older, "PREFLIGHT", "UNDERWAY");
    control_plane.sync(&first_key, picked_up).await.ok();
    assert_eq!(offered().await["intent"], "apply");
}
