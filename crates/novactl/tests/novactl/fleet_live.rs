//! `novactl fleet watch` and `fleet dry-run --wait`: what is looked at until it ends.

use crate::recorder::Recorder;
use crate::samples;
use serde_json::{Value, json};

use crate::fleet::{PLAN, answer, counts, fleet, halted, knowing, plan, wave};

fn event(id: u32, executor: &Value, message: &str) -> String {
    let data = json!({
        "id": id, "at": "2026-11-21T08:00:00Z", "level": "WARNING", "wave": "standard", "executorName": executor,
        "message": message
    });
    format!("event: log\nid: {id}\ndata: {data}\n\n")
}

fn progress(name: &str, state: &str, wave_state: &str) -> String {
    let data = json!({
        "state": state, "reason": "", "wave": "standard", "waveState": wave_state, "waveReason": "so it is\u{1b}[2J",
        "counts": counts(&json!({"completed": 3}))
    });
    format!("event: {name}\ndata: {data}\n\n")
}

#[test]
fn a_watch_ends_with_the_plan_and_says_how() {
    for (name, state, code) in [("end", "completed", 0), ("end", "rolledBack", 0), ("progress", "halted", 1)]
    {
        let first = [
            event(1, &json!("host-1"), "one"),
            progress("progress", "running", "running"),
            progress("progress", "running", "running"),
            event(2, &Value::Null, "two\u{1b}[2J"),
        ];
        let last = [
            event(3, &Value::Null, "three"),
            progress(name, state, "halted"),
            event(4, &json!("x"), "unheard"),
        ];
        // The first is cut off behind its second event.
        let mut streams = vec![(200, last.concat()), (200, first.concat())];
        let mut looks = 0;
        let server = Recorder::start(move |asked| {
            if asked.line.ends_with("/events") {
                return streams.pop().unwrap();
            }
            looks += 1;
            // By its name, whole, and once more at the end.
            let state = if looks < 3 { "running" } else { state };
            answer(asked, &plan(state, "so it is", &wave("standard", "running", "", &json!({}))))
        });
        let said = fleet(&server, &["watch", "monthly"]);
        assert_eq!(said.code, code, "{said:?}");
        let told: Vec<_> = said.stdout.lines().filter(|line| line.contains("WARNING")).collect();
        assert_eq!(told.len(), 3, "{said:?}");
        assert!(told[0].ends_with("standard, host-1: one") && told[1].contains("two\u{fffd}[2J"), "{said:?}");
        let stood =
            said.stdout.matches("running: standard running: so it is\u{fffd}[2J (3 completed)").count();
        assert_eq!(stood, 1, "what has not changed is not said again: {said:?}");
    }
    for (state, code) in [("completed", 0), ("halted", 1)] {
        let server = knowing(plan(state, "", &wave("standard", "passed", "", &json!({}))));
        let said = fleet(&server, &["watch", "monthly", "--json"]);
        assert_eq!(said.code, code, "{said:?}");
        assert_eq!(said.json()["state"], state, "one line, the plan");
        assert!(!server.lines().iter().any(|line| line.contains("/events")), "nothing is to be followed");
    }
}

pub(crate) fn dry_run(owes: &Value, answered: &Value) -> Value {
    let member = |name: &str, more: &Value| {
        let mut member = json!({
            "executorId": samples::EXECUTOR, "name": name, "canary": true, "currentVersion": "1.0.0",
            "route": ["2.0.0", "3.0.0"], "status": "online", "obstacle": null, "preflight": [], "owes": []
        });
        member.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        member
    };
    let away = json!({
        "status": "offline", "route": [], "obstacle": "its host is held: audit", "owes": ["clock"],
        "executorId": samples::UPGRADE
    });
    json!({
        "targetVersion": "3.0.0", "warnings": ["`canary` is clamped to 2"], "endsAt": "2026-11-23T08:00:00Z",
        "inNoWave": ["alone-1", "alone-2"],
        "waves": [{
            "name": "canary", "maxInFlight": 1, "canary": 1, "startsAt": "2026-11-21T08:00:00Z",
            "endsAt": "2026-11-22T08:00:00Z", "wantsApproval": true,
            "executors": [member("host-1", &json!({"owes": owes, "preflight": answered})), member("host-2", &away)]
        }]
    })
}

#[test]
fn a_dry_run_shows_every_wave_with_hops_and_what_stands_in_the_way() {
    let failed =
        json!([{"check": "clock", "ok": false, "note": "40 s behind", "at": "2026-11-21T08:00:00Z"}]);
    let server = Recorder::start(move |_| (200, dry_run(&json!([]), &failed).to_string()));
    let said = fleet(&server, &["dry-run", "-"]);
    assert_eq!(said.code, 0, "{said:?}");
    for expected in [
        "2 executors would go to 3.0.0; nothing is changed",
        "`canary` is clamped to 2",
        "wave canary: 2 executors, 1 at once, 1 of them first; 2026-11-21T08:00:00Z to 2026-11-22T08:00:00Z, then a person approves",
        "2.0.0 → 3.0.0 (2 hops)",
        "clock FAILED: 40 s behind",
        "its host is held: audit",
        "in no wave (2): alone-1, alone-2",
    ] {
        assert!(said.stdout.contains(expected), "{expected}: {}", said.stdout);
    }
    assert_eq!(server.lines(), ["POST /api/v1/fleet/plans/dry-run"]);
    let server = Recorder::start(|asked| match asked.line.as_str() {
        line if line.starts_with("POST") => (200, dry_run(&json!([]), &json!([])).to_string()),
        _ => answer(asked, &halted()),
    });
    assert_eq!(fleet(&server, &["dry-run", "--plan", "monthly", "--json"]).json()["targetVersion"], "3.0.0");
    assert_eq!(server.lines().pop().unwrap(), format!("POST /api/v1/fleet/plans/{PLAN}/dry-run"));
    for wrong in [&["dry-run"][..], &["dry-run", "-", "--plan", "x"], &["dry-run", "-", "--timeout", "1m"]] {
        assert_eq!(fleet(&server, wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_dry_run_waits_for_those_who_are_online_and_not_for_ever() {
    let pace = ["--wait", "--interval", "10ms"];
    let answer = |at: &str| json!([{"check": "clock", "ok": true, "note": "", "at": at}]);
    let (before, after) = (answer("2026-11-21T08:00:00Z"), answer("2026-11-21T09:00:00Z"));
    for (sentence, last) in [
        ("it owes nothing any more", dry_run(&json!([]), &after)),
        ("it is asked again each time, and has answered", dry_run(&json!(["clock"]), &after)),
    ] {
        let owing = dry_run(&json!(["clock"]), &before).to_string();
        let mut replies = vec![
            (200, last.to_string()),
            (503, samples::problem("busy", "later")),
            (200, owing.clone()),
            (200, owing),
        ];
        let server = Recorder::start(move |_| replies.pop().unwrap());
        let said = fleet(&server, &[&["dry-run", "-"][..], &pace].concat());
        assert_eq!((said.code, server.lines().len()), (0, 4), "{sentence}: {said:?}");
    }
    let server = Recorder::start(move |_| (200, dry_run(&json!(["clock"]), &before).to_string()));
    let said = fleet(&server, &[&["dry-run", "-", "--timeout", "50ms"][..], &pace].concat());
    assert!(said.code == 1 && said.stderr.contains("host-1 had not answered"), "{said:?}");
    assert!(!said.stderr.contains("host-2"), "who is out of reach is not waited for: {said:?}");
    assert!(said.stdout.contains("1 not answered"), "what is known is shown: {said:?}");
}
