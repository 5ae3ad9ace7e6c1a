//! The whole way against the real control plane; the executor is a few raw syncs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use novacula_lab::{ControlPlane, Signer, builds, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::novactl::{Run, command, run};

const LIMIT: Duration = Duration::from_secs(20);

pub struct Way {
    pub control_plane: ControlPlane,
    pub dir: TempDir,
}

/// An executor that only says what it is told to say.
pub struct Executor {
    url: String,
    key: String,
    name: &'static str,
}

impl Executor {
    pub fn sync(&self, version: &str, upgrade: &Value) -> Value {
        let body = json!({
            "name": self.name, "kind": "agent", "currentVersion": version, "channel": "stable",
            "target": builds::target(), "labels": {}, "bootId": "b", "restarts": 0, "held": null,
            "upgrade": upgrade, "preflight": []
        });
        self.say(&body)
    }

    /// Syncs, and answers whatever checks it is asked for; its clock is wrong.
    pub fn answer_checks(&self, version: &str) {
        let asked = self.sync(version, &Value::Null)["preflight"].clone();
        let result = |check: &Value| json!({ "check": check, "ok": check != "clock", "note": "40 s behind" });
        let results: Vec<_> = asked.as_array().unwrap().iter().map(result).collect();
        if !results.is_empty() {
            self.say(&json!({
                "name": self.name, "kind": "agent", "currentVersion": version, "channel": "stable",
                "target": builds::target(), "preflight": results
            }));
        }
    }

    pub fn say(&self, body: &Value) -> Value {
        let mut answer = ureq::post(format!("{}/api/v1/syncExecutor", self.url))
            .header("authorization", format!("Bearer {}", self.key))
            .send(body.to_string().as_bytes())
            .unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    /// Waits for a spec, then says each of these stages in turn; the last with this version running.
    pub fn carry_out(&self, from: &str, stages: &[(&str, &str, Value)], end: &str) {
        let spec = wait_for("the executor is offered an upgrade", LIMIT, || {
            Some(self.sync(from, &Value::Null)["pendingUpgrade"].clone()).filter(|spec| !spec.is_null())
        });
        for (number, (stage, status, error)) in stages.iter().enumerate() {
            let version = if number + 1 == stages.len() { end } else { from };
            let log =
                json!([{ "at": "2026-11-21T08:00:00Z", "level": "INFO", "message": format!("now {stage}") }]);
            let report = json!({
                "upgradeId": spec["upgradeId"], "attempt": spec["attempt"], "stage": stage, "status": status,
                "bytesDone": 5, "bytesTotal": 5, "error": error, "log": log
            });
            self.sync(version, &report);
        }
    }
}

impl Way {
    pub fn new() -> Self {
        Self { control_plane: ControlPlane::start(), dir: tempfile::tempdir().unwrap() }
    }

    pub fn novactl(&self, arguments: &[&str]) -> Run {
        run(command(&builds::novactl())
            .env("NOVACULA_URL", self.control_plane.url())
            .env("NOVACULA_TOKEN", self.control_plane.owner().token())
            .args(arguments))
    }

    pub fn artifact(&self, version: &str) -> PathBuf {
        let path = self.dir.path().join(version);
        std::fs::write(&path, format!("bytes of {version}")).unwrap();
        let signature = Signer::trusted().sign_agent(&path, version);
        std::fs::write(self.dir.path().join(format!("{version}.minisig")), signature).unwrap();
        path
    }

    pub fn publish(&self, version: &str, artifact: &Path, more: &[&str]) -> Run {
        let line = [&["release", "publish", "--version", version, artifact.to_str().unwrap()], more].concat();
        self.novactl(&line)
    }

    pub fn enrol(&self, name: &'static str, version: &str) -> Executor {
        let said = self.novactl(&["executor", "enroll", name, "--json"]);
        assert_eq!(said.code, 0, "{said:?}");
        let key = said.json()["secret"].as_str().unwrap().to_owned();
        let executor = Executor { url: self.control_plane.url(), key, name };
        executor.sync(version, &Value::Null);
        executor
    }
}

#[test]
fn from_enrolment_to_a_watched_upgrade_and_back_to_a_yanked_release() {
    let way = Way::new();
    let executor = way.enrol("host-1", "1.0.0");
    for version in ["1.1.0", "1.2.0", "3.0.0"] {
        let said = way.publish(version, &way.artifact(version), &["--notes", "better"]);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    }
    let said = way.novactl(&["release", "list", "--json"]);
    let listed = said.json()["items"].as_array().unwrap().clone();
    assert!(listed.iter().all(|release| release["status"] == "published"), "{said:?}");
    assert_eq!(listed.iter().map(|r| r["version"].clone()).collect::<Vec<_>>(), ["3.0.0", "1.2.0", "1.1.0"]);

    let said = way.novactl(&["executor", "show", "host-1"]);
    assert!(said.stdout.contains("requires upgrade to 2.x first"), "{said:?}");
    let said = way.novactl(&["executor", "list", "--status", "online", "--running", "1.0.0"]);
    assert!(said.code == 0 && said.stdout.contains("host-1"), "{said:?}");

    for (version, code, exit) in [("3.0.0", "release_unreachable", 4), ("1.9.9", "release_not_found", 1)] {
        let said = way.novactl(&["upgrade", "request", "host-1", "--target-version", version, "--json"]);
        assert_eq!((said.code, said.problem()["code"].as_str()), (exit, Some(code)), "{said:?}");
    }

    let request = |version: &str| {
        let line =
            ["upgrade", "request", "host-1", "--target-version", version, "--watch", "--interval", "20ms"];
        way.novactl(&line)
    };
    let said = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| request("1.1.0"));
        let none = Value::Null;
        let stages = [
            ("DOWNLOAD", "UNDERWAY", none.clone()),
            ("CHECK_HEALTH", "UNDERWAY", none.clone()),
            ("COMPLETED", "COMPLETED", none),
        ];
        executor.carry_out("1.0.0", &stages, "1.1.0");
        watcher.join().unwrap()
    });
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("now DOWNLOAD") && said.stdout.ends_with("\nCOMPLETED\n"), "{said:?}");

    let said = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| request("1.2.0"));
        let error = json!({
            "code": "crash_loop", "stage": "CHECK_HEALTH", "message": "it ended three times",
            "timestamp": "2026-11-21T08:00:00Z"
        });
        let stages = [("CHECK_HEALTH", "UNDERWAY", Value::Null), ("ROLLEDBACK", "ROLLEDBACK", error)];
        executor.carry_out("1.1.0", &stages, "1.1.0");
        watcher.join().unwrap()
    });
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("ROLLEDBACK: it ended three times"), "{said:?}");

    let said = way.novactl(&["upgrade", "list", "--executor", "host-1", "--json"]);
    let states: Vec<_> =
        said.json()["items"].as_array().unwrap().iter().map(|u| u["state"].clone()).collect();
    assert_eq!(states, ["error", "completed"], "{said:?}");
    let id = said.json()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(way.novactl(&["upgrade", "watch", &id]).code, 1, "an ended upgrade ends a watch at once");
    let shown = way.novactl(&["upgrade", "show", &id]);
    assert!(shown.stdout.contains("x ROLLEDBACK") && shown.stdout.contains("now CHECK_HEALTH"), "{shown:?}");

    for code in [0, 3] {
        let said = way.novactl(&["release", "yank", "1.2.0", "--reason", "it hangs"]);
        assert_eq!(said.code, code, "{said:?}");
    }
    let said = way.novactl(&["upgrade", "request", "host-1", "--target-version", "1.1.0"]);
    assert_eq!(said.code, 3, "{said:?}");
}

#[test]
fn an_upgrade_in_hand_refuses_a_second_request() {
    let way = Way::new();
    let _executor = way.enrol("host-1", "1.0.0");
    for version in ["1.1.0", "1.2.0"] {
        assert_eq!(way.publish(version, &way.artifact(version), &[]).code, 0);
    }
    let request =
        |version| way.novactl(&["upgrade", "request", "host-1", "--target-version", version, "--json"]);
    assert_eq!(request("1.1.0").json()["state"], "pending");
    let said = request("1.2.0");
    assert_eq!(
        (said.code, said.problem()["code"].as_str()),
        (4, Some("upgrade_already_pending")),
        "{said:?}"
    );
}

#[test]
fn a_release_takes_its_channel_and_notes_from_the_last_who_says_them() {
    let way = Way::new();
    let artifact = way.artifact("1.1.0");
    assert_eq!(way.publish("1.1.0", &artifact, &["--draft", "--notes", "old"]).code, 0);
    let said = way.publish("1.1.0", &artifact, &["--channel", "beta", "--notes", "new", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let release = said.json();
    assert_eq!(
        (release["status"].as_str(), release["channel"].as_str(), release["notes"].as_str()),
        (Some("published"), Some("beta"), Some("new"))
    );
    assert_eq!(way.publish("1.1.0", &artifact, &[]).code, 3, "published already");
    let said = way.publish("1.1.0", &artifact, &["--channel", "stable", "--json"]);
    assert_eq!(
        (said.code, said.json()["channel"].as_str()),
        (0, Some("stable")),
        "from beta to all: {said:?}"
    );
    std::fs::write(&artifact, "other bytes").unwrap();
    std::fs::write(way.dir.path().join("1.1.0.minisig"), Signer::trusted().sign_agent(&artifact, "1.1.0"))
        .unwrap();
    assert_eq!(way.publish("1.1.0", &artifact, &[]).code, 4, "a version is used once");
}

#[test]
fn an_enrolment_token_is_exchanged_for_keys() {
    let way = Way::new();
    let line = ["executor", "enroll", "--token", "--max-uses", "1", "--expires-in", "1h", "--json"];
    let token = way.novactl(&line).json()["secret"].as_str().unwrap().to_owned();
    let exchange = |name: &str| {
        ureq::post(format!("{}/api/v1/enroll", way.control_plane.url()))
            .header("authorization", format!("Bearer {token}"))
            .send(json!({ "name": name, "kind": "agent" }).to_string().as_bytes())
    };
    assert!(exchange("host-1").is_ok());
    assert!(exchange("host-2").is_err(), "it had one use");
}

#[test]
fn a_token_that_is_not_known_is_1_and_says_where_it_goes() {
    let way = Way::new();
    let said = run(command(&builds::novactl())
        .env("NOVACULA_URL", way.control_plane.url())
        .env("NOVACULA_TOKEN", "nvu_unknown")
        .args(["executor", "list"]));
    assert!(said.code == 1 && said.stderr.contains("--token-file or NOVACULA_TOKEN"), "{said:?}");
}

#[test]
fn a_watch_goes_on_while_the_control_plane_restarts() {
    let mut way = Way::new();
    let executor = way.enrol("host-1", "1.0.0");
    assert_eq!(way.publish("1.1.0", &way.artifact("1.1.0"), &[]).code, 0);
    let said = way.novactl(&["upgrade", "request", "host-1", "--target-version", "1.1.0", "--json"]);
    let id = said.json()["id"].as_str().unwrap().to_owned();
    let mut watch = command(&builds::novactl());
    watch
        .env("NOVACULA_URL", way.control_plane.url())
        .env("NOVACULA_TOKEN", way.control_plane.owner().token())
        .args(["upgrade", "watch", &id, "--interval", "20ms"]);
    let told = way.dir.path().join("stderr");
    watch.stdout(std::process::Stdio::null()).stderr(std::fs::File::create(&told).unwrap());
    way.control_plane.stop();
    let mut watch = watch.spawn().unwrap();
    wait_for("the watch notices", LIMIT, || {
        std::fs::read_to_string(&told).unwrap().contains("trying again").then_some(())
    });
    way.control_plane.start_again();
    executor.carry_out("1.0.0", &[("COMPLETED", "COMPLETED", Value::Null)], "1.1.0");
    let ended = wait_for("the watch ends", LIMIT, || watch.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0), "{}", std::fs::read_to_string(&told).unwrap());
}

#[test]
fn what_waits_is_explained_checked_and_told_afterwards() {
    let way = Way::new();
    let executor = way.enrol("host-1", "1.0.0");
    let explained = way.novactl(&["executor", "explain", "host-1"]);
    assert!(explained.code == 0 && explained.stdout.contains("no release"), "{explained:?}");
    way.publish("1.1.0", &way.artifact("1.1.0"), &[]);
    let explained = way.novactl(&["executor", "explain", "host-1", "--json"]);
    assert_eq!(
        (&explained.json()["rule"], &explained.json()["targetVersion"]),
        (&json!("nothing"), &json!("1.1.0"))
    );

    let asked = way.novactl(&["executor", "preflight", "host-1", "--check", "disk_space"]);
    assert!(asked.code == 0 && asked.stdout.contains("waiting"), "{asked:?}");
    let answer = wait_for("the executor is asked for the check", LIMIT, || {
        Some(executor.sync("1.0.0", &Value::Null))
            .filter(|answer| answer["preflight"] == json!(["disk_space"]))
    });
    assert_eq!(answer["pendingUpgrade"], Value::Null);
    executor.say(&json!({
        "name": "host-1", "kind": "agent", "currentVersion": "1.0.0", "channel": "stable", "target": builds::target(),
        "preflight": [{ "check": "disk_space", "ok": false, "note": "1 MiB free" }]
    }));
    let answer = executor.sync("1.0.0", &Value::Null);
    assert_eq!(answer["preflight"], json!([]));

    let told = way.novactl(&["activity", "list", "--target", "host-1", "--json"]);
    let actions: Vec<_> =
        told.json()["items"].as_array().unwrap().iter().map(|e| e["action"].clone()).collect();
    assert_eq!(actions, ["preflight.requested", "executor.created", "key.issued"]);
    let verdict = way.novactl(&["activity", "verify"]);
    assert!(verdict.code == 0 && verdict.stdout.contains("5 entries"), "{verdict:?}");
    let export = way.novactl(&["activity", "list", "--csv"]);
    assert_eq!(export.stdout.lines().count(), 1 + 5, "{export:?}");
}
