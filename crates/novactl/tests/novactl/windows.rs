//! `novactl window …`

use serde_json::{Value, json};

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples;

const WINDOW: &str = "01900000-0000-7000-8000-000000000004";
const WHEN: [&str; 6] = ["--cron", "30 2 * * *", "--duration", "1h", "--zone", "Europe/Berlin"];

fn window(id: &Value) -> Value {
    json!({
        "id": id, "name": "nightly\u{1b}[2J", "cron": "30 2 * * *", "durationMs": 3_600_000, "zone": "Europe/Berlin",
        "selector": { "matchLabels": { "ring": "canary" }, "matchExpressions": [] },
        "createdBy": "owner", "createdAt": "2026-10-24T12:00:00Z", "isOpen": false, "closesAt": null,
        "next": [{
            "opensAt": "2026-10-25T00:30:00Z", "closesAt": "2026-10-25T01:30:00Z", "window": "nightly",
            "opensAtLocal": "2026-10-25T02:30:00+02:00", "closesAtLocal": "2026-10-25T02:30:00+01:00",
            "zone": "Europe/Berlin"
        }]
    })
}

fn server() -> Recorder {
    Recorder::start(|asked| match asked.line.as_str() {
        line if line.starts_with("DELETE") => (204, String::new()),
        line if line.ends_with("/preview") => (200, window(&Value::Null).to_string()),
        line if line.starts_with("POST") => (201, window(&json!(WINDOW)).to_string()),
        _ => (200, samples::page(&[window(&json!(WINDOW))])),
    })
}

#[test]
fn a_window_is_created_and_its_openings_are_shown_in_local_time_and_utc() {
    let server = server();
    let selector = ["--selector", "ring=canary,site!=berlin"];
    let said = novactl(&server.url(), &[&["window", "create", "nightly"][..], &WHEN, &selector].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("2026-10-25T02:30:00+02:00 to 2026-10-25T02:30:00+01:00"), "{said:?}");
    assert!(said.stdout.contains("(2026-10-25T00:30:00Z to 2026-10-25T01:30:00Z)"), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /api/v1/windows");
    let expected = json!({
        "name": "nightly", "cron": "30 2 * * *", "durationMs": 3_600_000, "zone": "Europe/Berlin",
        "selector": {
            "matchLabels": { "ring": "canary" },
            "matchExpressions": [{ "key": "site", "operator": "NotIn", "values": ["berlin"] }]
        }
    });
    assert_eq!(asked.json(), expected);
}

#[test]
fn a_preview_asks_for_nothing_to_be_kept() {
    let server = server();
    let said = novactl(&server.url(), &[&["window", "preview"][..], &WHEN].concat());
    assert!(said.code == 0 && said.stdout.contains("2026-10-25T00:30:00Z"), "{said:?}");
    assert_eq!(server.lines(), ["POST /api/v1/windows/preview"]);
}

#[test]
fn windows_are_listed_shown_and_deleted_by_name_or_id() {
    let server = server();
    let list = novactl(&server.url(), &["window", "list"]);
    assert!(
        list.code == 0 && list.stdout.contains("ring=canary") && list.stdout.contains("60 min"),
        "{list:?}"
    );
    assert_eq!(novactl(&server.url(), &["window", "list", "--json"]).json()["items"][0]["id"], WINDOW);
    assert_eq!(novactl(&server.url(), &["window", "show", WINDOW, "--json"]).json()["zone"], "Europe/Berlin");
    let deleted = novactl(&server.url(), &["window", "delete", "nightly\u{1b}[2J"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert!(server.lines().contains(&format!("DELETE /api/v1/windows/{WINDOW}")));
    let missing = novactl(&server.url(), &["window", "delete", "weekly", "--json"]);
    assert_eq!((missing.code, &missing.problem()["code"]), (1, &json!("window_not_found")));
}

#[test]
fn a_window_is_changed_as_far_as_it_is_said() {
    let server = Recorder::start(|asked| match asked.line.as_str() {
        line if line.starts_with("PATCH") => (200, window(&json!(WINDOW)).to_string()),
        _ => (200, samples::page(&[window(&json!(WINDOW))])),
    });
    let said = novactl(&server.url(), &["window", "change", WINDOW, "--duration", "2h", "--selector", ""]);
    assert_eq!(said.code, 0, "{said:?}");
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.line, format!("PATCH /api/v1/windows/{WINDOW}"));
    let everybody = json!({ "matchLabels": {}, "matchExpressions": [] });
    assert_eq!(asked.json(), json!({ "durationMs": 7_200_000, "selector": everybody }));
    assert_eq!(novactl(&server.url(), &["window", "change", WINDOW]).code, 2);
}

#[test]
fn an_executor_shows_why_it_is_not_open() {
    let windows = json!({
        "isOpen": false, "reason": "frozen until then: audit\u{1b}[2J", "closesAt": null, "next": window(&json!(1))["next"],
        "windows": [window(&json!(WINDOW))], "freezes": []
    });
    let server = Recorder::start(move |asked| match asked.line.as_str() {
        line if line.ends_with("/windows") => (200, windows.to_string()),
        _ => (200, samples::executor_in_full("host-1", "1.0.0").to_string()),
    });
    let said = novactl(&server.url(), &["executor", "windows", samples::EXECUTOR]);
    assert!(said.code == 0 && said.stdout.starts_with("frozen until then: audit"), "{said:?}");
    assert!(said.stdout.contains("2026-10-25T02:30:00+02:00") && !said.stdout.contains('\u{1b}'), "{said:?}");
}

#[test]
fn what_is_no_window_is_wrong_usage() {
    for wrong in [
        &["window", "create", "nightly"][..],
        &[&["window", "create"][..], &WHEN].concat(),
        &[&["window", "create", "nightly"][..], &WHEN, &["--selector", "ring in canary"]].concat(),
        &["window", "preview", "--cron", "0 2 * * *", "--duration", "60", "--zone", "UTC"],
        &["freeze", "create", "--until", "2027-01-01T00:00:00Z"],
        &["freeze", "create", "--reason", "x", "--until", "new year"],
        &["freeze", "end", "01900000-0000-7000-8000-000000000004"],
        &["freeze", "end", "../windows", "--reason", "x"],
    ] {
        assert_eq!(novactl("http://127.0.0.1:1", wrong).code, 2, "{wrong:?}");
    }
}
