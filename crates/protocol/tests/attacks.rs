//! Attacks that are only bytes: on the text of a signature, on versions, on JSON. Where a valid signature is needed,
//! the real minisign makes it with the throw-away key of this checkout.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test: its files and programs are its own, and it tells what it tried"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use novacula_lab::{Signer, signing};
use novacula_protocol::reach::hop_between;
use novacula_protocol::signature::{MAX_SIGNATURE_BYTES, ReleaseSignature, TrustedKeys};
use novacula_protocol::spec::{Kind, PendingUpgrade};
use novacula_protocol::sync::{Offer, SyncResponse};
use novacula_protocol::trusted_comment::{TrustedComment, plain_version};
use novacula_protocol::{Refusal, RefusalCode};
use semver::Version;

const TARGET: &str = "x86_64-unknown-linux-musl";
const ARTIFACT: &[u8] = b"the bytes of a release\n";

fn comment(version: &str) -> String {
    format!("kind:agent version:{version} target:{TARGET}")
}

/// A file in a folder that goes with it.
fn file_of(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("artifact");
    fs::write(&file, bytes).unwrap();
    (folder, file)
}

fn signed(bytes: &[u8], trusted_comment: &str) -> String {
    let (_folder, file) = file_of(bytes);
    Signer::trusted().sign(&file, trusted_comment)
}

/// The old kind of signature, over the bytes themselves instead of their hash.
fn signed_the_old_way(bytes: &[u8], trusted_comment: &str) -> String {
    let (folder, file) = file_of(bytes);
    let signature = folder.path().join("signature");
    let signer = Signer::trusted();
    let minisign = Command::new("minisign")
        .args(["-S", "-l", "-t", trusted_comment, "-s"])
        .args([signer.secret(), Path::new("-x"), &signature, Path::new("-m"), &file])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(minisign.status.success(), "{}", String::from_utf8_lossy(&minisign.stderr));
    fs::read_to_string(signature).unwrap()
}

/// What minisign hashes an artifact to: 64 bytes of BLAKE2b.
fn blake2b(bytes: &[u8]) -> Vec<u8> {
    let (_folder, file) = file_of(bytes);
    let printed = Command::new("b2sum").arg(&file).output().unwrap().stdout;
    let hash: Vec<u8> = printed[..128]
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(hash.len(), 64);
    hash
}

/// `ED` and `Ed`, as the first two bytes of a signature appear in its text.
const PREHASHED: &str = "\nRU";
const LEGACY: &str = "\nRW";

fn relabelled(signature: &str, from: &str, to: &str) -> String {
    assert!(signature.contains(from), "{signature}");
    signature.replacen(from, to, 1)
}

fn verified(signature: &str, bytes: &[u8]) -> Result<TrustedComment, Refusal> {
    let key = fs::read_to_string(signing::trusted_keys().join("lab.pub")).unwrap();
    let keys = TrustedKeys::from_texts([("lab", key.as_str())]).unwrap();
    let signature = ReleaseSignature::parse(signature)?;
    let mut verifier = signature.verifier(&keys)?;
    verifier.update(bytes);
    verifier.finish()
}

#[track_caller]
fn is_refused(signature: &str, bytes: &[u8], code: RefusalCode) {
    let refusal = verified(signature, bytes).expect_err("this must not be verified");
    assert_eq!(refusal.code, code, "{refusal}");
    assert!(refusal.message.len() < 400 && !refusal.message.contains(char::is_control), "{refusal}");
}

#[test]
fn what_minisign_signed_is_verified() {
    let found = verified(&signed(ARTIFACT, &comment("1.8.0")), ARTIFACT).unwrap();
    found.must_be(Kind::Agent, &Version::new(1, 8, 0), TARGET).unwrap();
}

#[test]
fn a_signature_with_two_trusted_comments_is_malformed_wherever_the_second_stands() {
    let good = signed(ARTIFACT, &comment("1.8.0"));
    let lines: Vec<&str> = good.lines().collect();
    for second in [lines[2].to_owned(), format!("trusted comment: {}", comment("9.9.9"))] {
        for at in 0..=lines.len() {
            let mut text: Vec<&str> = lines.clone();
            text.insert(at, &second);
            is_refused(&(text.join("\n") + "\n"), ARTIFACT, RefusalCode::SignatureMalformed);
        }
    }
    let twice = format!("{good}{}", signed(ARTIFACT, &comment("9.9.9")));
    is_refused(&twice, ARTIFACT, RefusalCode::SignatureMalformed);
}

#[test]
fn a_trusted_comment_with_a_field_twice_is_incomplete_though_it_is_signed() {
    for twice in ["version:9.9.9", "kind:operator", "target:elsewhere", "version:1.8.0"] {
        let signature = signed(ARTIFACT, &format!("{} {twice}", comment("1.8.0")));
        is_refused(&signature, ARTIFACT, RefusalCode::SignatureIncomplete);
    }
}

#[test]
fn a_signature_with_a_control_character_anywhere_is_malformed() {
    let good = signed(ARTIFACT, &comment("1.8.0"));
    for control in ['\r', '\0', '\x1b', '\x07', '\x08', '\x0b', '\x0c', '\x7f', '\u{85}', '\u{9b}'] {
        for at in 0..=good.len() {
            let mut text = good.clone();
            text.insert(at, control);
            is_refused(&text, ARTIFACT, RefusalCode::SignatureMalformed);
        }
    }
}

#[test]
fn a_signature_with_a_comment_of_two_megabytes_is_malformed_and_the_limit_is_exact() {
    let good = signed(ARTIFACT, &comment("1.8.0"));
    let padded = |bytes: usize| {
        good.replacen("untrusted comment: ", &format!("untrusted comment: {}", "x".repeat(bytes)), 1)
    };
    let room = MAX_SIGNATURE_BYTES - good.len();
    assert!(verified(&padded(room), ARTIFACT).is_ok());
    for too_many in [room + 1, 2 * 1024 * 1024] {
        is_refused(&padded(too_many), ARTIFACT, RefusalCode::SignatureMalformed);
    }
    let trusted =
        good.replacen("\ntrusted comment: ", &format!("\ntrusted comment: {}", "x".repeat(2_000_000)), 1);
    is_refused(&trusted, ARTIFACT, RefusalCode::SignatureMalformed);
}

#[test]
fn a_signature_cut_at_each_tenth_never_verifies() {
    let good = signed(ARTIFACT, &comment("1.8.0"));
    for tenth in 0..10 {
        is_refused(&good[..good.len() * tenth / 10], ARTIFACT, RefusalCode::SignatureMalformed);
    }
}

#[test]
fn a_signature_with_any_bit_changed_is_refused_or_says_what_was_signed() {
    let good = signed(ARTIFACT, &comment("1.8.0"));
    let expected = verified(&good, ARTIFACT).unwrap();
    let from = good.find('\n').unwrap();
    let (mut refused, mut equal) = (0, 0);
    for at in from..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            match verified(&text, ARTIFACT) {
                Ok(found) => {
                    assert_eq!(found, expected, "bit {bit} of byte {at}");
                    equal += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    println!("{refused} refused, {equal} equal");
    assert!(refused > 1_000 && equal < 10, "{refused} refused, {equal} equal");
}

#[test]
fn the_parts_of_two_signatures_never_make_a_third() {
    let signatures = [
        signed(ARTIFACT, &comment("1.8.0")),
        signed(ARTIFACT, &comment("1.9.0")),
        signed(b"the bytes of another release\n", &comment("1.8.0")),
    ];
    let lines: Vec<Vec<&str>> = signatures.iter().map(|text| text.lines().collect()).collect();
    for other in [1, 2] {
        for part in 1..4 {
            let mut mixed = lines[0].clone();
            mixed[part] = lines[other][part];
            if mixed != lines[0] {
                is_refused(&mixed.join("\n"), ARTIFACT, RefusalCode::SignatureMismatch);
            }
        }
    }
}

#[test]
fn a_signature_made_the_old_way_is_legacy_whatever_it_signs() {
    let legacy = signed_the_old_way(ARTIFACT, &comment("1.8.0"));
    is_refused(&legacy, ARTIFACT, RefusalCode::SignatureLegacy);
    // Called prehashed, it would have to be over the hash.
    is_refused(&relabelled(&legacy, LEGACY, PREHASHED), ARTIFACT, RefusalCode::SignatureMismatch);
}

#[test]
fn the_hash_of_a_signed_artifact_is_no_signed_artifact() {
    // Only two bytes that nobody signed say whether 64 signed bytes are a hash or a file: `ED` signs BLAKE2b of the
    // artifact, and as `Ed` the very same signature is one of a file that holds this hash.
    let prehashed = signed(ARTIFACT, &comment("1.8.0"));
    let hash_as_file = blake2b(ARTIFACT);
    let relabelled = relabelled(&prehashed, PREHASHED, LEGACY);
    let (folder, file) = file_of(&hash_as_file);
    fs::write(folder.path().join("artifact.minisig"), &relabelled).unwrap();
    let minisign = Command::new("minisign")
        .arg("-Vqp")
        .args([&signing::trusted_keys().join("lab.pub"), Path::new("-m"), &file])
        .output()
        .unwrap();
    assert!(minisign.status.success(), "minisign itself, unless told otherwise with -H, falls for it");
    is_refused(&relabelled, &hash_as_file, RefusalCode::SignatureLegacy);
    is_refused(&relabelled, ARTIFACT, RefusalCode::SignatureLegacy);
    is_refused(&prehashed, &hash_as_file, RefusalCode::SignatureMismatch);
}

#[test]
fn a_signed_version_that_is_not_strict_semver_without_build_metadata_is_incomplete() {
    for version in [
        "1.8.0+evil",
        "1.8.0-rc.1+evil",
        "01.8.0",
        "1.08.0",
        "1.8",
        "v1.8.0",
        "1.8.0-",
        "1.8.0-01",
        "-1.8.0",
        "18446744073709551616.0.0",
        "１.8.0",
    ] {
        assert!(plain_version(version).is_none(), "{version:?}");
        is_refused(&signed(ARTIFACT, &comment(version)), ARTIFACT, RefusalCode::SignatureIncomplete);
    }
}

#[test]
fn a_signed_pre_release_or_huge_version_is_that_version_and_no_other() {
    let asked = Version::new(1, 8, 0);
    for version in ["1.8.0-rc.1", "1.8.0-0", "4294967296.0.0", "1.4294967296.0", "0.1.8"] {
        let found = verified(&signed(ARTIFACT, &comment(version)), ARTIFACT).unwrap();
        assert_eq!(found.version.to_string(), version);
        let refusal = found.must_be(Kind::Agent, &asked, TARGET).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::WrongVersion);
    }
    assert!(
        hop_between(&asked, &"4294967297.8.0".parse().unwrap()).is_some(),
        "a major does not wrap around"
    );
}

fn spec_for(version: &str) -> String {
    include_str!("golden/spec-agent-apply.json").replace("\"1.5.0\"", &format!("\"{version}\""))
}

#[test]
fn a_spec_for_a_version_that_is_not_semver_cannot_be_read() {
    assert!(serde_json::from_str::<PendingUpgrade>(&spec_for("1.5.0")).is_ok());
    for version in ["01.8.0", "1.8", "v1.8.0", " 1.8.0", "18446744073709551616.0.0", "", "1.8.0\\u0000"] {
        assert_ne!(spec_for(version), spec_for("1.5.0"));
        assert!(serde_json::from_str::<PendingUpgrade>(&spec_for(version)).is_err(), "{version}");
    }
}

fn answer_offering(pending: &str) -> String {
    format!(r#"{{"controlPlaneVersion":"1.0.0","now":"2026-11-21T08:00:00Z","pendingUpgrade":{pending}}}"#)
}

fn is_no_answer(bytes: &[u8]) {
    let said = serde_json::from_slice::<SyncResponse>(bytes).expect_err("this is no answer").to_string();
    assert!(said.len() < 400, "{said}");
}

#[test]
fn garbage_is_no_answer() {
    for garbage in [
        &b""[..],
        b"\0\0\0\0",
        b"null",
        b"[]",
        b"\"",
        b"{",
        b"{}",
        b"<html>502</html>",
        b"\xff\xfe{}",
        b"{\"now\":1}",
        b"NaN",
    ] {
        is_no_answer(garbage);
    }
    is_no_answer(format!("{} trailing", answer_offering("null")).as_bytes());
}

#[test]
fn fifty_megabytes_of_json_are_no_answer() {
    const SIZE: usize = 50 * 1024 * 1024;
    is_no_answer(&vec![b'['; SIZE]);
    is_no_answer(&[&b"{\"controlPlaneVersion\":\""[..], &vec![b'x'; SIZE]].concat());
    is_no_answer(&b"{\"a\":".repeat(SIZE / 5));
}

#[test]
fn deep_nesting_is_refused_or_not_understood_and_never_overflows_the_stack() {
    let nested = |depth: usize| answer_offering(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    let shallow: SyncResponse = serde_json::from_str(&nested(100)).unwrap();
    assert!(matches!(shallow.pending_upgrade, Some(Offer::NotUnderstood(_))));
    for depth in [1_000, 100_000, 1_000_000] {
        is_no_answer(nested(depth).as_bytes());
        is_no_answer(nested(depth).replace('[', "{\"a\":").replace(']', "}").as_bytes());
        // Unclosed, and in a field that nobody knows.
        is_no_answer(format!("{{\"unknown\":{}", "[".repeat(depth)).as_bytes());
    }
}
