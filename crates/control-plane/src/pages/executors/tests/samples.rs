//! Every page from a sample in which everything that people and executors can write is hostile.

use std::collections::BTreeMap;

use novacula_protocol::people::{Batch, Executor, ExecutorWindows, Preflight, Revision};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::{
    batches, bulk, delete, filters, labels, list, preflight, request, revisions, said, show, target,
};
use crate::example;
use crate::pages::action::{Action, Look};
use crate::pages::layout::Room;
use crate::pages::sample::{HOSTILE, check, layout};

/// An example with some of its fields as somebody hostile would fill them.
fn with<T: DeserializeOwned>(example: &str, fields: Value) -> T {
    let mut whole: Value = serde_json::from_str(example).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn executor() -> Executor {
    let labels = json!({HOSTILE: HOSTILE, "rack": "7"});
    with(
        example::EXECUTOR,
        json!({
            "name": HOSTILE, "target": HOSTILE, "labels": labels, "hostLabels": {HOSTILE: format!("{HOSTILE}2")},
            "labelsByPeople": labels, "held": {"reason": HOSTILE, "until": "2026-11-22T08:00:00Z"}, "support": "deprecated",
            "pendingUpgrade": {
                "targetVersion": "1.5.0", "direction": "upgrade", "stage": "DOWNLOAD", "status": "UNDERWAY", "state": "running",
            },
            "availableUpgrades": [
                {"version": "1.5.0", "channel": "stable", "notes": HOSTILE, "allowedAsDirectTarget": true, "reason": null},
                {"version": "3.0.0", "channel": "stable", "notes": "", "allowedAsDirectTarget": false,
                    "reason": "requires upgrade to 2.x first"},
            ],
            "plans": [{
                "planId": "p", "planName": HOSTILE, "wave": HOSTILE, "waveByLabels": "other", "outcome": "completed",
                "reason": HOSTILE,
            }],
        }),
    )
}

fn history() -> Vec<revisions::Row> {
    let revision: Revision = with(example::REVISION, json!({"by": HOSTILE, "description": HOSTILE}));
    revisions::rows(&executor(), [revision].into_iter(), None)
}

fn windows() -> ExecutorWindows {
    let hostile = |example: &str, name: &str| -> Value {
        let mut one: Value = serde_json::from_str(example).unwrap();
        (one[name], one["zone"]) = (HOSTILE.into(), HOSTILE.into());
        one
    };
    let window = hostile(example::WINDOW, "name");
    let fields = json!({
        "reason": HOSTILE, "isOpen": false, "next": window["next"], "windows": [window],
        "freezes": [hostile(example::FREEZE, "reason")],
    });
    with(example::EXECUTOR_WINDOWS, fields)
}

fn batch() -> Batch {
    let item = |outcome: &str| json!({"executorId": "e", "executorName": HOSTILE, "outcome": outcome, "reason": HOSTILE, "upgradeId": "u"});
    let items =
        ["waiting", "started", "completed", "failed", "needsHop", "alreadyThere", "refused", "skipped"];
    let fields = json!({
        "description": HOSTILE, "requestedBy": HOSTILE, "stoppedBecause": HOSTILE, "items": items.map(item),
    });
    with(example::BATCH, fields)
}

fn grave() -> Action {
    Action::new("Do", "/somewhere", Look::Grave).unless(Some(HOSTILE.to_owned()))
}

#[test]
fn the_list_renders_with_and_without_executors() {
    let pairs = ["search", "label", "label", "group", "version", "kind", "cursor"];
    let hostile = || filters::Filters::read(pairs.map(|name| (name.to_owned(), HOSTILE.to_owned())).to_vec());
    let page = |executors: Vec<Executor>, filters, cannot: Option<String>| list::ListPage {
        layout: layout(Room::Executors),
        refused: Some(HOSTILE.to_owned()),
        count: executors.len() as u64,
        next: Some("/executors/?cursor=6a".to_owned()),
        versions: vec!["1.0.0".parse().unwrap()],
        groups: vec![HOSTILE.to_owned()],
        bulk: Some(grave()),
        enrol: grave(),
        cannot,
        executors,
        filters,
    };
    check("executors", &page(vec![executor()], hostile(), None));
    check("executors for a viewer", &page(vec![executor()], hostile(), Some(HOSTILE.to_owned())));
    check("no match", &page(Vec::new(), hostile(), None));
    check("no executor at all", &page(Vec::new(), filters::Filters::default(), None));
}

#[test]
fn the_page_of_one_executor_renders_with_all_and_with_nothing() {
    let one = executor();
    let checks: Preflight = with(
        example::PREFLIGHT,
        json!({
            "waiting": [HOSTILE],
            "results": [{"check": HOSTILE, "ok": false, "note": HOSTILE, "at": "2026-11-21T08:00:00Z"}],
        }),
    );
    let full = |one: Executor| show::ShowPage {
        layout: layout(Room::Executors),
        why: with(example::EXPLANATION, json!({"message": HOSTILE})),
        upgrade: Some(with(example::UPGRADE, json!({"requestedBy": HOSTILE}))),
        windows: windows(),
        checks: checks.clone(),
        previous: said::previous(&one, &[]),
        labels: said::labels(&one),
        directions: target::directions(&one, None),
        history: history(),
        has_more_history: true,
        actions: vec![grave()],
        ask_for_checks: grave(),
        change_labels: grave(),
        one,
    };
    let bare = Executor {
        labels: BTreeMap::new(),
        host_labels: None,
        labels_by_people: None,
        plans: Some(Vec::new()),
        available_upgrades: None,
        available_downgrades: None,
        pending_upgrade: None,
        held: None,
        ..executor()
    };
    let windows: ExecutorWindows = serde_json::from_value(
        json!({"isOpen": true, "reason": null, "closesAt": null, "next": [], "windows": [], "freezes": []}),
    )
    .unwrap();
    let nothing = show::ShowPage {
        upgrade: None,
        windows,
        checks: Preflight { waiting: Vec::new(), results: Vec::new() },
        history: Vec::new(),
        ..full(bare)
    };
    check("executor", &full(one));
    check("a bare executor", &nothing);
}

#[test]
fn what_is_asked_of_an_executor_renders() {
    let typed = request::Typed {
        target: HOSTILE.to_owned(),
        scheduled_at: HOSTILE.to_owned(),
        description: HOSTILE.to_owned(),
        ..request::Typed::default()
    };
    let step = request::Step { version: "1.5.0".parse().unwrap(), notes: HOSTILE.to_owned(), size: None };
    let way = request::Way { is_back: false, releases: vec![step], download: Some(1), growth: None };
    let refused = || Some(HOSTILE.to_owned());
    let (layout, one) = (|| layout(Room::Executors), executor());
    let why = Some(with(example::EXPLANATION, json!({"message": HOSTILE})));
    let choice = vec!["1.5.0".parse().unwrap()];
    let page = request::RequestPage {
        layout: layout(),
        one: one.clone(),
        typed,
        refused: refused(),
        cannot: None,
        why,
        way: Some(way),
        choice,
    };
    check("request", &page);
    let rows = labels::rows(&one);
    check(
        "labels",
        &labels::LabelsPage {
            layout: layout(),
            one: one.clone(),
            refused: refused(),
            cannot: None,
            rows,
            reason: HOSTILE.to_owned(),
        },
    );
    check(
        "delete",
        &delete::DeletePage {
            layout: layout(),
            one: one.clone(),
            refused: refused(),
            cannot: None,
            reason: HOSTILE.to_owned(),
        },
    );
    check(
        "preflight",
        &preflight::PreflightPage {
            layout: layout(),
            one: one.clone(),
            refused: refused(),
            cannot: None,
            checks: HOSTILE.to_owned(),
        },
    );
    let page = revisions::RevisionsPage {
        layout: layout(),
        one: one.clone(),
        history: history(),
        next: None,
        is_first: false,
    };
    check("history", &page);
    let page = revisions::RollbackPage {
        layout: layout(),
        one,
        refused: refused(),
        cannot: None,
        target: Some(1),
        previous: HOSTILE.to_owned(),
        description: HOSTILE.to_owned(),
    };
    check("roll back", &page);
}

#[test]
fn what_is_asked_of_many_renders() {
    let asked = bulk::Asked {
        ids: vec![HOSTILE.to_owned()],
        labels: vec![HOSTILE.to_owned()],
        kind: HOSTILE.to_owned(),
        target: "1.5.0".to_owned(),
        description: HOSTILE.to_owned(),
        ..bulk::Asked::default()
    };
    let target = "1.5.0".parse().unwrap();
    let page = bulk::BulkPage {
        layout: layout(Room::Executors),
        asked,
        refused: Some(HOSTILE.to_owned()),
        cannot: None,
        versions: vec![target],
        preview: Some(bulk::preview(vec![executor()], &[], &"1.5.0".parse().unwrap(), None)),
    };
    check("bulk", &page);
    let lists = batches::BatchesPage {
        layout: layout(Room::Executors),
        batches: vec![batch()],
        next: None,
        is_first: true,
    };
    check("batches", &lists);
    let one = batch();
    let page = batches::BatchPage {
        layout: layout(Room::Executors),
        total: one.items.len(),
        counts: batches::counts(&one.items),
        outcome: HOSTILE.to_owned(),
        items: one.items.clone(),
        next: Some("/batches/b?from=50".to_owned()),
        is_first: false,
        abandon: grave(),
        batch: one,
    };
    check("batch", &page);
    let page = batches::AbandonPage {
        layout: layout(Room::Executors),
        batch: batch(),
        refused: Some(HOSTILE.to_owned()),
        cannot: None,
        waiting: 2,
        started: 1,
        reason: HOSTILE.to_owned(),
    };
    check("abandon", &page);
}

#[test]
fn the_parts_of_a_bar_lie_side_by_side_and_even_one_of_many_is_seen() {
    let mut items = batch().items;
    let one = items[3].clone();
    items = vec![items[2].clone(); 9_999];
    items.push(one);
    let counts = batches::counts(&items);
    let parts: Vec<_> = counts.iter().map(|count| (count.number, count.x, count.width)).collect();
    assert_eq!(parts, [(9_999, 0, 999), (1, 999, 2)]);
    assert!(batches::counts(&[]).is_empty());
}
