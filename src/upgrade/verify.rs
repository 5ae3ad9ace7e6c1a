//! Bytes become a [`VerifiedArtifact`] here and nowhere else.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use novacula_protocol::signature::{ReleaseSignature, TrustedKeys, Verifier};
use novacula_protocol::spec::{AgentUpgradeSpec, Kind};
use novacula_protocol::{Refusal, RefusalCode};
use semver::Version;
use sha2::{Digest as _, Sha256};

use crate::disk::{Sealed, hex};
use crate::error::{Error, printable};

/// Hash and signature of the bytes so far: both in the one pass in which they arrive.
pub struct Check<'a> {
    sha256: Sha256,
    verifier: Verifier<'a>,
    signature: &'a ReleaseSignature,
    keys: &'a TrustedKeys,
}

impl<'a> Check<'a> {
    /// Begins; no byte is worth fetching under a signature that can never count.
    ///
    /// # Errors
    /// `untrusted_key`, `signature_legacy`.
    pub fn begin(signature: &'a ReleaseSignature, keys: &'a TrustedKeys) -> Result<Self, Refusal> {
        Ok(Self { sha256: Sha256::new(), verifier: signature.verifier(keys)?, signature, keys })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.verifier.update(bytes);
    }

    /// Forgets all bytes.
    ///
    /// # Errors
    /// As [`Check::begin`].
    pub fn begin_again(&mut self) -> Result<(), Refusal> {
        *self = Self::begin(self.signature, self.keys)?;
        Ok(())
    }
}

/// A complete artifact whose bytes, signature and signed fields are what the spec asks for, and which runs here.
pub struct VerifiedArtifact {
    file: Sealed,
    sha256: String,
    floor: Option<Version>,
}

impl VerifiedArtifact {
    /// Lower-case hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The floor it was signed with.
    #[must_use]
    pub fn floor(&self) -> Option<&Version> {
        self.floor.as_ref()
    }

    /// The file, to be renamed into place.
    #[must_use]
    pub fn into_file(self) -> Sealed {
        self.file
    }
}

/// Ends the check of a complete file.
///
/// # Errors
/// `sha256_mismatch`, the codes of the signature and of its fields, `exec_preflight`.
pub fn verify(
    file: Sealed,
    check: Check<'_>,
    spec: &AgentUpgradeSpec,
    target: &str,
) -> Result<VerifiedArtifact, Error> {
    let sha256 = hex(&check.sha256.finalize());
    if sha256 != spec.sha256 {
        return Err(Error::refused(
            RefusalCode::Sha256Mismatch,
            format!("the artifact must have the sha256 {}, it has {sha256}", spec.sha256),
        ));
    }
    let signed = check.verifier.finish()?;
    let version = &spec.header.target_version;
    signed.must_be(Kind::Agent, version, target)?;
    if let Some(floor) = signed.floor.as_ref().filter(|floor| *floor > version) {
        return Err(Error::refused(
            RefusalCode::SignatureIncomplete,
            format!("a release must not bring a floor above itself, {version} brings {floor}"),
        ));
    }
    must_run_here(file.path(), version)?;
    Ok(VerifiedArtifact { file, sha256, floor: signed.floor })
}

/// Runs `<binary> --version` and compares what it prints with `version`.
///
/// # Errors
/// `exec_preflight`.
pub fn must_run_here(binary: &Path, version: &Version) -> Result<(), Refusal> {
    let refuse = |found: String| {
        Err(Refusal::new(
            RefusalCode::ExecPreflight,
            format!("the new binary must run here and print {version} when asked for its version, {found}"),
        ))
    };
    match version_printed_by(binary) {
        Ok(printed) if printed.split_whitespace().last() == Some(version.to_string().as_str()) => Ok(()),
        Ok(printed) => {
            let start: String = printable(&printed).chars().take(100).collect();
            refuse(format!("it printed {start:?}"))
        }
        Err(found) => refuse(found),
    }
}

/// How long a binary may take to tell its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// The first line that `binary --version` prints.
///
/// # Errors
/// Says what happened instead, as the end of a sentence.
#[expect(clippy::disallowed_methods, reason = "the exec preflight is a home of running programs")]
pub fn version_printed_by(binary: &Path) -> Result<String, String> {
    let spawn = || {
        Command::new(binary)
            .arg("--version")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    };
    let mut spawned = spawn();
    // Another thread that forks right now holds our closed descriptor open for a moment.
    for _ in 0..50 {
        match &spawned {
            Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                thread::sleep(POLL);
                spawned = spawn();
            }
            _ => break,
        }
    }
    let mut child = spawned.map_err(|e| format!("it cannot be run: {e}"))?;
    let mut waited = Duration::ZERO;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if waited < VERSION_LIMIT => {
                thread::sleep(POLL);
                waited += POLL;
            }
            outcome => {
                // It is gone or about to be; there is nothing to do about a kill that fails.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match outcome {
                    Err(e) => format!("it cannot be waited for: {e}"),
                    Ok(_) => format!("it did not end within {} s", VERSION_LIMIT.as_secs()),
                });
            }
        }
    };
    if !status.success() {
        return Err(format!("it ended with {status}"));
    }
    let mut text = String::new();
    let Some(stdout) = child.stdout.take() else { return Err("it printed nothing".to_owned()) };
    // A pipe holds 64 KiB: whoever prints more than that never got here.
    std::io::Read::read_to_string(&mut std::io::Read::take(stdout, 4_096), &mut text)
        .map_err(|e| format!("what it printed cannot be read: {e}"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
