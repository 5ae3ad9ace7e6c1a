use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::UpgradeVerb;
use serde_json::{Value, json};

use crate::in_process::{Answered, ControlPlane, OWNER, reported, said};

pub(crate) mod actions;
mod gates;

/// An upgrade of one executor, and what is said about it.
struct Scene {
    control_plane: ControlPlane,
    key: String,
    executor_id: String,
    upgrade_id: String,
}

impl Scene {
    /// Requested with what stands in `order` besides the version.
    async fn of(order: Value) -> Self {
        let control_plane = ControlPlane::start().await;
        let (key, executor_id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let mut scene = Self { control_plane, key, executor_id, upgrade_id: String::new() };
        scene.upgrade_id = scene.request(order).await.ok()["id"].as_str().unwrap().to_owned();
        scene
    }

    async fn request(&self, mut order: Value) -> Answered {
        order["targetVersion"] = json!("1.1.0");
        self.control_plane.post(&format!("/api/v1/executors/{}/upgrade", self.executor_id), order).await
    }

    async fn ask(&self, verb: &str, body: Value) -> Answered {
        self.control_plane.post(&format!("/api/v1/upgrades/{}/{verb}", self.upgrade_id), body).await
    }

    async fn refused(&self, verb: &str, body: Value) -> String {
        let answer = self.ask(verb, body).await;
        let (status, code) = answer.problem();
        assert_eq!(status, 409, "{verb} {code}");
        code
    }

    async fn show(&self) -> Value {
        self.control_plane.get(&format!("/api/v1/upgrades/{}", self.upgrade_id)).await.ok()
    }

    async fn place(&self) -> (String, String, String) {
        let shown = self.show().await;
        let word = |field: &str| shown[field].as_str().unwrap().to_owned();
        (word("stage"), word("status"), word("intent"))
    }

    /// Says that it stands there, in the attempt that runs, and hears the answer.
    async fn report(&self, stage: &str, status: &str) -> Value {
        let mut said = reported("host-1", "1.0.0", &self.upgrade_id, stage, status);
        said["upgrade"]["attempt"] = self.show().await["attempt"].clone();
        self.control_plane.sync(&self.key, said).await.ok()["pendingUpgrade"].clone()
    }

    async fn sync(&self) -> Value {
        self.control_plane.sync(&self.key, said("host-1", "1.0.0")).await.ok()["pendingUpgrade"].clone()
    }

    async fn wait_ms(&self, ms: i64) {
        self.control_plane.wait_ms(ms);
        self.control_plane.sync(&self.key, said("host-1", "1.0.0")).await.ok();
        self.control_plane.app.tick().await.unwrap();
    }
}

fn why() -> Value {
    json!({"reason": "<b>because</b>'; DROP TABLE upgrades; --"})
}

fn three(stage: &str, status: &str, intent: &str) -> (String, String, String) {
    (stage.to_owned(), status.to_owned(), intent.to_owned())
}

#[tokio::test]
async fn a_pause_holds_until_somebody_continues() {
    let scene = Scene::of(json!({})).await;
    scene.report("DOWNLOAD", "UNDERWAY").await;
    scene.ask("pause", why()).await.ok();
    assert_eq!(scene.refused("pause", why()).await, "upgrade_paused");
    assert_eq!(scene.report("DOWNLOAD", "PAUSED").await["intent"], "pause");
    assert_eq!(scene.place().await, three("DOWNLOAD", "PAUSED", "pause"));
    scene.ask("continue", why()).await.ok();
    assert_eq!(scene.report("DOWNLOAD", "UNDERWAY").await["intent"], "apply");
    assert_eq!(scene.refused("continue", why()).await, "not_paused");
    scene.report("SWAP", "UNDERWAY").await;
    assert_eq!(scene.refused("pause", why()).await, "too_late");
    let log = scene.show().await["log"].to_string();
    assert!(log.contains("upgrade.pauseRequested by owner: <b>because</b>"), "{log}");
}

#[tokio::test]
async fn a_pause_before_the_pick_up_keeps_the_upgrade_from_its_executor() {
    let scene = Scene::of(json!({})).await;
    let paused = scene.ask("pause", why()).await.ok();
    assert_eq!(paused["waitsFor"]["code"], "upgrade_paused");
    assert_eq!(scene.sync().await, Value::Null);
    assert_eq!(scene.refused("start", json!({})).await, "upgrade_paused");
    scene.ask("continue", why()).await.ok();
    assert_eq!(scene.sync().await["intent"], "apply");

    scene.ask("pause", why()).await.ok();
    let told_before = scene.report("DOWNLOAD", "UNDERWAY").await;
    assert_eq!(told_before["intent"], "pause", "an executor that had heard of it already is told");
}

#[tokio::test]
async fn dropping_before_the_pick_up_is_final_at_once_and_an_executor_at_work_is_told() {
    let scene = Scene::of(json!({})).await;
    assert_eq!(scene.sync().await["intent"], "apply");
    let dropped = scene.ask("abandon", json!({"reason": "no", "checkUnstarted": true})).await.ok();
    assert_eq!((dropped["stage"].as_str(), dropped["state"].as_str()), (Some("ABANDONED"), Some("error")));
    assert_eq!(scene.refused("abandon", why()).await, "upgrade_ended");
    let next = scene.request(json!({})).await.ok()["id"].clone();
    let told = scene.report("DOWNLOAD", "UNDERWAY").await;
    assert_eq!((&told["upgradeId"], told["intent"].as_str()), (&json!(scene.upgrade_id), Some("abandon")));
    assert_eq!(scene.place().await.0, "ABANDONED");
    assert_eq!(scene.report("ABANDONED", "COMPLETED").await["upgradeId"], next);
}

#[tokio::test]
async fn an_upgrade_at_work_is_dropped_before_the_swap_and_rolled_back_after_it() {
    let scene = Scene::of(json!({})).await;
    scene.report("DOWNLOAD", "UNDERWAY").await;
    let unstarted = json!({"reason": "no", "checkUnstarted": true});
    assert_eq!(scene.refused("abandon", unstarted).await, "already_started");
    scene.ask("abandon", why()).await.ok();
    assert_eq!(scene.refused("abandon", why()).await, "already_asked");
    assert_eq!(scene.report("VERIFY", "UNDERWAY").await["intent"], "abandon");
    scene.report("ABANDONED", "COMPLETED").await;
    assert_eq!(scene.refused("pause", why()).await, "upgrade_ended");

    let scene = Scene::of(json!({})).await;
    assert_eq!(scene.refused("rollback", json!({})).await, "not_started");
    scene.report("CHECK_HEALTH", "UNDERWAY").await;
    assert_eq!(scene.refused("abandon", why()).await, "too_late");
    scene.ask("rollback", json!({})).await.ok();
    assert_eq!(scene.report("CHECK_HEALTH", "UNDERWAY").await["intent"], "rollback");
    scene.report("ROLLEDBACK", "ROLLEDBACK").await;
    assert_eq!(scene.refused("rollback", json!({})).await, "upgrade_ended");
}

#[tokio::test]
async fn a_manual_completion_waits_until_somebody_completes_or_rolls_back() {
    let scene = Scene::of(json!({"confirm": "manual"})).await;
    scene.report("CHECK_HEALTH", "UNDERWAY").await;
    assert_eq!(scene.refused("complete", json!({})).await, "too_early");
    scene.report("CONFIRM_COMPLETION", "UNDERWAY").await;
    scene.wait_ms(86_400_000).await;
    assert_eq!(scene.place().await, three("CONFIRM_COMPLETION", "UNDERWAY", "apply"));
    scene.ask("complete", json!({"reason": "golden outputs are the same"})).await.ok();
    assert_eq!(scene.refused("complete", json!({})).await, "already_asked");
    assert_eq!(scene.report("CONFIRM_COMPLETION", "UNDERWAY").await["intent"], "complete");
    scene.report("COMPLETED", "COMPLETED").await;
    assert_eq!(scene.show().await["state"], "completed");
    assert_eq!(scene.refused("complete", json!({})).await, "upgrade_ended");
}

#[tokio::test]
async fn an_upgrade_that_wants_to_be_started_waits_for_that_and_starts_once() {
    let scene = Scene::of(json!({"confirmStart": "manual"})).await;
    assert_eq!(scene.show().await["waitsFor"]["code"], "start_awaited");
    scene.wait_ms(3_600_000).await;
    assert_eq!(scene.sync().await, Value::Null);
    let started = scene.ask("start", json!({})).await.ok();
    assert_eq!((&started["startedBy"], &started["waitsFor"]), (&json!("owner"), &Value::Null));
    assert_eq!(scene.refused("start", json!({})).await, "already_started");
    assert_eq!(scene.sync().await["intent"], "apply");
}

#[tokio::test]
async fn a_dry_run_downloads_and_verifies_and_leaves_the_upgrade_where_it_was() {
    let scene = Scene::of(json!({"confirmStart": "manual"})).await;
    scene.ask("validate", json!({})).await.ok();
    assert_eq!(scene.refused("validate", json!({})).await, "validating");
    let spec = scene.sync().await;
    assert_eq!((spec["intent"].as_str(), spec["attempt"].as_u64()), (Some("validate"), Some(1)));
    scene.report("DOWNLOAD", "UNDERWAY").await;
    assert_eq!(scene.refused("pause", why()).await, "validating");
    scene.report("VERIFY", "COMPLETED").await;
    let shown = scene.show().await;
    assert_eq!(shown["validation"]["state"], "passed");
    assert_eq!((shown["stage"].as_str(), shown["attempt"].as_u64()), (Some("CONFIRM_START"), Some(2)));
    assert_eq!(scene.sync().await, Value::Null, "it still waits for its start");

    scene.ask("validate", json!({})).await.ok();
    let mut refused = reported("host-1", "1.0.0", &scene.upgrade_id, "FAILED", "FAILED");
    refused["upgrade"]["attempt"] = json!(2);
    refused["upgrade"]["error"] = json!({"code": "disk_full", "stage": "PREFLIGHT", "message": "m",
        "timestamp": "2026-11-21T00:00:00Z"});
    scene.control_plane.sync(&scene.key, refused).await.ok();
    let shown = scene.show().await;
    assert_eq!(shown["validation"]["error"]["code"], "disk_full");
    assert_eq!((shown["state"].as_str(), &shown["error"]), (Some("pending"), &Value::Null));
    scene.ask("start", json!({})).await.ok();
    let spec = scene.sync().await;
    assert_eq!((spec["intent"].as_str(), spec["attempt"].as_u64()), (Some("apply"), Some(3)));
}

#[tokio::test]
async fn a_dry_run_that_nobody_picks_up_fails_and_the_upgrade_stays() {
    let scene = Scene::of(json!({"confirmStart": "manual"})).await;
    scene.ask("validate", json!({})).await.ok();
    scene.wait_ms(900_000).await;
    let shown = scene.show().await;
    assert_eq!(shown["validation"]["error"]["code"], "lapsed");
    assert_eq!(shown["waitsFor"]["code"], "start_awaited");
}

#[tokio::test]
async fn a_failure_is_retried_as_a_new_attempt_from_what_runs_now() {
    let scene = Scene::of(json!({})).await;
    assert_eq!(scene.refused("retry", json!({})).await, "not_ended");
    scene.report("ROLLEDBACK", "ROLLEDBACK").await;
    let again = scene.ask("retry", json!({})).await.ok();
    assert_eq!((again["attempt"].as_u64(), again["state"].as_str()), (Some(2), Some("pending")));
    assert_eq!(scene.request(json!({})).await.problem().1, "upgrade_already_pending");
    let old = reported("host-1", "1.0.0", &scene.upgrade_id, "COMPLETED", "COMPLETED");
    let told = scene.control_plane.sync(&scene.key, old).await.ok()["pendingUpgrade"].clone();
    assert_eq!((told["attempt"].as_u64(), told["intent"].as_str()), (Some(2), Some("apply")));
    scene.report("FAILED", "FAILED").await;

    let other = scene.request(json!({})).await.ok();
    assert_eq!(scene.refused("retry", json!({})).await, "upgrade_already_pending");
    let id = other["id"].as_str().unwrap();
    scene.control_plane.post(&format!("/api/v1/upgrades/{id}/abandon"), why()).await.ok();
    scene.control_plane.sync(&scene.key, said("host-1", "1.1.0")).await.ok();
    let refused = scene.ask("retry", json!({})).await;
    assert_eq!(refused.problem(), (409, "already_there".to_owned()), "it runs there already");
}

#[tokio::test]
async fn an_older_upgrade_that_is_tried_again_is_offered_though_a_newer_one_has_ended() {
    let mut scene = Scene::of(json!({})).await;
    scene.report("FAILED", "FAILED").await;
    let newer = scene.request(json!({})).await.ok()["id"].as_str().unwrap().to_owned();
    let older = std::mem::replace(&mut scene.upgrade_id, newer);
    scene.report("FAILED", "FAILED").await;
    scene.upgrade_id = older;
    scene.ask("retry", json!({})).await.ok();
    assert_eq!(scene.sync().await["attempt"], 2);
    scene.report("DOWNLOAD", "UNDERWAY").await;
    assert_eq!(scene.report("SWAP", "UNDERWAY").await["upgradeId"], scene.upgrade_id);
}

#[tokio::test]
async fn what_was_given_up_is_continued_where_it_stood() {
    let scene = Scene::of(json!({})).await;
    scene.report("DOWNLOAD", "UNDERWAY").await;
    scene.wait_ms(2_000_000).await;
    assert_eq!(scene.show().await["error"]["code"], "timed_out");
    scene.ask("continue", why()).await.ok();
    assert_eq!(scene.place().await, three("DOWNLOAD", "UNDERWAY", "apply"));
    assert_eq!(scene.report("VERIFY", "UNDERWAY").await["attempt"], 1);
    scene.report("FAILED", "FAILED").await;
    scene.ask("continue", why()).await.ok();
    assert_eq!(scene.sync().await["attempt"], 2);
}

#[tokio::test]
async fn from_every_end_a_retry_or_a_new_request_leads_on() {
    for (stage, status) in [
        ("FAILED", "FAILED"),
        ("ROLLEDBACK", "ROLLEDBACK"),
        ("ABANDONED", "COMPLETED"),
        ("COMPLETED", "COMPLETED"),
    ] {
        let scene = Scene::of(json!({})).await;
        scene.report(stage, status).await;
        let retried = scene.ask("retry", json!({})).await.problem();
        let may_retry = matches!(stage, "FAILED" | "ROLLEDBACK");
        let expected = if may_retry { (200, "") } else { (409, "upgrade_ended") };
        assert_eq!(retried, (expected.0, expected.1.to_owned()), "{stage}");
        if !may_retry {
            scene.request(json!({})).await.ok();
        }
        assert_eq!(scene.sync().await["intent"], "apply", "{stage}");
    }
}

#[tokio::test]
async fn a_reschedule_lies_between_an_hour_from_now_and_the_deadline() {
    let start = ControlPlane::start().await.app.clock.now();
    let at = |minutes: i64| (start + SignedDuration::from_mins(minutes)).to_string();
    let scene = Scene::of(json!({"scheduledAt": at(120), "deadline": at(600)})).await;
    let put_off = async |to: String| {
        let path = format!("/api/v1/upgrades/{}", scene.upgrade_id);
        scene.control_plane.patch(&path, json!({"scheduledAt": to})).await
    };
    for (minutes, expected) in [(59, "outside_range"), (60, ""), (601, "outside_range"), (600, "")] {
        assert_eq!(put_off(at(minutes)).await.problem().1, expected, "{minutes}");
    }
    assert_eq!(put_off(at(59)).await.json()["error"]["details"]["latest"], at(600));
    scene.wait_ms(600 * 60_000).await;
    assert_eq!(scene.sync().await["intent"], "apply", "due upgrades run by themselves");
    scene.report("FAILED", "FAILED").await;
    let late = put_off(at(700)).await;
    assert_eq!(late.problem().1, "outside_range", "the deadline is over");

    let scene = Scene::of(json!({})).await;
    scene.report("FAILED", "FAILED").await;
    let path = format!("/api/v1/upgrades/{}", scene.upgrade_id);
    let again = scene.control_plane.patch(&path, json!({"scheduledAt": at(90)})).await.ok();
    assert_eq!((again["attempt"].as_u64(), again["waitsFor"]["code"].as_str()), (Some(2), Some("not_due")));
    scene.wait_ms(90 * 60_000).await;
    assert_eq!(scene.sync().await["attempt"], 2);
    scene.report("DOWNLOAD", "UNDERWAY").await;
    let at_work = scene.control_plane.patch(&path, json!({"scheduledAt": at(900)})).await;
    assert_eq!(at_work.problem().1, "already_started");
}

#[tokio::test]
async fn while_its_deadline_lies_ahead_an_upgrade_that_lapsed_is_offered_again_and_then_shown_as_overdue() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let deadline = control_plane.app.clock.now() + SignedDuration::from_hours(1);
    let body = json!({"targetVersion": "1.1.0", "deadline": deadline.to_string()});
    let asked = control_plane.post(&format!("/api/v1/executors/{id}/upgrade"), body).await.ok();
    let path = format!("/api/v1/upgrades/{}", asked["id"].as_str().unwrap());
    for round in 1..=4 {
        control_plane.wait_ms(900_000);
        control_plane.app.tick().await.unwrap();
        let shown = control_plane.get(&path).await.ok();
        let expires: Timestamp = shown["expiresAt"].as_str().unwrap().parse().unwrap();
        let is_fresh = expires > control_plane.app.clock.now();
        assert_eq!((is_fresh, shown["overdue"].as_bool()), (round < 4, Some(false)), "{round}");
    }
    assert_eq!(control_plane.get(&path).await.ok()["error"]["code"], "lapsed");

    let scene = Scene::of(json!({"deadline": deadline.to_string(), "confirmStart": "manual"})).await;
    scene.wait_ms(3_600_001).await;
    assert_eq!(scene.show().await["overdue"], true);
}

#[tokio::test]
async fn four_eyes_see_what_goes_to_the_channels_that_want_it() {
    let control_plane = ControlPlane::start().await;
    let chosen = json!({"channels": ["stable"]});
    control_plane.call(Method::PUT, "/api/v1/four-eyes", OWNER, chosen.to_string()).await.ok();
    assert_eq!(control_plane.get("/api/v1/four-eyes").await.ok(), chosen);
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let asked = control_plane.request(&id, "1.1.0").await.ok();
    assert_eq!(asked["waitsFor"]["code"], "approval_wanted");
    let path = format!("/api/v1/upgrades/{}", asked["id"].as_str().unwrap());
    for (verb, body) in [("start", json!({})), ("start", json!({"force": true, "reason": "now"}))] {
        let refused = control_plane.post(&format!("{path}/{verb}"), body).await;
        assert_eq!(refused.problem(), (409, "approval_wanted".to_owned()), "no force goes past a person");
    }
    let own = control_plane.post(&format!("{path}/approve"), json!({})).await;
    assert_eq!(own.problem(), (409, "own_request".to_owned()));
    let second = control_plane.person("second").await;
    let approve = async || control_plane.call(Method::POST, &format!("{path}/approve"), &second, "{}").await;
    let approved = approve().await.ok();
    assert_eq!(
        (&approved["approval"]["approvedBy"], &approved["waitsFor"]),
        (&json!("second"), &Value::Null)
    );
    assert_eq!(approve().await.problem().1, "approval_not_wanted");
    let answer = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
    assert_eq!(answer["pendingUpgrade"]["intent"], "apply");
    let told = control_plane.get("/api/v1/activity?action=upgrade.approvalWanted").await.ok();
    assert_eq!(told["items"][0]["target"], asked["id"]);
}

#[tokio::test]
async fn whoever_has_to_say_why_says_why() {
    let scene = Scene::of(json!({})).await;
    for (verb, body, code) in [
        ("pause", json!({}), "invalid_request"),
        ("pause", json!({"reason": " "}), "reason_required"),
        ("abandon", json!({"reason": ""}), "reason_required"),
        ("continue", json!({"reason": "x".repeat(1_025)}), "invalid_request"),
        ("start", json!({"force": true}), "reason_required"),
        ("retry", json!({"force": true}), "invalid_request"),
    ] {
        let refused = scene.ask(verb, body.clone()).await;
        assert_eq!(refused.problem(), (400, code.to_owned()), "{verb} {body}");
    }
    let nobody = "/api/v1/upgrades/01a1fd44-ec13-72dc-be3d-6f6dbcc5687c/pause";
    assert_eq!(scene.control_plane.post(nobody, why()).await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn who_is_offline_is_sent_nowhere() {
    let scene = Scene::of(json!({"confirmStart": "manual"})).await;
    scene.control_plane.wait_ms(30_000);
    for verb in ["start", "validate"] {
        assert_eq!(scene.refused(verb, json!({})).await, "executor_offline");
    }
    scene.ask("abandon", why()).await.ok();
}
