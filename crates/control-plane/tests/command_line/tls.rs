//! TLS of our own: handshakes that hold up nobody, and certificates that are exchanged while it runs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::program::{Running, run, wait_for};

/// A certificate for this machine that vouches for itself, and its key, in files.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn new(folder: &Path, name: &str) -> Self {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "30", "-subj", "/CN=test", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { certificate, key }
    }

    /// A client that believes this one alone, and keeps no connection.
    fn client(&self) -> ureq::Agent {
        let pem = std::fs::read(&self.certificate).unwrap();
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem).unwrap()]);
        ureq::Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(9)))
            .build()
            .into()
    }

    fn is_shown_at(&self, url: &str) -> bool {
        self.client().get(format!("{url}/healthz")).call().is_ok_and(|answer| answer.status() == 200)
    }
}

struct Site {
    folder: TempDir,
    /// What is served lies where the settings say.
    certificate: PathBuf,
    key: PathBuf,
    running: Running,
    first: Pair,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let first = Pair::new(folder.path(), "first");
        let (certificate, key) = (folder.path().join("tls.pem"), folder.path().join("tls.key"));
        std::fs::copy(&first.certificate, &certificate).unwrap();
        std::fs::copy(&first.key, &key).unwrap();
        let environment = [
            ("TLS_CERT_FILE", certificate.to_str().unwrap()),
            ("TLS_KEY_FILE", key.to_str().unwrap()),
            ("RUST_LOG", "info"),
        ];
        let running = Running::start_with(&folder.path().join("data"), &environment);
        Self { folder, certificate, key, running, first }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("data.log")).unwrap()
    }

    fn hang_up(&self) {
        let pid = self.running.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }
}

#[test]
fn calls_come_in_over_tls_and_executors_are_sent_back_the_same_way() {
    let site = Site::new();
    let url = &site.running.url;
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    assert!(site.first.is_shown_at(url));
    let client = site.first.client();
    let token = site.running.owner();
    let mut made = client
        .post(format!("{url}/api/v1/executor-keys"))
        .header("authorization", format!("Bearer {token}"))
        .send("{}")
        .unwrap();
    let made: Value = serde_json::from_str(&made.body_mut().read_to_string().unwrap()).unwrap();
    let said = json!({"name": "host-1", "kind": "agent", "currentVersion": "1.0.0", "target": "t"});
    let answer = client
        .post(format!("{url}/api/v1/syncExecutor"))
        .header("authorization", format!("Bearer {}", made["secret"].as_str().unwrap()))
        .send(said.to_string())
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!Pair::new(site.folder.path(), "stranger").is_shown_at(url), "the client does look");

    let mut plain = TcpStream::connect(url.strip_prefix("https://").unwrap()).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "nothing is said in the clear");
    assert_eq!(site.running.stop().0.code(), Some(0));
}

#[test]
fn those_who_do_not_shake_hands_hold_up_nobody_and_are_let_go() {
    let site = Site::new();
    let address = site.running.url.strip_prefix("https://").unwrap().to_owned();
    let mut silent: Vec<_> = (0..300).map(|_| TcpStream::connect(&address).unwrap()).collect();
    for stream in &mut silent[..100] {
        stream.write_all(&[0x16, 0x03]).unwrap();
    }
    assert!(site.first.is_shown_at(&site.running.url));
    let mut one = silent.pop().unwrap();
    one.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(one.read(&mut [0]).unwrap(), 0, "after a while it is hung up on");
    assert!(site.first.is_shown_at(&site.running.url));
}

#[test]
fn a_certificate_is_exchanged_while_it_runs_and_a_bad_one_is_not_taken() {
    let site = Site::new();
    let url = &site.running.url;
    let second = Pair::new(site.folder.path(), "second");
    let mut kept = site.first.client().get(format!("{url}/healthz")).call().unwrap();
    for (sentence, certificate, key, expected) in [
        ("no certificate", site.folder.path().join("nothing"), &second.key, "TLS_CERT_FILE"),
        ("a key for a certificate", second.key.clone(), &second.key, "TLS_CERT_FILE"),
        ("the key of another", second.certificate.clone(), &site.first.key, "TLS_KEY_FILE"),
    ] {
        let _ = std::fs::remove_file(&site.certificate);
        let _ = std::fs::copy(&certificate, &site.certificate);
        std::fs::copy(key, &site.key).unwrap();
        let before = site.log().lines().filter(|line| line.contains("stays in use")).count();
        site.hang_up();
        wait_for("it is told", || {
            site.log().lines().filter(|line| line.contains("stays in use")).count() > before
        });
        let log = site.log();
        let line = log.lines().rfind(|line| line.contains("stays in use")).unwrap();
        assert!(line.contains("ERROR") && line.contains(expected), "{sentence}: {line}");
        assert!(site.first.is_shown_at(url), "{sentence}");
    }
    std::fs::copy(&second.certificate, &site.certificate).unwrap();
    std::fs::copy(&second.key, &site.key).unwrap();
    site.hang_up();
    wait_for("the new one is shown", || second.is_shown_at(url));
    assert!(!site.first.is_shown_at(url));
    assert_eq!(kept.body_mut().read_to_string().unwrap(), "ok\n", "who was in stays in");
    assert_eq!(site.running.stop().0.code(), Some(0));
}

#[test]
fn a_certificate_that_is_of_no_use_stops_the_start_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Pair::new(folder.path(), "one"), Pair::new(folder.path(), "two"));
    let nothing = folder.path().join("nothing");
    for (certificate, key, code, expected) in [
        (Some(&one.certificate), None, 2, "TLS_CERT_FILE and TLS_KEY_FILE"),
        (Some(&nothing), Some(&one.key), 1, "TLS_CERT_FILE"),
        (Some(&one.certificate), Some(&nothing), 1, "TLS_KEY_FILE"),
        (Some(&one.key), Some(&one.key), 1, "PEM certificates"),
        (Some(&one.certificate), Some(&two.key), 1, "the key of TLS_CERT_FILE"),
    ] {
        let output = run(|command| {
            command.env("DATA_DIR", folder.path().join("data")).env("PORT", "0");
            command.envs(certificate.map(|file| ("TLS_CERT_FILE", file)));
            command.envs(key.map(|file| ("TLS_KEY_FILE", file)));
        });
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), line.lines().count()), (Some(code), 1), "{line}");
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn without_tls_a_hangup_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start_with(&folder.path().join("data"), &[("RUST_LOG", "info")]);
    let pid = running.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let log = || std::fs::read_to_string(folder.path().join("data.log")).unwrap();
    wait_for("it is told", || log().contains("there is no certificate"));
    assert_eq!(running.call("GET", "/healthz", "", &Value::Null).0, 200);
}
