//! `novactl account …`, `user …`, `token …` and `executor key …`

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples;

const ID: &str = "01900000-0000-7000-8000-000000000007";
const HOSTILE: &str = "\u{1b}[2Jx";

fn account(suspended: &Value) -> Value {
    json!({
        "id": ID, "name": "Customer 1", "founding": false, "suspendedAt": suspended,
        "suspensionReason": suspended.is_string().then_some(HOSTILE), "createdAt": "2026-11-01T08:00:00Z"
    })
}

fn user() -> Value {
    json!({
        "id": ID, "name": "jane@example.com", "role": "editor", "releaseManager": true, "hasPassword": true,
        "mustChangePassword": true, "oidcSubject": HOSTILE, "disabledAt": null, "createdAt": "2026-11-21T08:00:00Z"
    })
}

fn accounts() -> Recorder {
    let suspended = || account(&json!("2026-11-21T08:00:00Z"));
    Recorder::start(move |asked| match asked.line.as_str() {
        line if line.ends_with("/suspend") => (200, suspended().to_string()),
        line if line.starts_with("GET") => (200, samples::page(&[suspended()])),
        line if line.starts_with("POST /api/v1/accounts ") => (201, account(&Value::Null).to_string()),
        _ => (200, account(&Value::Null).to_string()),
    })
}

#[test]
fn accounts_are_made_renamed_suspended_and_resumed_with_a_reason() {
    let server = accounts();
    for (arguments, line, body) in [
        (
            &["account", "create", "Customer 1"][..],
            "POST /api/v1/accounts".to_owned(),
            json!({"name": "Customer 1"}),
        ),
        (
            &["account", "rename", "customer 1", "C1"],
            format!("PATCH /api/v1/accounts/{ID}"),
            json!({"name": "C1"}),
        ),
        (
            &["account", "suspend", "Customer 1", "--reason", "unpaid"],
            format!("POST /api/v1/accounts/{ID}/suspend"),
            json!({"reason": "unpaid"}),
        ),
        (
            &["account", "resume", ID, "--reason", "paid"],
            format!("POST /api/v1/accounts/{ID}/resume"),
            json!({"reason": "paid"}),
        ),
    ] {
        let said = novactl(&server.url(), arguments);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains("Customer 1") && !said.stdout.contains('\u{1b}'), "{said:?}");
        let asked = server.asked().pop().unwrap();
        assert_eq!((asked.line.clone(), asked.json()), (line, body));
    }
    let list = novactl(&server.url(), &["account", "list"]);
    assert!(list.stdout.contains("suspended") && !list.stdout.contains('\u{1b}'), "{list:?}");
    let nobody = novactl(&server.url(), &["account", "suspend", "nobody", "--reason", "x", "--json"]);
    assert_eq!((nobody.code, nobody.problem()["code"].as_str()), (1, Some("account_not_found")));
    assert_eq!(novactl(&server.url(), &["account", "suspend", "Customer 1"]).code, 2, "a reason is needed");
}

fn users() -> Recorder {
    Recorder::start(|asked| {
        let mut with_password = user();
        with_password["oneTimePassword"] = "abcde-fghij-kmnpq-rstuv".into();
        match asked.line.as_str() {
            line if line.starts_with("GET") => (200, samples::page(&[user()])),
            line if line.starts_with("DELETE") => (204, String::new()),
            line if line.starts_with("POST") => (201, with_password.to_string()),
            _ => (200, user().to_string()),
        }
    })
}

#[test]
fn somebody_is_added_with_a_password_that_is_shown_once() {
    let server = users();
    let rights = ["--role", "editor", "--release-manager", "--one-time-password", "--oidc-subject", "248"];
    let said = novactl(&server.url(), &[&["user", "add", "jane@example.com"][..], &rights].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout.contains("abcde-fghij-kmnpq-rstuv") && said.stdout.contains("shown this once"),
        "{said:?}"
    );
    assert!(said.stdout.contains("editor, release manager") && !said.stdout.contains('\u{1b}'), "{said:?}");
    let expected = json!({
        "name": "jane@example.com", "role": "editor", "releaseManager": true, "oneTimePassword": true, "oidcSubject": "248"
    });
    assert_eq!(server.asked()[0].json(), expected);
    assert_eq!(novactl(&server.url(), &["user", "add", "jane", "--role", "god"]).code, 2);
    let password = novactl(&server.url(), &["user", "add", "jane", "--role", "viewer", "--password", "x"]);
    assert_eq!(password.code, 2, "nobody types the password of somebody else");
}

#[test]
fn a_user_is_changed_removed_and_gets_a_new_password() {
    let server = users();
    for (arguments, line, body) in [
        (
            &["user", "change", "JANE@example.com", "--role", "admin", "--release-manager", "false"][..],
            format!("PATCH /api/v1/users/{ID}"),
            json!({"role": "admin", "releaseManager": false}),
        ),
        (
            &["user", "change", ID, "--disabled", "true", "--oidc-subject", ""],
            format!("PATCH /api/v1/users/{ID}"),
            json!({"disabled": true, "oidcSubject": ""}),
        ),
        (
            &["user", "reset-password", "jane@example.com"],
            format!("POST /api/v1/users/{ID}/password"),
            json!({}),
        ),
    ] {
        let said = novactl(&server.url(), arguments);
        assert_eq!(said.code, 0, "{said:?}");
        let asked = server.asked().pop().unwrap();
        assert_eq!((asked.line.clone(), asked.json()), (line, body));
    }
    let removed = novactl(&server.url(), &["user", "remove", "jane@example.com"]);
    assert_eq!((removed.code, server.lines().pop().unwrap()), (0, format!("DELETE /api/v1/users/{ID}")));
    let list = novactl(&server.url(), &["user", "list"]);
    assert!(list.stdout.contains("one-time password, OpenID"), "{list:?}");
    assert_eq!(novactl(&server.url(), &["user", "list", "--json"]).json()["items"][0]["id"], ID);
    assert_eq!(novactl(&server.url(), &["user", "change", "jane@example.com"]).code, 2);
    assert_eq!(novactl(&server.url(), &["user", "remove", "nobody"]).code, 1);
}

#[test]
fn a_token_is_printed_alone_so_that_it_can_go_into_a_file() {
    let server = Recorder::start(|asked| match asked.line.as_str() {
        line if line.starts_with("DELETE") => (204, String::new()),
        line if line.starts_with("POST") => (201, json!({ "id": ID, "secret": "nvu_secret" }).to_string()),
        _ => {
            let token = json!({
                "id": ID, "user": "jane", "name": HOSTILE, "createdAt": "2026-11-21T08:00:00Z",
                "expiresAt": "2027-02-19T08:00:00Z", "lastUsedOn": "2026-11-21", "revokedAt": null
            });
            (200, samples::page(&[token]))
        }
    });
    let said = novactl(&server.url(), &["token", "create", "ci", "--expires-in", "30d"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "nvu_secret\n"), "{said:?}");
    let asked = server.asked()[0].json();
    let ends: jiff::Timestamp = asked["expiresAt"].as_str().unwrap().parse().unwrap();
    let days = (ends.as_second() - jiff::Timestamp::now().as_second()) as f64 / 86_400.0;
    assert!(asked["name"] == "ci" && (29.9..=30.0).contains(&days), "{asked}");
    novactl(&server.url(), &["token", "create", "ci"]);
    assert_eq!(server.asked()[1].json(), json!({ "name": "ci" }));
    let list = novactl(&server.url(), &["token", "list"]);
    assert!(list.stdout.contains("2026-11-21") && !list.stdout.contains('\u{1b}'), "{list:?}");
    assert_eq!(novactl(&server.url(), &["token", "revoke", ID]).code, 0);
    assert_eq!(server.lines().pop().unwrap(), format!("DELETE /api/v1/tokens/{ID}"));
    assert_eq!(novactl(&server.url(), &["token", "revoke", "../users"]).code, 2);
}

#[test]
fn a_key_is_rotated_with_an_overlap_or_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let server = Recorder::start(|asked| match asked.line.as_str() {
        line if line.starts_with("DELETE") => (204, String::new()),
        line if line.starts_with("POST") => {
            let until =
                if asked.json()["overlapMs"] == 0 { Value::Null } else { json!("2026-11-22T08:00:00Z") };
            (201, json!({ "id": ID, "secret": "nva_secret", "previousUntil": until }).to_string())
        }
        _ => {
            let key = json!({
                "id": ID, "name": "host-1", "createdBy": "owner", "createdAt": "2026-11-21T08:00:00Z",
                "expiresAt": null, "previousUntil": "2026-11-22T08:00:00Z", "revokedAt": null
            });
            (200, samples::page(&[key]))
        }
    });
    let rotate = |more: &[&str]| novactl(&server.url(), &[&["executor", "key", "rotate", ID], more].concat());
    let said = rotate(&["--overlap", "1h"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "nva_secret\n"), "{said:?}");
    assert!(said.stderr.contains("until 2026-11-22T08:00:00Z"), "{said:?}");
    assert_eq!(server.asked()[0].json(), json!({ "overlapMs": 3_600_000 }));
    assert!(rotate(&["--at-once"]).stderr.contains("has ended"));
    assert_eq!(server.asked()[1].json(), json!({ "overlapMs": 0 }));

    let written = rotate(&["--write", path.to_str().unwrap()]);
    assert!(written.code == 0 && !written.stdout.contains("nva_secret"), "{written:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "nva_secret\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let before = server.asked().len();
    assert_eq!(rotate(&["--write", path.to_str().unwrap()]).code, 1);
    assert_eq!(server.asked().len(), before, "no secret is issued that cannot be kept");

    assert!(novactl(&server.url(), &["executor", "key", "list"]).stdout.contains("host-1"));
    assert_eq!(novactl(&server.url(), &["executor", "key", "revoke", ID]).code, 0);
    assert_eq!(server.lines().pop().unwrap(), format!("DELETE /api/v1/executor-keys/{ID}"));
    for wrong in
        [&["rotate", "host-1"][..], &["revoke", "x"], &["rotate", ID, "--overlap", "1h", "--at-once"]]
    {
        assert_eq!(novactl(&server.url(), &[&["executor", "key"], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn enrolment_tokens_are_listed_and_ended_with_a_reason() {
    let server = Recorder::start(|asked| match asked.line.starts_with("GET") {
        true => {
            let token = json!({
                "id": ID, "maxUses": 100, "uses": 12, "expiresAt": "2027-01-01T00:00:00Z", "createdBy": "alice",
                "createdAt": "2026-11-21T08:00:00Z", "revokedAt": null
            });
            (200, samples::page(&[token]))
        }
        false => (204, String::new()),
    });
    let said = novactl(&server.url(), &["executor", "enrolment-token", "list"]);
    assert!(said.stdout.contains("12 of 100") && said.stdout.contains("2027-01-01T00:00:00Z"), "{said:?}");
    let said = novactl(
        &server.url(),
        &["executor", "enrolment-token", "revoke", ID, "--reason", "the rack is full"],
    );
    assert_eq!(said.code, 0, "{said:?}");
    let asked = server.lines().pop().unwrap();
    assert_eq!(asked, format!("DELETE /api/v1/enrolment-tokens/{ID}?reason=the%20rack%20is%20full"));
    assert_eq!(novactl(&server.url(), &["executor", "enrolment-token", "revoke", "../users"]).code, 2);
}
