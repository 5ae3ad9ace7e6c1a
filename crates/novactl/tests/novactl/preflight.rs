//! `novactl executor preflight`

use serde_json::{Value, json};

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples::{self, EXECUTOR};

/// Knows one executor, whose checks are answered at the third look.
fn server(ok: bool) -> Recorder {
    let mut looks = 0;
    Recorder::start(move |asked| match asked.line.as_str() {
        line if line.contains("/preflight") => {
            looks += 1;
            let results: &[Value] = &[json!({
                "check": "disk_space", "ok": ok, "note": "3 GiB\u{1b}[2J free", "at": "2026-11-21T08:00:00Z"
            })];
            let answered = looks >= 3;
            let waiting: &[&str] = if answered { &[] } else { &["disk_space"] };
            let results = if answered { results } else { &[] };
            (200, json!({ "waiting": waiting, "results": results }).to_string())
        }
        line if line.contains(EXECUTOR) => (200, samples::executor_in_full("host-1", "1.0.0").to_string()),
        _ => (200, samples::page(&[samples::executor("host-1", "1.0.0")])),
    })
}

#[test]
fn checks_are_asked_for_and_waited_for() {
    let server = server(true);
    let wait = ["--check", "disk_space", "--wait", "--interval", "10ms"];
    let said = novactl(&server.url(), &[&["executor", "preflight", "host-1"][..], &wait].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("disk_space") && said.stdout.contains("ok"), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
    let asked: Vec<_> = server.asked().into_iter().filter(|asked| asked.line.contains("preflight")).collect();
    assert_eq!(asked[0].line, format!("POST /api/v1/executors/{EXECUTOR}/preflight"));
    assert_eq!(asked[0].json(), json!({ "checks": ["disk_space"] }));
    assert_eq!(asked.len(), 3);
}

#[test]
fn a_failed_check_fails_the_command_and_without_wait_nobody_waits() {
    let failed = server(false);
    let wait = ["--wait", "--interval", "10ms"];
    let said = novactl(&failed.url(), &[&["executor", "preflight", EXECUTOR][..], &wait].concat());
    assert!(said.code == 1 && said.stdout.contains("FAILED"), "{said:?}");
    let said = novactl(&server(true).url(), &["executor", "preflight", EXECUTOR]);
    assert!(said.code == 0 && said.stdout.contains("waiting"), "{said:?}");
}

#[test]
fn waiting_for_a_check_ends_at_its_timeout() {
    let never = Recorder::start(|asked| match asked.line.as_str() {
        line if line.contains("/preflight") => (200, json!({ "waiting": ["a"], "results": [] }).to_string()),
        _ => (200, samples::executor_in_full("host-1", "1.0.0").to_string()),
    });
    let wait = ["--wait", "--interval", "1ms", "--timeout", "5ms"];
    let said = novactl(&never.url(), &[&["executor", "preflight", EXECUTOR][..], &wait].concat());
    assert!(said.code == 1 && said.stderr.contains("had not answered a"), "{said:?}");
}
