//! Answers about an artifact, and to syncs, that no honest server gives.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use novacula_lab::scripted::{Scripted, Serve, reply_with};
use novacula_protocol::RefusalCode;
use novacula_protocol::sync::UpgradeReport;
use serde_json::{Value, json};

use crate::bench::{Agent, Release, control_plane, end_of, passed, refused};
use crate::line::{Fate, Line};
use crate::nginx::Nginx;

const STORM: [Fate; 4] = [
    Fate::Answer("401 Unauthorized\r\n"),
    Fate::Answer("403 Forbidden\r\n"),
    Fate::Answer("429 Too Many Requests\r\nretry-after: 1\r\n"),
    Fate::Answer("503 Service Unavailable\r\nretry-after: soon\r\n"),
];

/// The end of a dry run of a good release that a server serves like this.
fn served(serve: impl Fn(&Release, &str, &mut TcpStream) + Send + Sync + 'static) -> UpgradeReport {
    let release = Release::good();
    let served = Release::good();
    let serving: Box<Serve> = Box::new(move |head, connection| serve(&served, head, connection));
    let control_plane = Scripted::start(serving);
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    control_plane.offer(release.dry_run(&format!("{}/artifact", control_plane.url())));
    let end = end_of(&control_plane);
    assert!(agent.runs());
    agent.is_untouched();
    end
}

#[test]
fn a_storm_of_errors_ends_no_agent_and_is_said_once() {
    let control_plane = control_plane();
    let line = Line::to_url(&control_plane.url(), &STORM);
    let mut agent = Agent::new(&line.url());
    agent.start();
    agent.wait_until_it_says("the control plane accepts syncs again, after 4 it did not");
    assert_eq!(agent.says("no sync is accepted"), 1, "{}", agent.log());
    assert!(agent.runs());
}

#[test]
fn connections_reset_in_the_middle_of_a_sync_end_no_agent() {
    let control_plane = control_plane();
    let line = Line::to_url(&control_plane.url(), &[Fate::Reset(0), Fate::Reset(30)]);
    let mut agent = Agent::new(&line.url());
    agent.start();
    agent.wait_until_it_says("the control plane accepts syncs again, after 2 it did not");
    assert!(agent.runs());
}

#[test]
fn a_storm_of_errors_before_an_artifact_is_not_now_and_then_it_is_fetched() {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "");
    let line = Line::to(nginx.port(), &STORM);
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    control_plane.offer(release.dry_run(&format!("{}/artifact", line.url())));
    passed(&end_of(&control_plane));
    for status in ["401", "403", "429", "503"] {
        assert_eq!(
            agent.says(&format!("not now: the artifact cannot be fetched: the server answers {status}")),
            1
        );
    }
}

#[test]
fn a_sparse_file_of_four_gib_is_refused_before_its_first_byte() {
    let release = Release::good();
    let nginx = Nginx::serving(b"", "");
    fs::File::options().write(true).open(nginx.path("www/artifact")).unwrap().set_len(1 << 32).unwrap();
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    control_plane.offer(release.dry_run(&format!("http://127.0.0.1:{}/artifact", nginx.port())));
    let end = end_of(&control_plane);
    refused(&end, RefusalCode::SizeMismatch);
    assert_eq!(end.bytes_done, 0);
    agent.is_untouched();
}

#[test]
fn an_empty_artifact_has_the_wrong_size() {
    let end = served(|_, _, connection| reply_with(connection, "200 OK", "", b""));
    refused(&end, RefusalCode::SizeMismatch);
}

#[test]
fn an_artifact_in_chunks_without_a_length_is_taken_for_what_it_is() {
    let end = served(|release, _, connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for chunk in release.bytes.chunks(100_000) {
            let _ = write!(connection, "{:x}\r\n", chunk.len());
            let _ = connection.write_all(chunk).and_then(|()| connection.write_all(b"\r\n"));
        }
        let _ = connection.write_all(b"0\r\n\r\n");
    });
    passed(&end);
}

#[test]
fn an_artifact_that_says_it_is_compressed_is_not_unpacked() {
    // Right as it is: whoever unpacked it would find garbage.
    let end = served(|release, _, connection| {
        reply_with(connection, "200 OK", "content-encoding: gzip\r\n", &release.bytes);
    });
    passed(&end);
}

#[test]
fn a_part_that_was_not_asked_for_is_not_appended() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let end = served(|release, head, connection| {
        let head = head.to_ascii_lowercase();
        let (size, half) = (release.bytes.len(), release.bytes.len() / 2);
        let whole = format!("HTTP/1.1 200 OK\r\netag: \"one\"\r\ncontent-length: {size}\r\n\r\n");
        match ASKED.fetch_add(1, Ordering::SeqCst) {
            0 => {
                let _ = connection.write_all(whole.as_bytes());
                let _ = connection.write_all(&release.bytes[..half]);
            }
            1 => {
                assert!(head.contains(&format!("range: bytes={half}-")), "{head}");
                let range = format!("content-range: bytes 0-{}/{size}\r\n", size - half - 1);
                reply_with(connection, "206 Partial Content", &range, &release.bytes[..size - half]);
            }
            2 => {
                assert!(!head.contains("range: "), "the next try begins at the first byte: {head}");
                reply_with(connection, "206 Partial Content", "", &release.bytes);
            }
            _ => reply_with(connection, "200 OK", "etag: W/\"weak\"\r\n", &release.bytes),
        }
    });
    passed(&end);
    assert_eq!(ASKED.load(Ordering::SeqCst), 4);
}

#[test]
fn urls_that_lead_into_the_host_or_to_metadata_are_insecure() {
    let control_plane = control_plane();
    let release = Release::good();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    let urls = [
        "file:///etc/passwd",
        "ftp://127.0.0.1/artifact",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/artifact",
        "//127.0.0.1/artifact",
        "http:///artifact",
    ];
    for (attempt, url) in (1..).zip(urls) {
        let mut spec = release.dry_run(url);
        spec["attempt"] = json!(attempt);
        refused(&told(&control_plane, spec), RefusalCode::InsecureUrl);
    }
    agent.is_untouched();
}

/// The end of this very attempt.
fn told(control_plane: &Scripted, spec: Value) -> UpgradeReport {
    let attempt = spec["attempt"].as_u64();
    control_plane.offer(spec);
    control_plane.hears("the attempt has ended", |sync| {
        sync.upgrade.clone().filter(|told| told.stage.is_end() && Some(u64::from(told.attempt)) == attempt)
    })
}

#[test]
fn nothing_that_a_server_says_writes_to_the_terminal() {
    const ESCAPE: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{202e}\r\n";
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let serving: Box<Serve> = Box::new(|_, connection| match ASKED.fetch_add(1, Ordering::SeqCst) {
        0 => reply_with(connection, "302 \u{1b}[2J", "", b""),
        1 => reply_with(connection, "302 Found", "location: \u{1b}[2J\r\n", b""),
        _ => reply_with(connection, "302 Found", "location: http://\u{202e}/\r\n", b""),
    });
    let control_plane = Scripted::start(serving);
    let release = Release::good();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    let home = release.dry_run(&format!("{}/artifact", control_plane.url()));
    let changes = [
        json!({}),
        json!({ "downloadUrl": ESCAPE }),
        json!({ "downloadUrl": format!("{}/{ESCAPE}", control_plane.url()) }),
        json!({ "signature": ESCAPE }),
        json!({ "sha256": ESCAPE }),
        json!({ "intent": ESCAPE }),
        json!({ "kind": ESCAPE }),
        json!({ "targetVersion": ESCAPE }),
        json!({ "direction": ESCAPE }),
        json!({ "expiresAt": ESCAPE }),
        json!({ "upgradeId": ESCAPE, "fromVersion": "0.1.0" }),
    ];
    for (attempt, change) in (1..).zip(changes) {
        let mut spec = home.clone();
        spec["attempt"] = json!(attempt);
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let end = told(&control_plane, spec);
        let error = end.error.unwrap_or_else(|| panic!("{change} is refused: it ended at {}", end.stage));
        is_quiet(&error.message);
        for line in end.log {
            is_quiet(&line.message);
        }
    }
    agent.log().lines().for_each(is_quiet);
    for words in [&["status"][..], &["explain"], &["status", "--json"]] {
        let shown = agent.command_through(&[], words);
        assert!(!shown.stdout.is_empty(), "{words:?}");
        String::from_utf8(shown.stdout).unwrap().lines().for_each(is_quiet);
    }
}

#[track_caller]
fn is_quiet(line: &str) {
    assert_eq!(novacula_agent::error::printable(line), line);
}
