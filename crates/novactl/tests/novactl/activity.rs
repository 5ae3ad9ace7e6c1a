//! `novactl activity …`

use serde_json::{Value, json};

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples::{self, EXECUTOR};

fn entry(id: u64, reason: &str) -> Value {
    json!({
        "id": id, "at": "2026-11-21T08:00:00Z", "actor": "owner", "action": "executor.deleted", "target": EXECUTOR,
        "name": "host-1", "reason": reason, "before": {"currentVersion": "1.0.0"}, "after": null, "hash": "00"
    })
}

fn server() -> Recorder {
    Recorder::start(|_| (200, samples::page(&[entry(2, "=cmd|'/c calc'!A1"), entry(1, "\u{1b}[2Jgone")])))
}

#[test]
fn the_activity_is_listed_by_what_is_asked_for() {
    let server = server();
    let filters = [
        "--actor",
        "owner",
        "--action",
        "executor.deleted",
        "--target",
        "host-1",
        "--since",
        "2026-11-21T00:00:00Z",
    ];
    let said = novactl(&server.url(), &[&["activity", "list"][..], &filters].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("executor.deleted") && said.stdout.contains("host-1"), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
    let asked = &server.lines()[0];
    for part in ["actor=owner", "action=executor.deleted", "target=host-1", "since=2026-11-21T00"] {
        assert!(asked.contains(part), "{asked}");
    }
}

#[test]
fn an_export_is_a_table_without_formulas_and_without_escapes() {
    let said = novactl(&server().url(), &["activity", "list", "--csv"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<_> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{said:?}");
    assert!(lines[0].starts_with("id,at,actor,action"), "{said:?}");
    assert!(lines[1].contains("\"'=cmd|'/c calc'!A1\""), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
    assert_eq!(novactl("http://127.0.0.1:1", &["activity", "list", "--csv", "--json"]).code, 2);
}

#[test]
fn a_broken_chain_fails_the_command_and_names_the_entry() {
    let whole = json!({"intact": true, "firstBroken": null, "entries": 3, "head": "ab"}).to_string();
    let server = Recorder::start(move |_| (200, whole.clone()));
    let said = novactl(&server.url(), &["activity", "verify"]);
    assert!(said.code == 0 && said.stdout.contains("3 entries"), "{said:?}");
    assert_eq!(server.lines(), ["GET /api/v1/activity/verify"]);
    let broken = json!({"intact": false, "firstBroken": 2, "entries": 3, "head": "ab"}).to_string();
    let server = Recorder::start(move |_| (200, broken.clone()));
    let said = novactl(&server.url(), &["activity", "verify"]);
    assert!(said.code == 1 && said.stdout.contains("entry 2 of 3"), "{said:?}");
}
