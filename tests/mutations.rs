//! Hostile bytes: the kept ones of `fuzz/corpus`, and seeded mutations of them, keep the promises of
//! `fuzz/properties.rs`; a mutated spec or signature ends in a refusal or in what was signed.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test: its files and programs are its own, and it tells what it tried"
)]

#[path = "mutations/mutant.rs"]
mod mutant;
#[path = "../fuzz/properties.rs"]
mod properties;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use novacula_agent::disk::hex;
use novacula_agent::upgrade::admit::{Admission, admit};
use novacula_agent::upgrade::trial::Trial;
use novacula_lab::{Signer, signing};
use novacula_protocol::Refusal;
use novacula_protocol::signature::{ReleaseSignature, TrustedKeys};
use novacula_protocol::spec::{Kind, PendingUpgrade};
use semver::Version;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use mutant::{Dice, Told, mutated};
use properties::{End, idle_host};

/// Of every target, so that the whole stays within seconds; the fuzz targets try millions.
const MUTATIONS: usize = 20_000;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{} can be read: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no bytes", folder.display());
    files
}

fn holds_for(target: &str, property: fn(&[u8]) -> End) {
    let kept = corpus(target);
    let mut taken = Vec::new();
    for (path, bytes) in &kept {
        let _told = Told::new(path.display(), bytes);
        if property(bytes) == End::Taken {
            taken.push(bytes);
        }
    }
    assert!(!taken.is_empty(), "nothing in the corpus of {target} means anything");
    let mut dice = Dice::thrown(target);
    let mut still_taken = 0;
    for n in 0..MUTATIONS {
        // Every second one spoils something that means something: the rest is refused soon.
        let original = if n % 2 == 0 { taken[n / 2 % taken.len()] } else { &kept[n / 2 % kept.len()].1 };
        let bytes = mutated(original, &mut dice);
        let _told = Told::new(format_args!("mutation {n} of {target}"), &bytes);
        still_taken += usize::from(property(&bytes) == End::Taken);
    }
    println!(
        "{target}: {} kept, {} of them taken; {MUTATIONS} mutations tried, {still_taken} taken, {} refused",
        kept.len(),
        taken.len(),
        MUTATIONS - still_taken
    );
}

#[test]
fn any_spec_is_refused_or_means_the_same_when_written_again() {
    holds_for("spec", properties::spec);
}

#[test]
fn any_answer_is_refused_or_means_the_same_when_written_again() {
    holds_for("sync_answer", properties::sync_answer);
}

#[test]
fn no_signature_text_verifies_other_bytes_than_the_signed_ones() {
    holds_for("signature", properties::signature);
}

#[test]
fn any_trusted_comment_is_refused_or_means_the_same_when_written_again() {
    holds_for("trusted_comment", properties::trusted_comment);
}

#[test]
fn any_config_is_a_config_or_one_printable_sentence() {
    holds_for("config", properties::config);
}

#[test]
fn any_trial_record_is_whole_or_none() {
    holds_for("trial_record", properties::trial_record);
}

#[test]
fn a_trial_record_that_can_be_read_is_written_as_the_same_bytes() {
    let mut read = 0;
    for (path, bytes) in corpus("trial_record") {
        if let Some(trial) = Trial::from_record(&bytes) {
            assert_eq!(String::from_utf8(trial.to_record().unwrap()), String::from_utf8(bytes), "{path:?}");
            read += 1;
        }
    }
    assert!(read >= 3, "the corpus holds a trial without verdict, a commit and a rollback");
}

/// What an upgrade brings in, in the end.
type Brought = (Version, String);

/// A release, signed by the real minisign with the throw-away key, and the host it was made for.
struct Release {
    keys: TrustedKeys,
    artifact: Vec<u8>,
    spec: String,
    here: Version,
    now: Timestamp,
}

impl Release {
    fn signed() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("artifact");
        let artifact: Vec<u8> = b"the bytes of a release\n".repeat(50);
        fs::write(&file, &artifact).unwrap();
        let comment = "kind:agent version:1.6.0 target:x86_64-unknown-linux-musl";
        let signature = Signer::trusted().sign(&file, comment);
        let spec = json!({
            "kind": "agent", "upgradeId": "0199f3b2-0000-7000-8000-000000000001", "attempt": 1, "intent": "apply",
            "fromVersion": "1.5.0", "targetVersion": "1.6.0", "direction": "upgrade", "confirm": "auto",
            "healthWindowMs": 60000, "expiresAt": "2026-01-01T01:00:00Z",
            "downloadUrl": "https://example.com/artifact", "size": artifact.len(),
            "sha256": hex(&Sha256::digest(&artifact)), "signature": signature,
        });
        let key = fs::read_to_string(signing::trusted_keys().join("lab.pub")).unwrap();
        Self {
            keys: TrustedKeys::from_texts([("lab", key.as_str())]).unwrap(),
            artifact,
            spec: spec.to_string(),
            here: Version::new(1, 5, 0),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    /// Admission, hash, signature and signed fields: everything that an upgrade passes before the new binary is run.
    fn judged(&self, spec: &[u8], artifact: &[u8]) -> Result<Brought, String> {
        let spec = serde_json::from_slice::<PendingUpgrade>(spec).map_err(|_| "unreadable")?;
        let spec = match admit(spec, &idle_host(&self.here, self.now)) {
            Admission::Admitted(admitted) => admitted.spec().clone(),
            Admission::Refused(refusal) => return Err(refusal.code.to_string()),
            Admission::Abandoned | Admission::Paused => return Err("dropped or paused".to_owned()),
            other => panic!("nothing is in hand, on trial or ended here, yet: {other:?}"),
        };
        let code = |refusal: Refusal| refusal.code.to_string();
        if artifact.len() as u64 != spec.size {
            return Err("size_mismatch".to_owned());
        }
        let sha256 = hex(&Sha256::digest(artifact));
        if sha256 != spec.sha256 {
            return Err("sha256_mismatch".to_owned());
        }
        let signature = ReleaseSignature::parse(&spec.signature).map_err(code)?;
        let mut verifier = signature.verifier(&self.keys).map_err(code)?;
        verifier.update(artifact);
        let signed = verifier.finish().map_err(code)?;
        signed
            .must_be(Kind::Agent, &spec.header.target_version, "x86_64-unknown-linux-musl")
            .map_err(code)?;
        Ok((signed.version, sha256))
    }

    fn good(&self) -> Brought {
        self.judged(self.spec.as_bytes(), &self.artifact).unwrap()
    }

    fn with(&self, field: &str, value: String) -> Vec<u8> {
        let mut spec: serde_json::Value = serde_json::from_str(&self.spec).unwrap();
        spec[field] = value.into();
        spec.to_string().into_bytes()
    }

    fn with_a_spoilt_field(&self, dice: &mut Dice) -> Vec<u8> {
        let spec: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&self.spec).unwrap();
        let texts: Vec<_> = spec.iter().filter_map(|(field, value)| Some((field, value.as_str()?))).collect();
        let (field, text) = texts[dice.below(texts.len())];
        self.with(field, String::from_utf8_lossy(&mutated(text.as_bytes(), dice)).into_owned())
    }

    fn signature(&self) -> String {
        let spec: serde_json::Value = serde_json::from_str(&self.spec).unwrap();
        spec["signature"].as_str().unwrap().to_owned()
    }
}

/// Tries `tries` inputs and tells how they ended: every one in a refusal or in exactly what was signed.
fn ends_in_a_refusal_or_an_equal_result(
    name: &str,
    tries: usize,
    judge: impl Fn(&mut Dice) -> (Vec<u8>, Result<Brought, String>),
    good: &Brought,
) {
    let mut dice = Dice::thrown(name);
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for n in 0..tries {
        let _told = Told::new(format_args!("mutation {n} of {name}"), b"");
        let end = match judge(&mut dice) {
            (input, Ok(brought)) => {
                assert_eq!(&brought, good, "{}", input.escape_ascii());
                "equal result".to_owned()
            }
            (_, Err(code)) => code,
        };
        *ends.entry(end).or_default() += 1;
    }
    println!("{name}: {tries} tried: {ends:?}");
    assert!(ends.len() > 2, "the mutations are too much alike to say anything: {ends:?}");
}

#[test]
fn a_thousand_mutations_of_a_valid_spec_end_in_a_refusal_or_an_equal_result() {
    let release = Release::signed();
    let judge = |dice: &mut Dice| {
        // Spoilt JSON is mostly no JSON: every second time one field is spoilt instead, and the rest stands.
        let spec = match dice.below(2) {
            0 => mutated(release.spec.as_bytes(), dice),
            _ => release.with_a_spoilt_field(dice),
        };
        let end = release.judged(&spec, &release.artifact);
        (spec, end)
    };
    ends_in_a_refusal_or_an_equal_result("a valid spec", 1_000, judge, &release.good());
}

#[test]
fn a_thousand_mutations_of_a_valid_signature_end_in_a_refusal_or_an_equal_result() {
    let release = Release::signed();
    let judge = |dice: &mut Dice| {
        let signature = mutated(release.signature().as_bytes(), dice);
        let text = String::from_utf8_lossy(&signature).into_owned();
        (signature, release.judged(&release.with("signature", text), &release.artifact))
    };
    ends_in_a_refusal_or_an_equal_result("a valid signature", 1_000, judge, &release.good());
}

#[test]
fn a_thousand_mutations_of_a_signed_artifact_never_pass_even_when_the_spec_vouches_for_them() {
    let release = Release::signed();
    let judge = |dice: &mut Dice| {
        let artifact = mutated(&release.artifact, dice);
        // A control plane that an attacker has taken over: size and hash fit, only the signature stands in the way.
        let mut spec: serde_json::Value = serde_json::from_str(&release.spec).unwrap();
        spec["size"] = artifact.len().into();
        spec["sha256"] = hex(&Sha256::digest(&artifact)).into();
        let end = release.judged(spec.to_string().as_bytes(), &artifact);
        (artifact, end)
    };
    let mut dice = Dice::thrown("a signed artifact");
    let good = release.good();
    let (mut mismatches, mut equal) = (0, 0);
    for _ in 0..1_000 {
        match judge(&mut dice) {
            (artifact, Ok(brought)) => {
                assert_eq!((&brought, &artifact), (&good, &release.artifact));
                equal += 1;
            }
            (_, Err(code)) => {
                assert!(["signature_mismatch", "invalid_spec"].contains(&code.as_str()), "{code}");
                mismatches += 1;
            }
        }
    }
    println!("a signed artifact: 1000 tried: {mismatches} refused, {equal} equal to the original");
    assert!(mismatches > 900);
}
