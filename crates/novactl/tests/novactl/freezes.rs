//! `novactl freeze …`

use serde_json::{Value, json};

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples;

const FREEZE: &str = "01900000-0000-7000-8000-000000000005";

fn freeze(ended: &Value) -> Value {
    json!({
        "id": FREEZE, "reason": "year end\u{1b}[2J", "startsAt": "2026-12-20T00:00:00Z", "endsAt": "2027-01-01T23:00:00Z",
        "startsAtLocal": "2026-12-20T01:00:00+01:00", "endsAtLocal": "2027-01-02T00:00:00+01:00",
        "zone": "Europe/Berlin", "selector": { "matchLabels": {}, "matchExpressions": [] }, "isInForce": true,
        "createdBy": "owner", "createdAt": "2026-11-21T08:00:00Z",
        "endedBy": ended, "endReason": ended
    })
}

fn server() -> Recorder {
    Recorder::start(|asked| match asked.line.as_str() {
        line if line.starts_with("DELETE") => (204, String::new()),
        line if line.ends_with(FREEZE) => (200, freeze(&Value::Null).to_string()),
        line if line.ends_with("/end") => (200, freeze(&json!("all is well")).to_string()),
        line if line.starts_with("POST") => (201, freeze(&Value::Null).to_string()),
        _ => (200, samples::page(&[freeze(&Value::Null)])),
    })
}

#[test]
fn a_freeze_is_created_listed_and_ended_with_a_reason() {
    let server = server();
    let until = ["--until", "2027-01-01T23:00:00Z", "--zone", "Europe/Berlin"];
    let said = novactl(&server.url(), &[&["freeze", "create", "--reason", "year end"][..], &until].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("2027-01-02T00:00:00+01:00 (2027-01-01T23:00:00Z)"), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
    let expected = json!({
        "reason": "year end", "endsAt": "2027-01-01T23:00:00Z", "zone": "Europe/Berlin",
        "selector": { "matchLabels": {}, "matchExpressions": [] }
    });
    assert_eq!(server.asked()[0].json(), expected);
    let list = novactl(&server.url(), &["freeze", "list"]);
    assert!(list.code == 0 && list.stdout.contains("in force"), "{list:?}");
    assert_eq!(novactl(&server.url(), &["freeze", "list", "--json"]).json()["items"][0]["id"], FREEZE);
    let ended = novactl(&server.url(), &["freeze", "end", FREEZE, "--reason", "all is well"]);
    assert!(ended.code == 0 && ended.stdout.contains("ended by"), "{ended:?}");
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.line, format!("POST /api/v1/freezes/{FREEZE}/end"));
    assert_eq!(asked.json(), json!({ "reason": "all is well" }));
    assert_eq!(novactl(&server.url(), &["freeze", "delete", FREEZE]).code, 0);
    assert_eq!(server.lines().pop().unwrap(), format!("DELETE /api/v1/freezes/{FREEZE}"));
}
