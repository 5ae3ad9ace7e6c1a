//! Every refusal, on the real agent: its code is reported, the binary stays what it was, nothing is left beside it,
//! and the agent goes on.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test: its files and programs are its own, and what it cannot have fails it"
)]

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use novacula_agent::upgrade::trial::Records;
use novacula_lab::scripted::{Serve, reply_with};
use novacula_lab::{Fault, Signer, builds, faulty_release};
use novacula_protocol::RefusalCode;
use serde_json::{Value, json};

mod bench;

use bench::Bench;

const HERE: &str = "1.0.0";
const NEXT: &str = "1.1.0";

/// A release that is in order; what a test makes of it is its own affair.
fn good_release() -> PathBuf {
    faulty_release(NEXT, Fault::CleanExit)
}

fn good_signature(release: &Path) -> String {
    Signer::trusted().sign_agent(release, NEXT)
}

fn serving(release: &Path) -> Box<Serve> {
    let bytes = fs::read(release).unwrap();
    Box::new(move |_, connection| reply_with(connection, "200 OK", "", &bytes))
}

fn serving_nothing() -> Box<Serve> {
    Box::new(|head, _| panic!("nothing may be fetched, yet this was: {head}"))
}

/// The spec is wrong, the artifact is right.
fn refuses_spec(code: RefusalCode, change: impl FnOnce(&mut Value)) {
    let release = good_release();
    let mut bench = Bench::new(serving_nothing());
    let mut spec = bench.spec(&release, good_signature(&release));
    change(&mut spec);
    bench.is_refused(spec, code);
}

/// The artifact and its spec are right, the signature is not.
fn refuses_signature(code: RefusalCode, signature: impl FnOnce(&Path) -> String) {
    let release = good_release();
    let mut bench = Bench::new(serving(&release));
    let spec = bench.spec(&release, signature(&release));
    bench.is_refused(spec, code);
}

/// The release is signed, the server does not serve it as stated.
fn refuses_service(code: RefusalCode, serve: Box<Serve>) {
    let release = good_release();
    let mut bench = Bench::new(serve);
    let spec = bench.spec(&release, good_signature(&release));
    bench.is_refused(spec, code);
}

/// The whole of a release is signed and served, but it does not do what a release must.
fn refuses_release(code: RefusalCode, release: &Path) {
    let mut bench = Bench::new(serving(release));
    let spec = bench.spec(release, good_signature(release));
    bench.is_refused(spec, code);
}

#[test]
fn a_spec_that_cannot_be_read_is_refused_as_invalid() {
    refuses_spec(RefusalCode::InvalidSpec, |spec| spec["size"] = json!("many"));
}

#[test]
fn a_spec_with_build_metadata_is_refused_as_invalid() {
    refuses_spec(RefusalCode::InvalidSpec, |spec| spec["targetVersion"] = json!("1.1.0+evil"));
}

#[test]
fn a_spec_with_an_unknown_intent_is_refused_as_invalid() {
    refuses_spec(RefusalCode::InvalidSpec, |spec| spec["intent"] = json!("\x1b[31mfly"));
}

#[test]
fn a_spec_for_another_version_meets_an_unexpected_state() {
    refuses_spec(RefusalCode::UnexpectedState, |spec| spec["fromVersion"] = json!("0.9.0"));
}

#[test]
fn an_expired_spec_is_stale_by_the_control_planes_clock() {
    refuses_spec(RefusalCode::StaleSpec, |spec| spec["expiresAt"] = json!("2025-12-31T23:59:59Z"));
}

#[test]
fn an_unmarked_downgrade_is_refused() {
    refuses_spec(RefusalCode::DowngradeNotMarked, |spec| spec["targetVersion"] = json!("0.9.0"));
}

#[test]
fn a_release_two_majors_away_is_unreachable() {
    refuses_spec(RefusalCode::UnreachableMajor, |spec| spec["targetVersion"] = json!("3.0.0"));
}

#[test]
fn an_artifact_by_plain_http_from_elsewhere_is_insecure() {
    refuses_spec(RefusalCode::InsecureUrl, |spec| spec["downloadUrl"] = json!("http://192.0.2.1/artifact"));
}

#[test]
fn an_artifact_larger_than_the_disk_is_refused_before_the_first_byte() {
    refuses_spec(RefusalCode::DiskFull, |spec| spec["size"] = json!(1_u64 << 60));
}

#[test]
fn a_signed_version_below_the_committed_floor_is_refused() {
    let release = good_release();
    let mut bench = Bench::prepared(serving_nothing(), |directory| {
        let records = Records::open(&directory.join("data")).unwrap();
        records.lock().unwrap().raise_floor(&"1.2.0".parse().unwrap()).unwrap();
    });
    let spec = bench.spec(&release, good_signature(&release));
    bench.is_refused(spec, RefusalCode::BelowFloor);
}

#[test]
fn a_redirect_to_a_metadata_address_is_insecure() {
    refuses_service(
        RefusalCode::InsecureUrl,
        Box::new(|_, connection| {
            reply_with(connection, "302 Found", "location: http://169.254.169.254/latest\r\n", b"");
        }),
    );
}

#[test]
fn an_artifact_that_is_not_there_is_a_failed_download() {
    refuses_service(
        RefusalCode::DownloadFailed,
        Box::new(|_, connection| reply_with(connection, "404 Not Found", "", b"")),
    );
}

#[test]
fn redirects_without_end_are_a_failed_download() {
    refuses_service(
        RefusalCode::DownloadFailed,
        Box::new(|_, connection| reply_with(connection, "302 Found", "location: /artifact\r\n", b"")),
    );
}

#[test]
fn an_artifact_one_byte_short_has_the_wrong_size() {
    let mut bytes = fs::read(good_release()).unwrap();
    bytes.pop();
    let serve: Box<Serve> = Box::new(move |_, connection| reply_with(connection, "200 OK", "", &bytes));
    refuses_service(RefusalCode::SizeMismatch, serve);
}

#[test]
fn an_artifact_one_byte_long_has_the_wrong_size() {
    let mut bytes = fs::read(good_release()).unwrap();
    bytes.push(0);
    let serve: Box<Serve> = Box::new(move |_, connection| reply_with(connection, "200 OK", "", &bytes));
    refuses_service(RefusalCode::SizeMismatch, serve);
}

#[test]
fn an_endless_stream_is_cut_at_the_first_byte_too_many() {
    let endless = |_: &str, connection: &mut TcpStream| {
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let mut sent = connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        // Ends when the agent hangs up, which is what this test waits for.
        while sent.is_ok() {
            sent = connection.write_all(chunk.as_bytes());
        }
    };
    refuses_service(RefusalCode::SizeMismatch, Box::new(endless));
}

#[test]
fn other_bytes_of_the_right_size_have_the_wrong_hash() {
    let mut bytes = fs::read(good_release()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let serve: Box<Serve> = Box::new(move |_, connection| reply_with(connection, "200 OK", "", &bytes));
    refuses_service(RefusalCode::Sha256Mismatch, serve);
}

#[test]
fn a_signature_that_is_no_signature_is_malformed() {
    refuses_signature(RefusalCode::SignatureMalformed, |_| "trust me".to_owned());
}

#[test]
fn a_signature_with_a_carriage_return_is_malformed() {
    refuses_signature(RefusalCode::SignatureMalformed, |release| {
        good_signature(release).replace('\n', "\r\n")
    });
}

#[test]
fn a_signature_with_a_second_comment_is_malformed() {
    refuses_signature(RefusalCode::SignatureMalformed, |release| {
        let signature = good_signature(release);
        let comment = signature.lines().nth(2).unwrap().to_owned();
        format!("{signature}{comment}\n")
    });
}

#[test]
fn a_signature_of_more_than_16_kib_is_malformed() {
    refuses_signature(RefusalCode::SignatureMalformed, |release| {
        good_signature(release).replacen(
            "trusted comment: ",
            &format!("trusted comment: {} ", "x".repeat(16 * 1024)),
            1,
        )
    });
}

#[test]
fn a_legacy_signature_is_refused() {
    refuses_signature(RefusalCode::SignatureLegacy, |release| {
        // `Ed` instead of `ED` in the first two bytes is all that tells them apart.
        let signature = good_signature(release);
        let line = signature.lines().nth(1).unwrap().to_owned();
        assert!(line.starts_with("RU"), "minisign prehashes by default");
        signature.replacen(&line, &format!("RW{}", &line[2..]), 1)
    });
}

#[test]
fn a_signature_by_a_stranger_is_untrusted() {
    let home = tempfile::tempdir().unwrap();
    refuses_signature(RefusalCode::UntrustedKey, |release| {
        Signer::stranger(home.path()).sign_agent(release, NEXT)
    });
}

#[test]
fn a_signature_of_another_file_does_not_match() {
    refuses_signature(RefusalCode::SignatureMismatch, |_| {
        good_signature(&faulty_release(NEXT, Fault::Abort))
    });
}

#[test]
fn a_trusted_comment_changed_after_signing_does_not_match() {
    let elsewhere = format!("target:{}", builds::target());
    refuses_signature(RefusalCode::SignatureMismatch, |release| {
        good_signature(release).replacen(&elsewhere, "target:elsewhere", 1)
    });
}

#[test]
fn a_signed_comment_without_a_target_is_incomplete() {
    refuses_signature(RefusalCode::SignatureIncomplete, |release| {
        Signer::trusted().sign(release, &format!("kind:agent version:{NEXT}"))
    });
}

#[test]
fn a_signed_comment_with_two_versions_is_incomplete() {
    refuses_signature(RefusalCode::SignatureIncomplete, |release| {
        let target = builds::target();
        Signer::trusted().sign(release, &format!("kind:agent version:{NEXT} version:1.2.0 target:{target}"))
    });
}

#[test]
fn a_release_signed_for_operators_is_of_the_wrong_kind() {
    refuses_signature(RefusalCode::WrongKind, |release| {
        Signer::trusted().sign(release, &format!("kind:operator version:{NEXT} target:{}", builds::target()))
    });
}

#[test]
fn a_release_signed_as_another_version_is_of_the_wrong_version() {
    refuses_signature(RefusalCode::WrongVersion, |release| Signer::trusted().sign_agent(release, "1.0.9"));
}

#[test]
fn a_release_signed_for_another_target_is_for_the_wrong_target() {
    refuses_signature(RefusalCode::WrongTarget, |release| {
        Signer::trusted()
            .sign(release, &format!("kind:agent version:{NEXT} target:aarch64-unknown-linux-musl"))
    });
}

#[test]
fn a_release_that_is_no_program_fails_the_exec_preflight() {
    refuses_release(RefusalCode::ExecPreflight, &faulty_release(NEXT, Fault::Garbage));
}

#[test]
fn a_release_that_prints_another_version_fails_the_exec_preflight() {
    refuses_release(RefusalCode::ExecPreflight, &faulty_release(NEXT, Fault::WrongVersion));
}

#[test]
fn a_release_that_does_not_tell_its_version_fails_the_exec_preflight() {
    refuses_release(RefusalCode::ExecPreflight, &faulty_release(NEXT, Fault::NoVersion));
}

#[test]
fn a_directory_at_the_place_of_the_previous_binary_is_a_failure_of_the_host() {
    let release = good_release();
    let mut bench = Bench::prepared(serving(&release), |directory| {
        fs::create_dir(directory.join("bin/novacula-agent.prev")).unwrap();
    });
    let spec = bench.spec(&release, good_signature(&release));
    bench.is_refused(spec, RefusalCode::HostFailure);
}
