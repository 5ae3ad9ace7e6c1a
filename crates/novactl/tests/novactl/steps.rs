//! `novactl upgrade steps` and `novactl upgrade acknowledge`

use serde_json::{Value, json};

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples::UPGRADE;

fn server() -> Recorder {
    Recorder::start(|_| {
        let step = |number: u32, text: &str, by: Value| {
            let at = by.as_str().map(|_| "2026-11-21T08:00:00Z");
            json!({ "number": number, "text": text, "acknowledgedBy": by, "acknowledgedAt": at })
        };
        let before =
            [step(1, "Take a backup\nof all", json!("alice")), step(2, "Tell\u{1b}[2J", Value::Null)];
        (200, json!({ "prerequisites": before, "postrequisites": [] }).to_string())
    })
}

#[test]
fn the_steps_of_an_upgrade_are_shown_with_who_says_that_they_are_done() {
    let server = server();
    let said = novactl(&server.url(), &["upgrade", "steps", UPGRADE]);
    assert_eq!(said.code, 0, "{said:?}");
    let expected =
        "before:\n  +  1. Take a backup\n        of all\n        done, says alice, 2026-11-21 08:00:00Z\n";
    assert!(said.stdout.starts_with(expected) && said.stdout.ends_with("after: none\n"), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
    assert_eq!(server.lines(), [format!("GET /api/v1/upgrades/{UPGRADE}/steps")]);
    let json = novactl(&server.url(), &["upgrade", "steps", UPGRADE, "--json"]).json();
    assert_eq!(json["prerequisites"][0]["acknowledgedBy"], "alice");
}

#[test]
fn steps_are_acknowledged_by_their_numbers() {
    let server = server();
    let said = novactl(&server.url(), &["upgrade", "acknowledge", UPGRADE, "1", "2"]);
    assert!(said.code == 0 && said.stdout.contains("before:"), "{said:?}");
    novactl(&server.url(), &["upgrade", "acknowledge", UPGRADE, "1", "--after"]);
    let asked = server.asked();
    assert_eq!(asked[0].line, format!("POST /api/v1/upgrades/{UPGRADE}/prerequisites/acknowledge"));
    assert_eq!(asked[0].json(), json!({ "numbers": [1, 2] }));
    assert_eq!(asked[1].line, format!("POST /api/v1/upgrades/{UPGRADE}/postrequisites/acknowledge"));
    for wrong in [
        &["upgrade", "acknowledge", UPGRADE][..],
        &["upgrade", "acknowledge", UPGRADE, "0"],
        &["upgrade", "acknowledge", UPGRADE, "first"],
        &["upgrade", "acknowledge", "../releases", "1"],
        &["upgrade", "steps", "../releases"],
    ] {
        assert_eq!(novactl(&server.url(), wrong).code, 2, "{wrong:?}");
    }
}
