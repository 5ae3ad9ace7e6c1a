//! `novactl upgrade start` and its siblings, batches, revisions, four eyes.

use serde_json::{Value, json};

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples::{self, EXECUTOR, UPGRADE};

fn server() -> Recorder {
    let upgrade = {
        let mut upgrade = samples::upgrade("DOWNLOAD", "PAUSED", "running");
        upgrade["waitsFor"] = json!({"code": "frozen", "message": "a freeze until Monday"});
        upgrade.to_string()
    };
    Recorder::start(move |asked| match asked.line.as_str() {
        line if line.contains("/executors?") => (200, samples::page(&[samples::executor("host-1", "1.0.0")])),
        line if line.starts_with("GET") && line.contains("/executors/") => {
            (200, samples::executor_in_full("host-1", "1.0.0").to_string())
        }
        line if line.contains("four-eyes") => (200, json!({"channels": ["stable"]}).to_string()),
        _ => (200, upgrade.clone()),
    })
}

#[test]
fn every_word_goes_to_its_own_call_with_its_reason() {
    let why = ["--reason", "lunch"];
    for (words, more, line, body) in [
        (&["start"][..], &[][..], "POST …/start", json!({"force": false})),
        (&["start", "--force"], &why, "POST …/start", json!({"force": true, "reason": "lunch"})),
        (&["validate"], &[], "POST …/validate", json!({})),
        (&["approve"], &why, "POST …/approve", json!({"reason": "lunch"})),
        (&["pause"], &why, "POST …/pause", json!({"reason": "lunch"})),
        (&["continue"], &why, "POST …/continue", json!({"reason": "lunch"})),
        (&["retry"], &[], "POST …/retry", json!({})),
        (&["rollback"], &[], "POST …/rollback", json!({})),
        (&["abandon"], &why, "POST …/abandon", json!({"reason": "lunch", "checkUnstarted": false})),
        (
            &["abandon", "--check-unstarted"],
            &why,
            "POST …/abandon",
            json!({"reason": "lunch", "checkUnstarted": true}),
        ),
        (&["complete"], &[], "POST …/complete", json!({})),
        (
            &["reschedule", "--at", "2026-11-22T02:00:00Z"],
            &[],
            "PATCH …",
            json!({"scheduledAt": "2026-11-22T02:00:00Z"}),
        ),
    ] {
        let server = server();
        let said = novactl(&server.url(), &[&["upgrade"], words, &[UPGRADE], more].concat());
        assert_eq!(said.code, 0, "{words:?}: {said:?}");
        assert!(said.stdout.contains("a freeze until Monday"), "{said:?}");
        let asked = server.asked().remove(0);
        assert_eq!(asked.line, line.replace('…', &format!("/api/v1/upgrades/{UPGRADE}")), "{words:?}");
        assert_eq!(asked.json(), body, "{words:?}");
    }
}

#[test]
fn who_has_to_say_why_is_asked_before_anything_is_sent() {
    for words in [&["pause"][..], &["continue"], &["abandon"], &["start", "--force"]] {
        let server = server();
        let said = novactl(&server.url(), &[&["upgrade"], words, &[UPGRADE]].concat());
        assert_eq!(said.code, 2, "{words:?}: {said:?}");
        assert!(said.stderr.contains("--reason"), "{said:?}");
        assert!(server.lines().is_empty(), "{words:?}");
    }
}

#[test]
fn the_way_back_goes_to_a_revision_or_to_the_last_successful_one() {
    for (more, path, body) in [
        (&[][..], "rollback/last-successful", json!({})),
        (&["--to-revision", "3"], "rollback", json!({"targetRevision": 3})),
    ] {
        let server = server();
        let said = novactl(&server.url(), &[&["executor", "rollback", EXECUTOR], more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.line, format!("POST /api/v1/executors/{EXECUTOR}/{path}"));
        assert_eq!(asked.json(), body);
    }
}

#[test]
fn a_batch_carries_every_wish_and_shows_what_became_of_each() {
    let batch = |items: Value| {
        json!({
            "id": UPGRADE, "kind": "agent", "targetVersion": "3.0.0", "concurrency": 2, "stopOnFailure": true,
            "hops": true, "confirm": "auto", "description": "", "requestedBy": "owner",
            "createdAt": "2026-11-21T08:00:00Z", "endedAt": null, "stoppedBecause": null, "items": items
        })
    };
    let item = json!({"executorId": EXECUTOR, "executorName": "host-1", "outcome": "needsHop",
        "reason": "requires upgrade to 2.x first", "upgradeId": null});
    let answer = batch(json!([item])).to_string();
    let server = Recorder::start(move |_| (202, answer.clone()));
    let line =
        "batch request --target-version 3.0.0 --label ring=canary --concurrency 2 --stop-on-failure --hops";
    let said = novactl(&server.url(), &line.split(' ').collect::<Vec<_>>());
    assert!(said.stdout.contains("host-1    needs hop"), "{said:?}");
    let asked = server.asked().remove(0);
    assert_eq!(asked.line, "POST /api/v1/releases/agent/batch-upgrade?targetVersion=3.0.0");
    let body = json!({"labels": {"ring": "canary"}, "concurrency": 2, "stopOnFailure": true, "hops": true});
    assert_eq!(asked.json(), body);
}

#[test]
fn what_is_followed_is_printed_event_by_event_to_its_end() {
    let event = |id: u32, message: &str| {
        let data = json!({"id": id, "attempt": 1, "at": "2026-11-21T08:00:00Z", "stage": "DOWNLOAD",
            "status": null, "level": "INFO", "message": message});
        format!("event: log\nid: {id}\ndata: {data}\n\n")
    };
    let end = |stage: &str, status: &str| {
        let data = json!({"validated": false, "started": true, "pauseRequested": false, "paused": false,
            "rollbackRequested": false, "abandonRequested": false, "currentStage": stage, "status": status,
            "attempt": 1, "bytesDone": 0, "bytesTotal": 0, "timeoutAt": null, "waitsFor": null,
            "failedWithError": null});
        format!("event: end\ndata: {data}\n\n")
    };
    for (stage, status, code) in [("COMPLETED", "COMPLETED", 0), ("ROLLEDBACK", "ROLLEDBACK", 1)] {
        // The first answer is cut off behind its second event.
        let mut replies = vec![
            (200, format!("{}{}", event(3, "three"), end(stage, status))),
            (200, format!("{}{}", event(1, "one\u{1b}[2J"), event(2, "two"))),
        ];
        let server = Recorder::start(move |_| replies.pop().unwrap());
        let said = novactl(&server.url(), &["upgrade", "events", UPGRADE, "--follow"]);
        assert_eq!(said.code, code, "{said:?}");
        let told: Vec<_> = said.stdout.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
        assert_eq!(told, ["one\u{fffd}[2J", "two", "three"], "{said:?}");
        assert_eq!(server.asked().len(), 2);
    }
}

#[test]
fn the_channels_that_want_four_eyes_are_chosen() {
    let server = server();
    let said = novactl(&server.url(), &["four-eyes", "set", "stable"]);
    assert_eq!(said.stdout, "upgrades to releases of stable want an approval\n");
    assert_eq!(server.asked()[0].json(), json!({"channels": ["stable"]}));
    let said = novactl(&server.url(), &["four-eyes", "set", "quick"]);
    assert_eq!(said.code, 2, "{said:?}");
}
