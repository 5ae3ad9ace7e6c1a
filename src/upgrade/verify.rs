//! Bytes become a [`VerifiedArtifact`] here and nowhere else.

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use novacula_protocol::spec::{AgentUpgradeSpec, Kind};
use novacula_protocol::{Refusal, RefusalCode};
use semver::Version;
use sha2::Digest as _;

use crate::disk::{Sealed, hex};
use crate::error::{Error, printable};

mod checked; // both hashes of a download, made while it comes

pub use checked::{Checked, check_while};

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
    checked: Checked<'_>,
    spec: &AgentUpgradeSpec,
    target: &str,
) -> Result<VerifiedArtifact, Error> {
    let sha256 = hex(&checked.sha256.finalize());
    if sha256 != spec.sha256 {
        return Err(Error::refused(
            RefusalCode::Sha256Mismatch,
            format!("the artifact must have the sha256 {}, it has {sha256}", spec.sha256),
        ));
    }
    let signed = checked.verifier.finish()?;
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
const POLL: Duration = Duration::from_millis(1);
/// More than this is not a version, in bytes.
const LONGEST_ANSWER: usize = 4_096;

/// The first line that `binary --version` prints. Whatever it starts and leaves behind ends with it.
///
/// # Errors
/// Says what happened instead, as the end of a sentence.
pub fn version_printed_by(binary: &Path) -> Result<String, String> {
    let mut child = spawn(binary).map_err(|e| format!("it cannot be run: {e}"))?;
    let group = i32::try_from(child.id()).ok().map(Pid::from_raw);
    let printed = listen(&mut child);
    // Its group is its own: what it has started must not outlive the question.
    if let Some(group) = group {
        let _ = killpg(group, Signal::SIGKILL);
    }
    let _ = child.wait();
    printed
}

#[expect(clippy::disallowed_methods, reason = "the exec preflight is a home of running programs")]
fn spawn(binary: &Path) -> io::Result<Child> {
    let spawn = || {
        Command::new(binary)
            .arg("--version")
            .env_clear()
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    };
    // Another thread that forks right now holds our closed descriptor open for a moment.
    for _ in 0..50 {
        match spawn() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => thread::sleep(POLL),
            spawned => return spawned,
        }
    }
    spawn()
}

fn listen(child: &mut Child) -> Result<String, String> {
    let Some(mut stdout) = child.stdout.take() else { return Err("it printed nothing".to_owned()) };
    // A child of the child may keep the pipe open for ever: it is read as far as it has come, never to its end.
    let silent = |e: nix::Error| format!("what it prints cannot be read: {e}");
    fcntl(&stdout, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(silent)?;
    let mut said = Vec::new();
    let mut waited = Duration::ZERO;
    loop {
        let ended = child.try_wait().map_err(|e| format!("it cannot be waited for: {e}"))?;
        let mut chunk = [0; 512];
        while said.len() < LONGEST_ANSWER
            && let Ok(read @ 1..) = stdout.read(&mut chunk)
        {
            said.extend_from_slice(&chunk[..read]);
        }
        match ended {
            Some(status) if status.success() => {
                let text = String::from_utf8_lossy(&said);
                return Ok(text.lines().next().unwrap_or_default().to_owned());
            }
            Some(status) => return Err(format!("it ended with {status}")),
            None if waited >= VERSION_LIMIT => {
                return Err(format!("it did not end within {} s", VERSION_LIMIT.as_secs()));
            }
            None => {
                thread::sleep(POLL);
                waited += POLL;
            }
        }
    }
}
