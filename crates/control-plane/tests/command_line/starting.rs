//! Start, settings, metrics, backup, end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::program::{Running, bare, run, wait_for};

#[test]
fn the_first_start_shows_the_owners_token_once_and_a_restart_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let first = Running::start(&data_dir);
    assert_eq!(first.lines.len(), 2);
    let token = first.lines[0].strip_prefix("owner token (shown once): ").unwrap().to_owned();
    assert!(token.starts_with("nvu_") && token.len() == 68);
    assert_eq!(first.call("GET", "/healthz", "", &Value::Null).0, 200);
    let (status, key) = first.call("POST", "/api/v1/executor-keys", &token, &json!({}));
    assert_eq!(status, 201);
    let key = key["secret"].as_str().unwrap().to_owned();
    let said =
        json!({"name": "host-1", "kind": "agent", "currentVersion": "1.0.0", "target": "t", "restarts": 1});
    assert_eq!(first.call("POST", "/api/v1/syncExecutor", &key, &said).0, 200);
    let again =
        json!({"name": "host-1", "kind": "agent", "currentVersion": "1.0.0", "target": "t", "restarts": 7});
    assert_eq!(first.call("POST", "/api/v1/syncExecutor", &key, &again).0, 200);
    let before = first.call("GET", "/api/v1/executors", &token, &Value::Null).1;
    assert_eq!(before["items"][0]["restarts"], 7);
    let (exit, rest) = first.stop();
    assert_eq!((exit.code(), rest.as_str()), (Some(0), ""));

    let second = Running::start(&data_dir);
    assert_eq!(second.lines.len(), 1);
    let after = second.call("GET", "/api/v1/executors", &token, &Value::Null).1;
    assert_eq!(after, before, "presence is flushed at the end");
    assert_eq!(second.call("POST", "/api/v1/syncExecutor", &key, &again).0, 200);
    assert_eq!(second.stop().0.code(), Some(0));

    let log = std::fs::read_to_string(data_dir.with_extension("log")).unwrap();
    assert!(log.contains("/api/v1/syncExecutor"), "the log of every request: {log}");
    assert!(!log.contains(&token) && !log.contains(&key), "no secret is ever logged");
    for file in
        std::fs::read_dir(&data_dir).unwrap().map(|entry| entry.unwrap().path()).filter(|p| p.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [&token, &key] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a secret", file.display());
        }
    }
}

#[test]
fn a_fleet_is_kept_in_small_pages() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
    assert!(status.contains("\nTHP_enabled:\t0\n"), "{status}");
}

#[test]
fn a_bad_value_stops_the_start_with_one_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    for (variable, value, expected) in [
        ("PORT", "http", "a number from 0 to 65535"),
        ("LISTEN", "everywhere", "an IP address"),
        ("PENDING_UPGRADE_TTL_MS", "15m", "a whole number"),
        ("HEARTBEAT_TIMEOUT_MS", "-1", "a whole number"),
        ("SYNC_INTERVAL_MS", "", "a whole number"),
        ("MAX_ARTIFACT_BYTES", "1GB", "a whole number"),
        ("DATABASE_URL", "mysql://db/novacula", "postgresql://"),
        ("PUBLIC_URL", "ftp://x", "a URL"),
        ("LOG_FORMAT", "xml", "json or text"),
        ("WEBHOOK_ALLOW_PRIVATE", "1", "true or false"),
        ("GATE_ALLOW_PRIVATE", "yes", "true or false"),
        ("TEST_CLOCK", "fast", "SPEED@TIMESTAMP"),
        ("TEST_KEY", "/nowhere", "a minisign public key"),
    ] {
        let output = run(|command| {
            command.env("DATA_DIR", folder.path().join("data")).env(variable, value);
        });
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}: {line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains(variable) && line.contains(expected), "{line}");
        assert!(output.stdout.is_empty());
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_control_plane_for_simulations_says_so_and_goes_on_in_its_own_time_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    // A day is a century and more.
    let environment = [("TEST_CLOCK", "10000@2026-11-21T00:00:00Z")];
    let since: jiff::Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    #[expect(clippy::disallowed_methods, reason = "what it shows is held against what it is")]
    let real = || jiff::Timestamp::now().duration_since(since).as_millis();
    let mut token = String::new();
    for start in 0..2 {
        let running = Running::start_with(&data_dir, &environment);
        let log = std::fs::read_to_string(data_dir.with_extension("log")).unwrap();
        assert!(log.contains("FOR SIMULATIONS ONLY"), "{log}");
        if start == 0 {
            token = running.owner();
        }
        let earliest = real();
        let (status, key) = running.call("POST", "/api/v1/executor-keys", &token, &json!({}));
        assert_eq!(status, 201, "{key}");
        let key = key["secret"].as_str().unwrap();
        let said = json!({"name": format!("host-{start}"), "kind": "agent", "currentVersion": "1.0.0", "target": "t"});
        let (status, answer) = running.call("POST", "/api/v1/syncExecutor", key, &said);
        assert_eq!(status, 200, "{answer}");
        let now: jiff::Timestamp = answer["now"].as_str().unwrap().parse().unwrap();
        let shown = now.duration_since(since).as_millis();
        assert!((earliest * 10_000..=real() * 10_000).contains(&shown), "it is {now}");
    }
    for (variable, value) in environment {
        let output = run(|command| {
            command.env("DATA_DIR", &data_dir).env("LISTEN", "0.0.0.0").env(variable, value);
        });
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        assert!(line.contains("must be a loopback address"), "{line}");
    }
}

#[test]
fn what_is_in_the_way_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let running = Running::start(&data_dir);
    let port = running.url.rsplit(':').next().unwrap().to_owned();
    let a_file = folder.path().join("file");
    std::fs::write(&a_file, "").unwrap();
    let elsewhere = folder.path().join("elsewhere");
    for (data_dir, port, expected) in [
        (&elsewhere, port.as_str(), "cannot listen on"),
        (&a_file, "0", "must be a folder this user can write"),
        (&data_dir, "0", "in use by another control plane"),
    ] {
        let output = run(|command| {
            command.arg("--data-dir").arg(data_dir).args(["--port", port]);
        });
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains(expected), "{line}");
    }
    assert_eq!(running.stop().0.code(), Some(0));
    for variable in ["WEBHOOK_CA_FILE", "GATE_CA_FILE"] {
        for (file, expected) in [(&a_file, "holds none"), (&elsewhere.join("none"), "No such file")] {
            let output = run(|command| {
                command.env("DATA_DIR", &data_dir).env("PORT", "0").env(variable, file);
            });
            let line = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{line}");
            assert!(line.contains(variable) && line.contains(expected), "{line}");
        }
    }
}

#[test]
fn a_refused_upload_hears_the_reason_even_if_it_sends_all_its_bytes_first() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let mut connection = TcpStream::connect(running.url.strip_prefix("http://").unwrap()).unwrap();
    let bytes = vec![b'x'; 20 << 20];
    let head = format!(
        "POST /api/v1/releases HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&bytes).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("invalid_api_key"), "{answer}");
}

#[test]
fn the_metrics_are_what_prometheus_reads() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    assert_eq!(running.call("POST", "/api/v1/syncExecutor", "nva_x", &json!({})).0, 401);
    let text =
        ureq::get(format!("{}/metrics", running.url)).call().unwrap().body_mut().read_to_string().unwrap();
    let parse = "import sys
from prometheus_client.parser import text_string_to_metric_families as read
for family in read(sys.stdin.read()):
    print(family.name, family.type, len(family.samples), bool(family.documentation))";
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", parse])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let read = python.wait_with_output().unwrap();
    assert!(read.status.success());
    let expected = "novacula_syncs counter 2 True
novacula_sync_duration_seconds histogram 15 True
novacula_denied_calls counter 1 True
novacula_webhook_calls counter 2 True
novacula_executors gauge 2 True
novacula_upgrades gauge 4 True
novacula_oldest_pending_upgrade_seconds gauge 1 True
novacula_sync_interval_seconds gauge 1 True
novacula_heartbeat_timeout_seconds gauge 1 True
novacula_syncs_in_flight gauge 1 True
novacula_timer_lateness_seconds gauge 1 True
novacula_store_writes_waiting gauge 1 True
novacula_syncs_shed counter 1 True
novacula_long_polls gauge 1 True
novacula_fleet_plans gauge 7 True
novacula_webhook_deliveries_pending gauge 1 True
novacula_counter_drift counter 3 True
";
    assert_eq!(String::from_utf8(read.stdout).unwrap(), expected);
}

#[test]
fn a_request_in_flight_is_answered_when_the_end_is_asked_for_and_no_other_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut running = Running::start(&data_dir);
    let token = running.lines[0].strip_prefix("owner token (shown once): ").unwrap().to_owned();
    let address = running.url.strip_prefix("http://").unwrap().to_owned();
    let mut connection = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /api/v1/executor-keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 17\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(b"{\"name\":").unwrap();
    let log = || std::fs::read_to_string(data_dir.with_extension("log")).unwrap();
    wait_for("the request is in flight", || log().contains("\"path\":\"/api/v1/executor-keys\""));
    let pid = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    wait_for("nobody listens any more", || TcpStream::connect(&address).is_err());
    assert!(running.child.try_wait().unwrap().is_none(), "it waits for the request");
    connection.write_all(b"\"host-1\"").unwrap();
    connection.write_all(b"}").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));

    let again = Running::start(&data_dir);
    let keys = again.call("GET", "/api/v1/executor-keys", &token, &Value::Null).1;
    assert_eq!(keys["items"][0]["name"], "host-1", "what was answered is kept");
}

#[test]
fn a_backup_taken_while_the_server_writes_is_whole_and_can_be_started_from() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let running = Running::start(&data_dir);
    let token = running.lines[0].strip_prefix("owner token (shown once): ").unwrap().to_owned();
    let key = |n: usize| {
        let made =
            running.call("POST", "/api/v1/executor-keys", &token, &json!({"name": format!("host-{n}")}));
        assert_eq!(made.0, 201);
    };
    (0..20).for_each(key);
    let copy = folder.path().join("copy.sqlite");
    let back_up = |to: &Path| bare().arg("backup").arg(to).env("DATA_DIR", &data_dir).output().unwrap();
    let is_copied = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 20.. {
                key(n);
                if is_copied.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for n in 0..10 {
            let made = back_up(&copy.with_extension(n.to_string()));
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        assert!(back_up(&copy).status.success());
        is_copied.store(true, Ordering::Relaxed);
    });
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let again = back_up(&copy);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
    let nowhere = bare().arg("backup").arg(folder.path().join("x")).args(["--data-dir", "/nowhere"]).output();
    assert!(String::from_utf8_lossy(&nowhere.unwrap().stderr).contains("there is no database /nowhere/"));

    for n in 0..10 {
        let checked = Command::new("sqlite3")
            .arg(copy.with_extension(n.to_string()))
            .arg("PRAGMA integrity_check")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(checked.stdout).unwrap(), "ok\n");
    }
    assert_eq!(running.stop().0.code(), Some(0));
    assert!(back_up(&folder.path().join("at rest")).status.success(), "also while nobody runs");

    let restored = folder.path().join("restored");
    std::fs::create_dir(&restored).unwrap();
    std::fs::copy(&copy, restored.join("novacula.sqlite")).unwrap();
    let anew = Running::start(&restored);
    assert_eq!(anew.lines.len(), 1, "its owner is known");
    let keys = anew.call("GET", "/api/v1/executor-keys?limit=500", &token, &Value::Null).1;
    let names: Vec<_> = keys["items"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect();
    assert!((0..20).all(|n| names.contains(&json!(format!("host-{n}")))), "{names:?}");
    assert_eq!(anew.call("POST", "/api/v1/executor-keys", &token, &json!({"name": "new"})).0, 201);
}

#[test]
fn who_has_lost_every_token_gets_a_new_one_on_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let reset = || bare().arg("reset-owner").env("DATA_DIR", &data_dir).output().unwrap();
    let nothing = reset();
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("there is no database"), "{nothing:?}");

    let running = Running::start(&data_dir);
    let first = running.lines[0].strip_prefix("owner token (shown once): ").unwrap().to_owned();
    let refused = reset();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "not while it runs");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in use"), "{refused:?}");
    let tokens = running.call("GET", "/api/v1/tokens", &first, &Value::Null).1;
    let path = format!("/api/v1/tokens/{}", tokens["items"][0]["id"].as_str().unwrap());
    assert_eq!(running.call("DELETE", &path, &first, &Value::Null).0, 204);
    assert_eq!(running.call("GET", "/api/v1/tokens", &first, &Value::Null).0, 401);
    running.stop();

    let said = String::from_utf8(reset().stdout).unwrap();
    let token =
        said.trim_end().strip_prefix("token of owner (shown once, for 90 days): ").unwrap().to_owned();
    let running = Running::start(&data_dir);
    assert_eq!(running.lines.len(), 1, "no second first token");
    let me = running.call("GET", "/api/v1/session", &token, &Value::Null).1;
    assert_eq!(
        (&me["name"], &me["role"], &me["releaseManager"]),
        (&json!("owner"), &json!("owner"), &json!(true))
    );
    let told = running.call("GET", "/api/v1/activity?action=token.issued", &token, &Value::Null).1;
    assert_eq!(told["items"][0]["actor"], "control plane");
    assert!(told["items"][0]["reason"].as_str().unwrap().contains("reset-owner"), "{told}");
    running.stop();
}

#[test]
fn a_person_logs_in_over_the_wire_and_is_counted_by_their_address() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let running = Running::start(&data_dir);
    let owner = running.lines[0].strip_prefix("owner token (shown once): ").unwrap().to_owned();
    let body = json!({"name": "jane", "role": "viewer", "oneTimePassword": true});
    let jane = running.call("POST", "/api/v1/users", &owner, &body).1;
    let login = |password: &Value| {
        running.call("POST", "/api/v1/session", "", &json!({"name": "jane", "password": password}))
    };
    assert_eq!(login(&jane["oneTimePassword"]).0, 201);
    let mut last = 0;
    for _ in 0..12 {
        last = login(&json!("wrong-wrong-wrong")).0;
    }
    assert_eq!(last, 429);
    let log = std::fs::read_to_string(data_dir.with_extension("log")).unwrap();
    assert!(log.contains("\"from\":\"127.0.0.1\""), "{log}");
    for secret in
        ["wrong-wrong-wrong", jane["oneTimePassword"].as_str().unwrap(), owner.as_str(), "argon2id$"]
    {
        assert!(!log.contains(secret), "{secret}");
    }
    running.stop();
}
