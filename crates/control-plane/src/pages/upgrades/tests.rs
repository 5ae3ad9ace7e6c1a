//! Every page of this room from a sample, with what people and executors may write as hostile as it can be.

mod agreement;
mod forms;
mod walks;

use novacula_protocol::people::{
    Activity, Diff, StageEvents, Upgrade, UpgradeCounts, UpgradeProgress, UpgradeStep, UpgradeVerb,
};
use scraper::{Html, Selector};
use serde_json::{Value, json};

use super::bar::{bar, download, what_went_wrong};
use super::details::DetailsPage;
use super::instructions::{InstructionsPage, Part};
use super::list::{Asked, ListPage, Row};
use super::reschedule::{ReschedulePage, Schedule};
use super::standing::{standing, useful};
use super::verb::VerbPage;
use super::verb_words::{button, words_of};
use crate::in_process::{Answered, ControlPlane};
use crate::pages::action::{Action, Look};
use crate::pages::layout::Room;
use crate::pages::sample::as_written;
use crate::pages::sample::{HOSTILE, check, layout, now};

/// What a page shows there, one string an element.
fn texts(html: &Html, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let text = |element: scraper::ElementRef<'_>| element.text().collect::<String>().trim().to_owned();
    html.select(&selector).map(text).collect()
}

async fn page(control_plane: &ControlPlane, path: &str) -> Html {
    let answer = control_plane.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.bytes));
    html(&answer)
}

fn html(answer: &Answered) -> Html {
    Html::parse_document(&as_written(&answer.bytes))
}

/// Sends a form of ours as a browser does.
async fn send(control_plane: &ControlPlane, path: &str, token: &str, fields: &[(&str, &str)]) -> Answered {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = axum::http::Request::post(path)
        .header("host", "cp.test:3000")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.into())
        .unwrap();
    control_plane.send(request).await
}

fn upgrade(change: Value) -> Upgrade {
    let trouble = |stage: &str| json!({"code": HOSTILE, "stage": stage, "message": HOSTILE, "timestamp": "2026-11-21T20:40:00Z"});
    let mut whole: Value = serde_json::from_str(crate::example::UPGRADE).unwrap();
    let mut put = |more: &Value| {
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    };
    for name in ["executorName", "type", "description", "requestedBy", "startedBy"] {
        put(&json!({name: HOSTILE}));
    }
    put(&json!({
        "hopsTo": "2.0.0", "confirmStart": "manual", "confirm": "manual", "attempt": 2, "stage": "DOWNLOAD",
        "status": "UNDERWAY", "state": "running", "intent": "apply", "bytesDone": 1500, "bytesTotal": 3000,
        "error": trouble("DOWNLOAD"), "deadline": "2026-11-21T20:30:00Z", "overdue": true, "forced": true,
        "planId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687e", "endedAt": null
    }));
    put(&json!({
        "approval": {"approvedBy": HOSTILE, "approvedAt": "2026-11-21T20:00:00Z"},
        "validation": {
            "state": "failed", "attempt": 1, "askedBy": HOSTILE, "askedAt": "2026-11-21T20:00:00Z",
            "endedAt": "2026-11-21T20:01:00Z", "error": trouble("VERIFY")
        },
        "waitsFor": {"code": "frozen", "message": HOSTILE, "upgradeId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687f"},
        "actions": [{"action": "pause", "allowed": false, "code": "x", "reason": HOSTILE}]
    }));
    put(&change);
    serde_json::from_value(whole).unwrap()
}

fn stages() -> Vec<StageEvents> {
    let event = |at: &str, message: &str| json!({"id": 1, "attempt": 2, "at": at, "stage": "DOWNLOAD", "status": null, "level": "ERROR", "message": message});
    serde_json::from_value(json!([{
        "attempt": 2, "stage": "DOWNLOAD", "status": "UNDERWAY", "startedAt": "2026-11-21T20:47:04Z",
        "events": [event("2026-11-21T20:47:04Z", HOSTILE)]
    }]))
    .unwrap()
}

fn steps(is_done: bool) -> Vec<UpgradeStep> {
    let done = is_done.then(|| HOSTILE.to_owned());
    vec![UpgradeStep {
        number: 1,
        text: HOSTILE.to_owned(),
        acknowledged_at: done.is_some().then(now),
        acknowledged_by: done,
    }]
}

fn schedule(cannot: Option<String>) -> Schedule {
    let (at, earliest) = ("2026-11-21T22:00".to_owned(), "2026-11-21T21:50".to_owned());
    Schedule { at, earliest, deadline: Some(now()), reason: HOSTILE.to_owned(), cannot }
}

fn details(upgrade: Upgrade, diff: Result<Diff, String>, cannot: Option<String>) -> DetailsPage {
    let activity: Activity = serde_json::from_str(crate::example::ACTIVITY).unwrap();
    let hostile = Activity { actor: HOSTILE.to_owned(), reason: HOSTILE.to_owned(), ..activity };
    let progress: UpgradeProgress = serde_json::from_str(crate::example::PROGRESS).unwrap();
    DetailsPage {
        layout: layout(Room::Upgrades),
        standing: standing(&upgrade),
        went_wrong: what_went_wrong(&upgrade),
        bar: bar(&upgrade, &stages()),
        download: download(&upgrade, &stages(), now()),
        progress,
        actions: vec![button(UpgradeVerb::Pause, &upgrade.id, false).unless(cannot.clone())],
        schedule: schedule(cannot),
        diff,
        activity: vec![hostile],
        stages: stages(),
        is_unread: true,
        upgrade,
    }
}

#[test]
fn the_list_renders() {
    let row = |upgrade: Upgrade| Row {
        standing: standing(&upgrade),
        actions: useful(&upgrade).iter().map(|verb| button(*verb, &upgrade.id, true)).collect(),
        upgrade,
    };
    let list = |rows, asked| ListPage {
        layout: layout(Room::Upgrades),
        account: HOSTILE.to_owned(),
        counts: UpgradeCounts::default(),
        asked,
        rows,
        next: Some("/upgrades/?cursor=x".to_owned()),
        request: Action::new("Choose an executor", "/executors/", Look::First)
            .unless(Some(HOSTILE.to_owned())),
    };
    let hostile = || HOSTILE.to_owned();
    let asked = Asked { state: hostile(), executor_id: hostile(), cursor: hostile() };
    check("list", &list(vec![row(upgrade(json!({})))], asked.clone()));
    check("a list of nothing", &list(Vec::new(), Asked::default()));
    check("a list that is narrowed to nothing", &list(Vec::new(), asked));
}

#[test]
fn the_details_render_in_every_state() {
    let diff = || {
        let mut diff: Diff = serde_json::from_str(crate::example::DIFF).unwrap();
        diff.releases[0].notes = HOSTILE.to_owned();
        (diff.target.signed_by, diff.summary.is_key_new) = (Some(HOSTILE.to_owned()), Some(true));
        diff.summary.growth_bytes = Some(-5_000);
        diff
    };
    check("details", &details(upgrade(json!({})), Ok(diff()), None));
    let locked = Some(HOSTILE.to_owned());
    let waiting = json!({"stage": "CONFIRM_START", "status": "UNSTARTED", "state": "pending", "error": null});
    check("waiting", &details(upgrade(waiting), Err(HOSTILE.to_owned()), locked.clone()));
    for stage in ["ROLLEDBACK", "FAILED", "ABANDONED"] {
        let over = json!({"stage": stage, "state": "error", "endedAt": "2026-11-21T20:40:00Z"});
        check(stage, &details(upgrade(over), Ok(diff()), locked.clone()));
    }
}

#[test]
fn the_instructions_render() {
    let part = |is_done, cannot: Option<&str>| Part {
        name: if is_done { "prerequisites" } else { "postrequisites" },
        heading: "Before it begins",
        about: "by hand",
        steps: steps(is_done),
        cannot: cannot.map(str::to_owned),
    };
    let instructions = |parts| InstructionsPage {
        layout: layout(Room::Upgrades),
        upgrade: upgrade(json!({})),
        standing: standing(&upgrade(json!({}))),
        is_unread: true,
        parts,
        refused: Some(HOSTILE.to_owned()),
    };
    check("instructions", &instructions([part(true, None), part(false, None)]));
    check("instructions that are locked", &instructions([part(true, None), part(false, Some(HOSTILE))]));
}

#[test]
fn every_confirmation_renders_open_and_locked() {
    for verb in UpgradeVerb::ALL {
        for cannot in [None, Some(HOSTILE.to_owned())] {
            let page = VerbPage {
                layout: layout(Room::Upgrades),
                upgrade: upgrade(json!({})),
                verb,
                words: words_of(verb),
                cannot,
                refused: Some(HOSTILE.to_owned()),
                in_the_way: Some(HOSTILE.to_owned()),
                open_steps: steps(false),
                reason: HOSTILE.to_owned(),
                ticked: vec![1],
            };
            check(verb.as_str(), &page);
        }
    }
    for cannot in [None, Some(HOSTILE.to_owned())] {
        let refused = Some(HOSTILE.to_owned());
        let (layout, upgrade) = (layout(Room::Upgrades), upgrade(json!({})));
        check("reschedule", &ReschedulePage { layout, upgrade, schedule: schedule(cannot), refused });
    }
}
