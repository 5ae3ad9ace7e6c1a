//! `novactl webhook …`, and what else is removed.

use serde_json::{Value, json};

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples::{self, EXECUTOR};

const WEBHOOK: &str = "01900000-0000-7000-8000-000000000004";
const DELIVERY: &str = "01900000-0000-7000-8000-000000000005";
const ALL: [&str; 11] = [
    "upgrade.started",
    "upgrade.completed",
    "upgrade.failed",
    "upgrade.rolledBack",
    "upgrade.approvalWanted",
    "plan.halted",
    "plan.paused",
    "plan.approvalWanted",
    "plan.wavePassed",
    "plan.completed",
    "plan.rolledBack",
];

fn webhook() -> Value {
    json!({
        "id": WEBHOOK, "url": "https://example.com/hook", "events": ["upgrade.failed"], "description": "\u{1b}[2J",
        "enabled": false, "disabledReason": "it answered with 410 Gone", "failingSince": "2026-11-21T08:00:00Z",
        "previousSecretUntil": null, "createdBy": "alice", "createdAt": "2026-11-21T08:00:00Z"
    })
}

fn delivery() -> Value {
    json!({
        "id": DELIVERY, "event": "upgrade.failed", "status": "givenUp", "attempts": 8,
        "createdAt": "2026-11-21T08:00:00Z", "nextAttemptAt": null, "lastAttemptAt": null, "lastStatus": 503,
        "lastAnswer": "\u{1b}[2Jcome again", "payload": "{}"
    })
}

fn server() -> Recorder {
    Recorder::start(|asked| {
        let mut issued = webhook();
        issued["secret"] = "nvw_c2VjcmV0".into();
        match asked.line.as_str() {
            line if line.starts_with("DELETE") => (204, String::new()),
            line if line.contains("GET /api/v1/executors/") => {
                (200, samples::executor_in_full("host-1", "1.0.0").to_string())
            }
            line if line.contains("/executors") => {
                (200, samples::page(&[samples::executor("host-1", "1.0.0")]))
            }
            line if line.ends_with("/test") || line.ends_with("/retry") => (202, delivery().to_string()),
            line if line.contains("/deliveries") => (200, samples::page(&[delivery()])),
            line if line.starts_with("POST") => (201, issued.to_string()),
            line if line.ends_with("/webhooks") => (200, samples::page(&[webhook()])),
            _ => (200, webhook().to_string()),
        }
    })
}

#[test]
fn every_command_of_a_webhook_asks_what_it_says_and_prints_no_escapes() {
    let base = format!("/api/v1/webhooks/{WEBHOOK}");
    let url = "https://example.com/hook";
    for (arguments, line, body, shown) in [
        (
            vec!["create", url],
            "POST /api/v1/webhooks".to_owned(),
            json!({"url": url, "events": ALL}),
            "nvw_c2VjcmV0",
        ),
        (
            vec!["create", url, "--event", "upgrade.failed", "--description", "x"],
            "POST /api/v1/webhooks".to_owned(),
            json!({"url": url, "events": ["upgrade.failed"], "description": "x"}),
            "nvw_c2VjcmV0",
        ),
        (vec!["list"], "GET /api/v1/webhooks".to_owned(), Value::Null, "disabled"),
        (vec!["show", WEBHOOK], format!("GET {base}"), Value::Null, "410 Gone"),
        (
            vec!["change", WEBHOOK, "--disable"],
            format!("PATCH {base}"),
            json!({"enabled": false}),
            "disabled",
        ),
        (
            vec!["change", WEBHOOK, "--enable", "--to", url, "--event", "upgrade.started"],
            format!("PATCH {base}"),
            json!({"enabled": true, "url": url, "events": ["upgrade.started"]}),
            url,
        ),
        (vec!["test", WEBHOOK], format!("POST {base}/test"), json!({}), DELIVERY),
        (vec!["rotate", WEBHOOK], format!("POST {base}/rotate"), json!({}), "nvw_c2VjcmV0"),
        (
            vec!["deliveries", WEBHOOK, "--status", "givenUp"],
            format!("GET {base}/deliveries?status=givenUp"),
            Value::Null,
            "503",
        ),
        (
            vec!["retry", WEBHOOK, DELIVERY],
            format!("POST {base}/deliveries/{DELIVERY}/retry"),
            json!({}),
            DELIVERY,
        ),
        (vec!["delete", WEBHOOK], format!("DELETE {base}"), Value::Null, "removed"),
        (
            vec!["delete", WEBHOOK, "--reason", "gone & away"],
            format!("DELETE {base}?reason=gone%20%26%20away"),
            Value::Null,
            "removed",
        ),
    ] {
        let server = server();
        let said = novactl(&server.url(), &[&["webhook"][..], &arguments].concat());
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains(shown) && !said.stdout.contains('\u{1b}'), "{said:?}");
        assert_eq!(server.lines(), [line]);
        let sent = server.asked().remove(0);
        if body != Value::Null {
            assert_eq!(sent.json(), body);
        }
        let said = novactl(&server.url(), &[&["webhook"][..], &arguments, &["--json"]].concat());
        assert!(said.code == 0 && said.json().is_object(), "{said:?}");
    }
}

#[test]
fn a_webhook_command_that_means_nothing_asks_nothing() {
    for (arguments, code) in [
        (&["webhook", "change", WEBHOOK][..], 2),
        (&["webhook", "change", WEBHOOK, "--enable", "--disable"], 2),
        (&["webhook", "create", "https://example.com", "--event", "upgrade.none"], 2),
        (&["webhook", "delete", "../executors"], 1),
        (&["webhook", "retry", WEBHOOK, "x"], 1),
    ] {
        let server = server();
        let said = novactl(&server.url(), arguments);
        assert_eq!((said.code, server.lines()), (code, vec![]), "{said:?}");
    }
}

#[test]
fn an_executor_is_removed_by_its_name_with_a_reason() {
    let server = server();
    let said = novactl(&server.url(), &["executor", "delete", "host-1", "--reason", "scrapped"]);
    assert!(said.code == 0 && said.stdout.contains("host-1 is removed"), "{said:?}");
    assert_eq!(
        server.lines().last().map(String::as_str),
        Some(format!("DELETE /api/v1/executors/{EXECUTOR}?reason=scrapped").as_str())
    );
}
