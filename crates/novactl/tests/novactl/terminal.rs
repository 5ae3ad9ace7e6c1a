//! What a hostile control plane or executor can do to the terminal of a person: nothing.

use serde_json::json;

use crate::novactl::{Run, novactl};
use crate::recorder::Recorder;
use crate::samples::{self, EXECUTOR, UPGRADE};

const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\u{202e}\u{7f}";

fn harmless(said: &Run) {
    for text in [&said.stdout, &said.stderr] {
        let bad = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(bad, None, "{said:?}");
    }
}

#[test]
fn no_string_of_the_server_reaches_the_terminal_as_a_command() {
    let server = Recorder::start(|asked| {
        let mut executor = samples::executor_in_full(HOSTILE, "1.0.0");
        executor["held"]["reason"] = HOSTILE.into();
        executor["labels"] = json!({ HOSTILE: HOSTILE });
        executor["target"] = HOSTILE.into();
        executor["availableUpgrades"][1]["reason"] = HOSTILE.into();
        let mut upgrade = samples::upgrade("FAILED", "FAILED", "error");
        upgrade["executorName"] = HOSTILE.into();
        upgrade["description"] = format!("one\n{HOSTILE}").into();
        upgrade["requestedBy"] = HOSTILE.into();
        upgrade["error"] = json!({
            "code": HOSTILE, "stage": "VERIFY", "message": HOSTILE, "timestamp": "2026-11-21T08:00:00Z"
        });
        upgrade["log"] = json!([{ "at": "2026-11-21T08:00:00Z", "level": "ERROR", "message": HOSTILE }]);
        let mut release = samples::release(
            "1.0.0",
            "published",
            &json!([
                { "target": HOSTILE, "size": 1, "sha256": "00", "signature": "" }
            ]),
        );
        release["notes"] = HOSTILE.into();
        match asked.line.as_str() {
            line if line.starts_with("PATCH") => (409, samples::problem(HOSTILE, HOSTILE)),
            line if line.contains(UPGRADE) => (200, upgrade.to_string()),
            line if line.contains("upgrades") => (200, samples::page(&[upgrade])),
            line if line.contains(EXECUTOR) => (200, executor.to_string()),
            line if line.contains("releases") => (200, samples::page(&[release])),
            _ => (200, samples::page(&[executor])),
        }
    });
    for (arguments, code) in [
        (&["executor", "list"][..], 0),
        (&["executor", "show", EXECUTOR], 0),
        (&["upgrade", "list"], 0),
        (&["upgrade", "show", UPGRADE], 0),
        (&["upgrade", "watch", UPGRADE], 1),
        (&["release", "list"], 0),
        (&["release", "yank", "1.0.0", "--reason", "x"], 4),
    ] {
        for json in [&[][..], &["--json"]] {
            let said = novactl(&server.url(), &[arguments, json].concat());
            assert_eq!(said.code, code, "{said:?}");
            harmless(&said);
        }
    }
    let said = novactl(&server.url(), &["upgrade", "show", UPGRADE, "--json"]);
    assert_eq!(said.json()["error"]["message"], HOSTILE, "machines get what was said");
}

#[test]
fn a_hostile_redirect_and_a_hostile_body_are_harmless_too() {
    for body in ["\u{1b}[2J", "{\"error\":\"\u{1b}[2J\"}", "{\"items\":[\"\u{9b}31m\"],\"nextCursor\":null}"]
    {
        let server = Recorder::start(move |_| (200, body.to_owned()));
        harmless(&novactl(&server.url(), &["release", "list"]));
    }
    harmless(&novactl("http://127.0.0.1:1", &["executor", "show", "\u{1b}[2J"]));
    harmless(&novactl("http://127.0.0.1:1", &["executor", "show", "\u{1b}[2J", "--json"]));
}
