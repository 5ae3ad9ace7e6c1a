//! What could be asked of an upgrade, and what the API then says to it.

use super::*;

/// How an upgrade comes to stand where it stands: what is said about it, in this order.
pub(crate) const STATES: &[(&str, &[&str])] = &[
    ("waits for its time", &["scheduled"]),
    ("waits for its start", &["manual"]),
    ("waits for its start and its host is gone", &["manual", "wait 60000"]),
    ("waits for an approval", &["four-eyes"]),
    ("waits for steps", &["steps", "manual"]),
    ("is offered", &[]),
    ("is paused before it began", &["pause"]),
    ("is about to be tried out", &["manual", "validate"]),
    ("is tried out", &["manual", "validate", "report DOWNLOAD UNDERWAY"]),
    ("downloads", &["report DOWNLOAD UNDERWAY"]),
    ("shall pause", &["report DOWNLOAD UNDERWAY", "pause"]),
    ("stands still", &["report DOWNLOAD UNDERWAY", "pause", "report DOWNLOAD PAUSED"]),
    ("shall be dropped", &["report DOWNLOAD UNDERWAY", "abandon"]),
    ("is on trial", &["report CHECK_HEALTH UNDERWAY"]),
    ("shall be rolled back", &["report CHECK_HEALTH UNDERWAY", "rollback"]),
    ("waits for its last word", &["report CONFIRM_COMPLETION UNDERWAY"]),
    ("has its last word", &["report CONFIRM_COMPLETION UNDERWAY", "complete"]),
    ("has completed", &["report COMPLETED COMPLETED"]),
    ("was rolled back", &["report ROLLEDBACK ROLLEDBACK"]),
    ("has failed", &["report FAILED FAILED"]),
    ("has failed and another was requested", &["report FAILED FAILED", "another"]),
    ("has failed and its host is gone", &["report FAILED FAILED", "wait 60000"]),
    ("was dropped by its host", &["report ABANDONED COMPLETED"]),
    ("was dropped before it began", &["abandon"]),
    ("was not picked up", &["wait 900001", "sync"]),
    ("brought no news", &["report DOWNLOAD UNDERWAY", "wait 7200000", "sync"]),
];

/// One that stands there.
pub(crate) struct Told {
    pub upgrade_id: String,
    pub actions: Value,
}

/// What the states are about: a release, and one with a step before it.
pub(crate) async fn publish(control_plane: &ControlPlane) {
    control_plane.publish("1.1.0").await;
    let draft = control_plane.draft("1.2.0", b"1.2.0").await["id"].as_str().unwrap().to_owned();
    let patch = json!({"status": "published", "prerequisites": ["drain it"]});
    control_plane.patch(&format!("/api/v1/releases/{draft}"), patch).await.ok();
}

/// An upgrade of an executor of its own that stands there, and what its page could offer.
pub(crate) async fn stands(control_plane: &ControlPlane, name: &str, how: &[&str]) -> Told {
    let has = |word: &str| how.contains(&word);
    let eyes = json!({"channels": if has("four-eyes") { vec!["stable"] } else { vec![] }}).to_string();
    control_plane.call(Method::PUT, "/api/v1/four-eyes", OWNER, eyes).await.ok();
    let (key, executor_id) = control_plane.executor(name, "1.0.0").await;
    let mut order = json!({"targetVersion": if has("steps") { "1.2.0" } else { "1.1.0" }});
    if has("manual") {
        order["confirmStart"] = json!("manual");
    }
    if has("scheduled") {
        let soon = control_plane.app.clock.now() + SignedDuration::from_hours(3);
        order["scheduledAt"] = json!(soon.to_string());
    }
    let request = format!("/api/v1/executors/{executor_id}/upgrade");
    let asked = control_plane.post(&request, order.clone()).await.ok();
    let upgrade_id = asked["id"].as_str().unwrap().to_owned();
    let upgrade = format!("/api/v1/upgrades/{upgrade_id}");
    for step in how {
        match step.split(' ').collect::<Vec<_>>()[..] {
            ["report", stage, status] => {
                let mut said = reported(name, "1.0.0", &upgrade_id, stage, status);
                said["upgrade"]["attempt"] = control_plane.get(&upgrade).await.ok()["attempt"].clone();
                control_plane.sync(&key, said).await.ok();
            }
            ["wait", ms] => control_plane.wait_ms(ms.parse().unwrap()),
            ["sync"] => {
                control_plane.sync(&key, said(name, "1.0.0")).await.ok();
                control_plane.app.tick().await.unwrap();
            }
            ["another"] => {
                control_plane.post(&request, order.clone()).await.ok();
            }
            ["manual" | "scheduled" | "four-eyes" | "steps"] => {}
            _ => {
                control_plane.post(&format!("{upgrade}/{step}"), why()).await.ok();
            }
        }
    }
    let actions = control_plane.get(&upgrade).await.ok()["actions"].clone();
    Told { upgrade_id, actions }
}

async fn ask(control_plane: &ControlPlane, upgrade_id: &str, verb: &str) -> Answered {
    let path = format!("/api/v1/upgrades/{upgrade_id}");
    if verb == "reschedule" {
        let at = control_plane.app.clock.now() + SignedDuration::from_hours(2);
        return control_plane.patch(&path, json!({"scheduledAt": at.to_string()})).await;
    }
    let body = if verb == "start" { json!({}) } else { why() };
    control_plane.post(&format!("{path}/{verb}"), body).await
}

#[tokio::test]
async fn what_could_be_asked_is_what_is_heard_in_every_state_and_the_reason_is_the_refusal() {
    let control_plane = ControlPlane::start().await;
    publish(&control_plane).await;
    let mut shown = Vec::new();
    for (number, (sentence, how)) in STATES.iter().enumerate() {
        let mut allowed = Vec::new();
        for verb in UpgradeVerb::ALL.map(UpgradeVerb::as_str) {
            let told = stands(&control_plane, &format!("host-{number}-{verb}"), how).await;
            let told_of = told.actions.as_array().unwrap().iter().find(|it| it["action"] == verb).unwrap();
            let answer = ask(&control_plane, &told.upgrade_id, verb).await;
            let heard = answer.status.is_success();
            assert_eq!(told_of["allowed"], heard, "{verb} of one that {sentence}: {told_of}");
            if heard {
                assert!(told_of["code"].is_null() && told_of["reason"].is_null(), "{told_of}");
                allowed.push(verb);
            } else {
                let error = &answer.json()["error"];
                assert_eq!(told_of["code"], error["code"], "{verb} of one that {sentence}");
                assert_eq!(told_of["reason"], error["message"], "{verb} of one that {sentence}");
            }
        }
        shown.push(format!("{sentence}: {}", allowed.join(" ")));
    }
    assert_eq!(shown, EXPECTED, "{shown:#?}");
}

const EXPECTED: &[&str] = &[
    "waits for its time: start validate reschedule pause abandon",
    "waits for its start: start validate reschedule pause abandon",
    "waits for its start and its host is gone: reschedule pause abandon",
    "waits for an approval: validate reschedule pause abandon",
    "waits for steps: validate reschedule pause abandon",
    "is offered: reschedule pause abandon",
    "is paused before it began: continue abandon",
    "is about to be tried out: abandon",
    "is tried out: abandon",
    "downloads: pause rollback abandon",
    "shall pause: continue rollback abandon",
    "stands still: continue rollback abandon",
    "shall be dropped: rollback",
    "is on trial: rollback",
    "shall be rolled back: ",
    "waits for its last word: complete rollback",
    "has its last word: rollback",
    "has completed: ",
    "was rolled back: reschedule continue retry",
    "has failed: reschedule continue retry",
    "has failed and another was requested: ",
    "has failed and its host is gone: reschedule continue",
    "was dropped by its host: ",
    "was dropped before it began: ",
    "was not picked up: reschedule continue retry",
    "brought no news: reschedule continue retry",
];
