//! Answers that no honest control plane gives, to the real HTTP client of the agent: each is told in one printable
//! line, and the agent may ask again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use novacula_agent::config::{Access, ControlPlaneConfig};
use novacula_agent::control_plane::{ControlPlane, NoAnswer};
use novacula_agent::error::printable;
use novacula_protocol::sync::{SyncRequest, SyncResponse};
use semver::Version;

/// Takes one request and answers with `parts`, as often as it says, or until nobody listens any more.
fn answering(parts: Vec<(Vec<u8>, usize)>) -> (String, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let mut connection = listener.accept().unwrap().0;
        take_request(&connection);
        let mut sent = 0;
        for (part, times) in parts {
            for _ in 0..times {
                if connection.write_all(&part).is_err() {
                    return sent;
                }
                sent += part.len();
            }
        }
        sent
    });
    (url, serving)
}

/// Gives what stands in its head.
fn take_request(connection: &TcpStream) -> String {
    let mut reader = BufReader::new(connection);
    let (mut line, mut length, mut head) = (String::from("-"), 0, String::new());
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line).unwrap();
        head += &line.to_ascii_lowercase();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    head
}

fn sync_with(url: &str) -> Result<SyncResponse, NoAnswer> {
    sync_waiting(url, 0).map(|(answer, _)| answer)
}

fn sync_waiting(url: &str, wait_s: u64) -> Result<(SyncResponse, bool), NoAnswer> {
    let config = ControlPlaneConfig {
        url: url.to_owned(),
        access: Access::Stored,
        allow_plain_http: false,
        ca_file: None,
    };
    let control_plane = ControlPlane::new(&config, "nva_test".to_owned(), &Version::new(1, 0, 0)).unwrap();
    let request: SyncRequest =
        serde_json::from_str(include_str!("../crates/protocol/tests/golden/sync-request-idle.json")).unwrap();
    control_plane.sync_waiting(&request, Duration::from_secs(20), wait_s)
}

#[test]
fn a_sync_that_may_wait_says_so_and_hears_whether_it_was_let() {
    let body = r#"{"controlPlaneVersion":"1.0.0","now":"2026-11-22T00:00:00Z"}"#;
    for (wait_s, prefers, applied, was_let) in [
        (25, true, "Preference-Applied: wait=25\r\n", true),
        (25, true, "", false),
        (25, true, "preference-applied: respond-async\r\n", false),
        (0, false, "", false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = format!("HTTP/1.1 200 OK\r\n{applied}content-length: {}\r\n\r\n{body}", body.len());
        let serving = thread::spawn(move || {
            let mut connection = listener.accept().unwrap().0;
            let head = take_request(&connection);
            connection.write_all(answer.as_bytes()).unwrap();
            head
        });
        assert_eq!(sync_waiting(&url, wait_s).unwrap().1, was_let, "{applied:?}");
        assert_eq!(serving.join().unwrap().contains("prefer: wait=25\r\n"), prefers);
    }
}

fn is_told_in_one_line(head: &str, body: Vec<(Vec<u8>, usize)>) -> usize {
    let parts = [vec![(format!("HTTP/1.1 {head}\r\n\r\n").into_bytes(), 1)], body].concat();
    let (url, serving) = answering(parts);
    let reason = sync_with(&url).expect_err("this is no answer").reason;
    assert_eq!(printable(&reason), reason);
    assert!(reason.starts_with(&url) || reason.contains(&format!("answer of {url}")), "{reason}");
    assert!(reason.chars().count() < 700, "{reason}");
    serving.join().unwrap()
}

#[test]
fn an_answer_of_50_mb_is_not_read_to_its_end() {
    const SIZE: usize = 50 * 1024 * 1024;
    let part = vec![b'['; 64 * 1024];
    let stated = format!("200 OK\r\ncontent-length: {SIZE}");
    let sent = is_told_in_one_line(&stated, vec![(part.clone(), SIZE / part.len())]);
    assert!(sent < SIZE / 2, "{sent} bytes were taken");
    let chunk = [format!("{:x}\r\n", part.len()).into_bytes(), part, b"\r\n".to_vec()].concat();
    let sent = is_told_in_one_line("200 OK\r\ntransfer-encoding: chunked", vec![(chunk, SIZE / (64 * 1024))]);
    assert!(sent < SIZE / 2, "{sent} bytes were taken");
}

#[test]
fn an_answer_that_is_garbage_or_too_deep_is_told_in_one_line() {
    let deep = "{\"pendingUpgrade\":".to_owned() + &"[".repeat(500_000);
    for body in ["", "null", "\u{1b}[2J\r\n", "<html>\n</html>", "{\"now\": \"\u{1b}]0;x\u{7}\"}", &deep] {
        let head = format!("200 OK\r\ncontent-length: {}", body.len());
        is_told_in_one_line(&head, vec![(body.as_bytes().to_vec(), 1)]);
    }
}

#[test]
fn an_error_that_writes_to_the_terminal_is_told_in_one_line() {
    let words = format!("\\u001b[2J\\n\\u202e{}", "x".repeat(10_000));
    let body = format!("{{\"error\":{{\"code\":\"{words}\",\"message\":\"{words}\"}}}}");
    for status in [
        "400 Bad Request",
        "401 \u{1b}[2J",
        "403 Forbidden",
        "500 Oops",
        "302 Found\r\nlocation: http://evil.org/",
    ] {
        let head = format!("{status}\r\ncontent-length: {}", body.len());
        is_told_in_one_line(&head, vec![(body.clone().into_bytes(), 1)]);
    }
}
