//! `novactl upgrade …`

use serde_json::{Value, json};

use crate::novactl::{Run, novactl};
use crate::recorder::{Recorder, Reply};
use crate::samples::{self, EXECUTOR, UPGRADE};

/// Knows one executor; what is asked of its upgrades gets the next of `replies`, the last one for ever.
fn server(mut replies: Vec<Reply>) -> Recorder {
    replies.reverse();
    Recorder::start(move |asked| match asked.line.as_str() {
        line if line.contains("/upgrade") => {
            if replies.len() > 1 {
                replies.pop().unwrap()
            } else {
                replies[0].clone()
            }
        }
        line if line.contains(EXECUTOR) => (200, samples::executor_in_full("host-1", "1.0.0").to_string()),
        _ => (200, samples::page(&[samples::executor("host-1", "1.0.0")])),
    })
}

fn step(stage: &str, status: &str, state: &str) -> Reply {
    (200, samples::upgrade(stage, status, state).to_string())
}

fn watch(server: &Recorder, more: &[&str]) -> Run {
    novactl(&server.url(), &[&["upgrade", "watch", UPGRADE, "--interval", "10ms"], more].concat())
}

#[test]
fn a_request_carries_every_wish_and_nothing_else() {
    let server = server(vec![step("CONFIRM_START", "UNSTARTED", "pending")]);
    let said = novactl(&server.url(), &["upgrade", "request", "host-1", "--target-version", "1.1.0"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains(&format!("novactl upgrade watch {UPGRADE}")), "{said:?}");
    let wishes = [
        "--at",
        "2026-11-21T02:00:00Z",
        "--confirm",
        "manual",
        "--health-window",
        "90s",
        "--description",
        "why not",
    ];
    let line =
        [&["upgrade", "request", EXECUTOR, "--target-version", "1.1.0", "--json"][..], &wishes].concat();
    let said = novactl(&server.url(), &line);
    assert_eq!(said.json()["id"], UPGRADE, "{said:?}");

    let posted: Vec<_> = server.asked().into_iter().filter(|asked| asked.line.starts_with("POST")).collect();
    assert_eq!(posted[0].line, format!("POST /api/v1/executors/{EXECUTOR}/upgrade"));
    assert_eq!(posted[0].json(), json!({ "targetVersion": "1.1.0" }));
    assert_eq!(
        posted[1].json(),
        json!({
            "targetVersion": "1.1.0", "scheduledAt": "2026-11-21T02:00:00Z", "confirm": "manual",
            "healthWindowMs": 90000, "description": "why not"
        })
    );
}

#[test]
fn what_runs_already_is_nothing_to_do_and_not_asked_for() {
    let server = server(vec![step("CONFIRM_START", "UNSTARTED", "pending")]);
    let said = novactl(&server.url(), &["upgrade", "request", "host-1", "--target-version", "1.0.0"]);
    assert_eq!((said.code, said.stderr.trim()), (3, "nothing to do: host-1 runs 1.0.0 already"), "{said:?}");
    assert!(server.lines().iter().all(|line| line.starts_with("GET")));
}

#[test]
fn a_refused_request_is_4() {
    let server =
        server(vec![(409, samples::problem("release_unreachable", "requires upgrade to 2.x first"))]);
    let said = novactl(&server.url(), &["upgrade", "request", "host-1", "--target-version", "3.0.0"]);
    assert_eq!((said.code, said.stderr.trim()), (4, "error: requires upgrade to 2.x first"), "{said:?}");
}

#[test]
fn a_watched_upgrade_that_completes_is_0_with_one_line_a_change() {
    let mut download = samples::upgrade("DOWNLOAD", "UNDERWAY", "running");
    download["bytesDone"] = json!(1_048_576);
    download["bytesTotal"] = json!(4_194_304);
    download["log"] = json!([{ "at": "2026-11-21T08:00:02Z", "level": "INFO", "message": "fetching" }]);
    let mut check = samples::upgrade("CHECK_HEALTH", "UNDERWAY", "running");
    check["log"] = json!([
        { "at": "2026-11-21T08:00:02Z", "level": "INFO", "message": "fetching" },
        { "at": "2026-11-21T08:00:09Z", "level": "SUCCESS", "message": "verified" }
    ]);
    let server = server(vec![
        step("CONFIRM_START", "UNSTARTED", "pending"),
        step("CONFIRM_START", "UNSTARTED", "pending"),
        (200, download.to_string()),
        (200, check.to_string()),
        (200, check.to_string()),
        step("COMPLETED", "COMPLETED", "completed"),
    ]);
    let said = watch(&server, &[]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    let expected = [
        "host-1: 1.0.0 → 1.1.0",
        "CONFIRM_START UNSTARTED",
        "  2026-11-21T08:00:02Z INFO    fetching",
        "DOWNLOAD UNDERWAY, 1.00 MiB of 4.00 MiB",
        "  2026-11-21T08:00:09Z SUCCESS verified",
        "CHECK_HEALTH UNDERWAY",
        "COMPLETED",
    ];
    assert_eq!(said.stdout.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_watched_upgrade_that_ends_in_any_other_way_is_1_with_its_reason() {
    for stage in ["ROLLEDBACK", "FAILED", "ABANDONED"] {
        let status = if stage == "ROLLEDBACK" { "ROLLEDBACK" } else { "FAILED" };
        let mut ended = samples::upgrade(stage, status, "error");
        ended["error"] = json!({
            "code": "crash_loop", "stage": "CHECK_HEALTH", "message": "it ended three times",
            "timestamp": "2026-11-21T08:01:00Z"
        });
        let server = server(vec![(200, ended.to_string())]);
        let said = watch(&server, &[]);
        assert_eq!(said.code, 1, "{said:?}");
        let last = format!("{stage}: it ended three times (crash_loop at CHECK_HEALTH)");
        assert_eq!(said.stdout.lines().last(), Some(last.as_str()));
        let shown = novactl(&server.url(), &["upgrade", "show", UPGRADE]);
        assert_eq!(shown.code, 0);
        assert!(shown.stdout.contains("x CHECK_HEALTH") && shown.stdout.contains("+ SWAP"), "{shown:?}");
    }
}

#[test]
fn an_upgrade_that_the_server_gave_up_ends_the_watch_at_any_stage() {
    let server = server(vec![step("DOWNLOAD", "FAILED", "error")]);
    assert_eq!(watch(&server, &[]).code, 1);
}

#[test]
fn a_watch_for_machines_is_one_object_a_line_and_a_change() {
    let server = server(vec![
        step("CONFIRM_START", "UNSTARTED", "pending"),
        step("CONFIRM_START", "UNSTARTED", "pending"),
        step("COMPLETED", "COMPLETED", "completed"),
    ]);
    let said = watch(&server, &["--json"]);
    let stages: Vec<Value> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["stage"].clone())
        .collect();
    assert_eq!((said.code, stages), (0, vec!["CONFIRM_START".into(), "COMPLETED".into()]), "{said:?}");
}

#[test]
fn request_and_watch_in_one_go_ends_as_the_upgrade_ends() {
    let server = server(vec![
        (201, samples::upgrade("CONFIRM_START", "UNSTARTED", "pending").to_string()),
        step("CONFIRM_START", "UNSTARTED", "pending"),
        step("ROLLEDBACK", "ROLLEDBACK", "error"),
    ]);
    let line = ["upgrade", "request", "host-1", "--target-version", "1.1.0", "--watch", "--interval", "10ms"];
    let said = novactl(&server.url(), &line);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.ends_with("ROLLEDBACK\n"), "{said:?}");
}

#[test]
fn a_watch_outlives_a_control_plane_that_is_away_for_a_moment() {
    let server = server(vec![
        step("RESTART", "UNDERWAY", "running"),
        (503, samples::problem("busy", "come back later")),
        (502, "<html>".to_owned()),
        step("COMPLETED", "COMPLETED", "completed"),
    ]);
    let said = watch(&server, &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.stderr.matches("trying again").count(), 1, "{said:?}");
    assert_eq!(said.stderr.matches("answers again").count(), 1, "{said:?}");
}

#[test]
fn a_watch_ends_at_once_when_the_answer_will_not_change() {
    let server = server(vec![(404, samples::problem("upgrade_not_found", "there is none"))]);
    let said = watch(&server, &[]);
    assert_eq!((said.code, server.lines().len()), (1, 1), "{said:?}");
}

#[test]
fn a_watch_with_a_timeout_gives_up_and_says_that_the_upgrade_goes_on() {
    let server = server(vec![step("CHECK_HEALTH", "UNDERWAY", "running")]);
    let said = watch(&server, &["--timeout", "50ms"]);
    assert!(said.code == 1 && said.stderr.contains("it goes on"), "{said:?}");
}

#[test]
fn upgrades_are_listed_newest_first_and_filtered() {
    let mut older = samples::upgrade("COMPLETED", "COMPLETED", "completed");
    older["createdAt"] = json!("2026-11-20T08:00:00Z");
    older["executorId"] = json!("01900000-0000-7000-8000-000000000009");
    let newer = samples::upgrade("DOWNLOAD", "UNDERWAY", "running");
    let server = server(vec![(200, samples::page(&[older, newer]))]);
    let states = |arguments: &[&str]| -> Vec<Value> {
        let said = novactl(&server.url(), &[&["upgrade", "list", "--json"], arguments].concat());
        said.json()["items"].as_array().unwrap().iter().map(|u| u["state"].clone()).collect()
    };
    assert_eq!(states(&[]), ["running", "completed"]);
    assert_eq!(states(&["--state", "completed"]), ["completed"]);
    assert_eq!(states(&["--executor", "host-1"]), ["running"]);
    assert!(server.lines().iter().any(|line| line.ends_with(&format!("/upgrades?executorId={EXECUTOR}"))));
    let said = novactl(&server.url(), &["upgrade", "list"]);
    assert!(said.stdout.lines().nth(1).unwrap().contains("DOWNLOAD UNDERWAY"), "{said:?}");
    assert_eq!(said.stderr, "");
    let said = novactl(&server.url(), &["upgrade", "list", "--limit", "1"]);
    assert_eq!(said.stdout.lines().count(), 2);
    assert!(said.stderr.contains("older ones are not shown"), "{said:?}");
    let said = novactl(&server.url(), &["upgrade", "list", "--limit", "1", "--json"]);
    assert!(said.stderr.starts_with("{\"note\":"), "stderr is JSON too: {said:?}");
}
