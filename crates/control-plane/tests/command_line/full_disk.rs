//! A disk that is really full: people are told so, nothing is half there, and it goes on by itself.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};

use crate::program::{Running, wait_for};

const DISK_BYTES: u64 = 8 << 20;

/// A small disk of memory, seen by this thread and what it starts, gone with them.
fn small_disk(place: &Path) {
    unshare(CloneFlags::CLONE_NEWNS).expect("root may have mounts of its own");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let size = format!("size={DISK_BYTES}");
    mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).unwrap();
}

/// Takes the rest of the disk.
fn fill(place: &Path) {
    let mut file = File::create(place.join("filler")).unwrap();
    while file.write_all(&[0; 4_096]).is_ok() {}
}

fn status(running: &Running, path: &str) -> u16 {
    running.call("GET", path, "", &Value::Null).0
}

fn upload(running: &Running, token: &str, artifact: &Path) -> (u16, Value) {
    let output = Command::new("curl")
        .args(["--silent", "--write-out", "\n%{http_code}", "--header"])
        .arg(format!("Authorization: Bearer {token}"))
        .args(["--form", "kind=agent", "--form", "version=1.0.0", "--form", "signature=x", "--form"])
        .arg(format!("artifact=@{}", artifact.display()))
        .arg(format!("{}/api/v1/releases", running.url))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn a_full_disk_is_told_leaves_nothing_half_done_and_is_recovered_from() {
    let folder = tempfile::tempdir().unwrap();
    small_disk(folder.path());
    let data_dir = folder.path().join("data");
    let elsewhere = tempfile::tempdir().unwrap();
    let artifact = elsewhere.path().join("agent");
    std::fs::write(&artifact, vec![b'x'; 6 << 20]).unwrap();

    let running = Running::start_with(&data_dir, &[("RUST_LOG", "info")]);
    let token = running.owner();
    let key = running.call("POST", "/api/v1/executor-keys", &token, &json!({})).1;
    let key = key["secret"].as_str().unwrap().to_owned();
    let hook = json!({"url": "https://example.com/", "events": ["upgrade.failed"], "description": "0 "});
    let made = running.call("POST", "/api/v1/webhooks", &token, &hook).1;
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    fill(folder.path());

    let (refused, problem) = upload(&running, &token, &artifact);
    assert_eq!((refused, &problem["error"]["code"]), (507, &json!("disk_full")), "{problem}");
    let artifacts = || std::fs::read_dir(data_dir.join("artifacts")).unwrap().count();
    assert_eq!(artifacts(), 0, "not even a part of it");

    // Some room may be left in the files of the database; then there is none.
    let mut n = 0;
    let (refused, problem) = loop {
        n += 1;
        assert!(n < 5_000, "the disk is never full");
        let change = json!({"description": format!("{n} {}", "x".repeat(900))});
        let answer = running.call("PATCH", &path, &token, &change);
        if answer.0 != 200 {
            break answer;
        }
    };
    assert_eq!((refused, &problem["error"]["code"]), (507, &json!("disk_full")), "{problem}");
    let said = json!({"name": "host-1", "kind": "agent", "currentVersion": "1.0.0", "target": "t"});
    let (refused, problem) = running.call("POST", "/api/v1/syncExecutor", &key, &said);
    assert_eq!((refused, &problem["error"]["code"]), (503, &json!("unavailable")), "{problem}");
    assert_eq!(status(&running, "/healthz"), 200, "no executor on trial is told that nobody is there");
    let shown = running.call("GET", &path, &token, &Value::Null).1;
    assert!(
        shown["description"].as_str().unwrap().starts_with(&format!("{} ", n - 1)),
        "as before the refused one"
    );
    let verdict = running.call("GET", "/api/v1/activity/verify", &token, &Value::Null).1;
    assert_eq!(verdict["intact"], true);

    std::fs::remove_file(folder.path().join("filler")).unwrap();
    wait_for("it is ready again, by itself", || status(&running, "/readyz") == 200);
    assert_eq!(running.call("PATCH", &path, &token, &json!({"description": "room"})).0, 200);
    assert_eq!(running.call("POST", "/api/v1/syncExecutor", &key, &said).0, 200);
    let after = running.call("GET", "/api/v1/activity/verify", &token, &Value::Null).1;
    assert_eq!(after["intact"], true);
    assert_eq!(running.call("GET", "/api/v1/releases", &token, &Value::Null).1["items"], json!([]));
    assert_eq!(running.stop().0.code(), Some(0));
}
