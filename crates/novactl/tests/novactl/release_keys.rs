//! `novactl release keys` and `novactl release consequences`

use serde_json::json;

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples::{RELEASE, page, release};

#[test]
fn keys_are_shown_with_who_trusts_them() {
    let server = Recorder::start(|_| {
        let signed = json!([{ "id": RELEASE, "kind": "agent", "version": "1.5.0", "status": "published" }]);
        let ours = json!({
            "id": "D0907DB088E50BE9", "name": "lab\u{1b}[2J", "trustedBy": 12, "lackedBy": 1, "signedCount": 2,
            "signed": signed,
        });
        let other = json!({
            "id": "E5BE0EC76B6AA375", "name": null, "trustedBy": 0, "lackedBy": 13, "signedCount": 0, "signed": [],
        });
        (200, json!({ "keys": [ours, other], "executors": 14, "silent": 1 }).to_string())
    });
    let said = novactl(&server.url(), &["release", "keys"]);
    assert_eq!(said.code, 0, "{said:?}");
    for part in ["D0907DB088E50BE9", "1.5.0 …", "not trusted here", "14 executors; 1 of them"] {
        assert!(said.stdout.contains(part), "{said:?}");
    }
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
    assert_eq!(server.lines(), ["GET /api/v1/release-keys"]);
}

#[test]
fn consequences_are_shown_by_version() {
    let server = Recorder::start(|asked| {
        if asked.line.contains("consequences") {
            let found = json!({
                "offeredTo": 14, "upgradesFor": 9, "running": 3, "pending": 1, "underWay": 0, "onTheWay": 0,
                "upgrades": [{
                    "id": RELEASE, "executorId": RELEASE, "executorName": "host-1", "targetVersion": "1.5.0",
                    "stage": "CONFIRM_START", "state": "pending",
                }],
                "plans": [{ "id": RELEASE, "name": "to-1-5", "state": "running", "waiting": 8 }],
                "instead": [{ "version": "1.4.2", "executors": 12 }, { "version": null, "executors": 2 }],
            });
            return (200, found.to_string());
        }
        (200, page(&[release("1.5.0", "published", &json!([]))]))
    });
    let said = novactl(&server.url(), &["release", "consequences", "1.5.0"]);
    assert_eq!(said.code, 0, "{said:?}");
    for part in
        ["agent 1.5.0, published", "1.4.2 for 12", "nothing for 2", "to-1-5 (running, 8 waiting)", "host-1"]
    {
        assert!(said.stdout.contains(part), "{part}: {said:?}");
    }
    assert_eq!(server.lines().last().unwrap(), &format!("GET /api/v1/releases/{RELEASE}/consequences"));
    assert_eq!(novactl(&server.url(), &["release", "consequences", "9.9.9"]).code, 1);
}
