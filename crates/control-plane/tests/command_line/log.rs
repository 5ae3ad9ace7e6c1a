//! The log: what it says of every request, and what it never says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::program::{Running, wait_for};

fn entries(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// A request as nobody's client writes it; gives the whole answer.
fn raw(running: &Running, head: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(running.url.strip_prefix("http://").unwrap()).unwrap();
    let head = format!("{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body.as_bytes())).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn every_request_has_one_line_that_says_who_and_how_long() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let running = Running::start_with(&data_dir, &[("RUST_LOG", "debug")]);
    let token = running.owner();
    let (_, key) = running.call("POST", "/api/v1/executor-keys", &token, &json!({"name": "host-1"}));
    let said = json!({"name": "host-1", "kind": "agent", "currentVersion": "1.0.0", "target": "t"});
    running.call("POST", "/api/v1/syncExecutor", key["secret"].as_str().unwrap(), &said);
    running.call("GET", "/api/v1/releases?kind=agent", "nvu_nobody", &Value::Null);
    let claimed = raw(&running, "GET /healthz HTTP/1.1\r\nX-Request-Id: claimed-by-the-caller", "");
    let id = claimed.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().to_owned();
    assert_eq!(running.stop().0.code(), Some(0));

    let text = std::fs::read_to_string(data_dir.with_extension("log")).unwrap();
    assert!(!text.contains("claimed-by-the-caller"), "{text}");
    let entries = entries(&text);
    for (path, method, status, by, level) in [
        ("/api/v1/executor-keys", "POST", 201, Some("user owner"), "INFO"),
        ("/api/v1/syncExecutor", "POST", 200, Some("executor host-1"), "DEBUG"),
        ("/api/v1/releases", "GET", 401, None, "INFO"),
        ("/healthz", "GET", 200, None, "DEBUG"),
    ] {
        let lines: Vec<_> =
            entries.iter().filter(|entry| entry["path"] == path && entry["status"] != Value::Null).collect();
        assert_eq!(lines.len(), 1, "{path}: {text}");
        let line = lines[0];
        assert_eq!((&line["method"], &line["status"]), (&json!(method), &json!(status)), "{line}");
        assert_eq!((line["by"].as_str(), line["level"].as_str()), (by, Some(level)), "{line}");
        assert_eq!(line["account"].is_string(), by.is_some(), "{line}");
        assert!(line["duration_ms"].is_u64() && line["timestamp"].is_string(), "{line}");
        assert_eq!(line["span"]["id"].as_str().map(str::len), Some(36), "{line}");
        if path == "/healthz" {
            assert_eq!(line["span"]["id"], json!(id), "the caller can name it");
        }
    }
}

#[test]
fn no_secret_is_in_the_log_wherever_it_comes_in_and_however_much_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let hook = TcpListener::bind("127.0.0.1:0").unwrap();
    let environment = [("RUST_LOG", "trace,ureq=trace,ureq_proto=trace"), ("WEBHOOK_ALLOW_PRIVATE", "true")];
    let running = Running::start_with(&data_dir, &environment);
    let token = running.owner();
    let made = running.call("POST", "/api/v1/executor-keys", &token, &json!({})).1;
    let key = made["secret"].as_str().unwrap().to_owned();
    let strange = format!("nvu_{}", "5e".repeat(32));
    let in_url = "the-secret-of-the-hook";
    let url = format!("http://{}/{in_url}?token={in_url}", hook.local_addr().unwrap());
    let asked = json!({"url": url, "events": ["upgrade.failed"]});
    let webhook = running.call("POST", "/api/v1/webhooks", &token, &asked).1;
    let signing = webhook["secret"].as_str().unwrap().to_owned();
    let split = "nvw_cmPE13NIZ/6al4zcs+bA9oAn4C5pdT6EdOYwMDvrywA=".to_owned();
    let path = format!("/api/v1/webhooks/{}", webhook["id"].as_str().unwrap());
    running.call("PATCH", &path, &token, &json!({"url": url, "description": signing}));
    running.call("POST", &format!("{path}/test"), &token, &json!({}));
    // It is called, and hangs up: that too is logged.
    drop(hook.accept().unwrap());

    for secret in [&token, &key, &strange, &signing, &split] {
        for (method, path) in [
            ("GET", "/api/v1/releases".to_owned()),
            ("GET", format!("/api/v1/executors?name={secret}&token={secret}")),
            ("GET", format!("/api/v1/executors/{secret}")),
            ("GET", format!("/{secret}/{secret}?{secret}")),
            ("DELETE", format!("/api/v1/executor-keys/{secret}?reason={secret}")),
            ("POST", "/api/v1/syncExecutor".to_owned()),
            ("POST", "/api/v1/enroll".to_owned()),
            ("POST", "/api/v1/enrolment-tokens".to_owned()),
            ("PUT", format!("/api/v1/upgrades/{secret}")),
        ] {
            for bearer in [secret, &token, &key] {
                let body = json!({"name": secret, "kind": secret, "secret": secret, secret.as_str(): secret});
                running.call(method, &path, bearer, &body);
            }
        }
        let headers = ["Cookie", "X-Request-Id", "User-Agent", "Referer", "Authorization", "X-Api-Key"]
            .map(|name| format!("{name}: {secret}"))
            .join("\r\n");
        raw(&running, &format!("POST /api/v1/executors HTTP/1.1\r\n{headers}"), secret);
        raw(
            &running,
            &format!("GET http://u:{secret}@x/{secret} HTTP/1.1\r\nAuthorization: Basic {secret}"),
            "",
        );
        raw(&running, &format!("{secret} / HTTP/1.1"), "");
    }
    let log = || std::fs::read_to_string(data_dir.with_extension("log")).unwrap();
    wait_for("the call of the webhook is logged", || log().contains("webhook called"));
    running.stop();
    let text = log();
    assert!(entries(&text).len() > 100, "{text}");
    for secret in [&token, &key, &strange, &signing, &split] {
        let bare = &secret[4..];
        let found = text.lines().find(|line| line.contains(bare));
        assert_eq!(found, None);
    }
    assert_eq!(text.lines().find(|line| line.contains(in_url)), None);
}

#[test]
fn a_person_may_have_the_log_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let running = Running::start_with(&data_dir, &[("LOG_FORMAT", "text")]);
    running.call("GET", "/nowhere", "", &Value::Null);
    running.stop();
    let text = std::fs::read_to_string(data_dir.with_extension("log")).unwrap();
    assert!(text.contains("answered method=\"GET\" path=\"/…\" status=404"), "{text}");
}
