//! The trial record and the memory of ended attempts: the only reader and writer of both.
//!
//! The order on disk is the safety argument:
//! - *record, then swap*: a swap without a record would be a trial nobody judges;
//! - *refuse, then swap back, then remove the record*: a rollback cut short is resumed, and a rolled-back release is
//!   remembered before it can be offered again.

use std::path::PathBuf;

use jiff::Timestamp;
use novacula_protocol::spec::{Confirm, SpecHeader};
use novacula_protocol::sync::{ReportError, UpgradeReport};
use novacula_protocol::{Refusal, Stage, Status};
use semver::Version;
use serde::{Deserialize, Serialize};

pub mod record_file; // one record as a file
mod records; // where it all is kept
mod refused; // pure: the releases that were refused here

pub use records::{Committed, Download, LockedRecords, NotedUnits, Records};
pub use refused::{RefusedRelease, refused_releases};

/// A swap that has not been judged yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// From the spec.
    pub upgrade_id: String,
    /// From the spec.
    pub attempt: u32,
    /// The control plane knows this upgrade; false for one that a sysadmin ran by hand.
    pub reported: bool,
    /// The path of the binary; `.prev` is beside it.
    pub binary: PathBuf,
    /// What was known to be good.
    pub from_version: Version,
    /// What is on trial.
    pub target_version: Version,
    /// Of the known-good binary.
    pub old_sha256: String,
    /// Of the binary on trial.
    pub new_sha256: String,
    /// Of the artifact, in bytes.
    pub size: u64,
    /// The floor that the new release brings.
    pub floor: Option<Version>,
    /// How long it must stay up.
    pub health_window_ms: u64,
    /// Who completes.
    pub confirm: Confirm,
    /// By the host's clock, for people.
    pub opened_at: Timestamp,
    /// Trial time, in ticks of its own.
    pub elapsed: Elapsed,
    /// When the new version first had a sync accepted and trial time began anew.
    pub synced: bool,
    /// It stayed up for the health window; only a person is missing.
    pub healthy: bool,
    /// Its deadline passed while nobody could reach the control plane.
    pub inconclusive: bool,
    /// Somebody saw the new binary in place: from now on the attempt counts as swapped, whatever is found later.
    pub seen_in_place: bool,
    /// Final once written.
    pub verdict: Option<Verdict>,
}

impl Trial {
    /// Reads the bytes of a trial record; `None` for anything that was not written whole.
    #[must_use]
    pub fn from_record(bytes: &[u8]) -> Option<Self> {
        record_file::decode(bytes)
    }

    /// The bytes of its record.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn to_record(&self) -> std::io::Result<Vec<u8>> {
        record_file::encode(self)
    }
}

/// How a trial ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// The new version stays.
    Commit,
    /// The old version comes back, because of this.
    RollBack(ReportError),
}

/// Time that a trial has lasted while somebody watched: no clock jump, suspend or reboot adds to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Elapsed {
    /// Milliseconds.
    pub ms: u64,
    /// The boot of the last tick.
    boot_id: String,
    /// Its ticking clock at the last tick.
    at_ms: u64,
}

/// The longest time one tick may add: a watcher that was itself held up must not blame the trial for it.
const LONGEST_TICK_MS: u64 = 15_000;

impl Elapsed {
    /// Begins at zero.
    #[must_use]
    pub fn begin(boot_id: &str, now_ms: u64) -> Self {
        Self { ms: 0, boot_id: boot_id.to_owned(), at_ms: now_ms }
    }

    /// Counts the time since the last tick, if it was in this boot.
    pub fn tick(&mut self, boot_id: &str, now_ms: u64) {
        if self.boot_id == boot_id {
            self.ms += now_ms.saturating_sub(self.at_ms).min(LONGEST_TICK_MS);
        }
        self.boot_id = boot_id.to_owned();
        self.at_ms = now_ms;
    }
}

/// An attempt that came to its end on this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedAttempt {
    /// From the spec.
    pub upgrade_id: String,
    /// From the spec.
    pub attempt: u32,
    /// What ran.
    pub from_version: Option<Version>,
    /// What was asked for.
    pub target_version: Option<Version>,
    /// Where it ended.
    pub stage: Stage,
    /// How.
    pub status: Status,
    /// Of the artifact: what was fetched, and what there was to fetch.
    #[serde(default)]
    pub bytes: (u64, u64),
    /// Why, unless it completed.
    pub error: Option<ReportError>,
    /// The binary was exchanged: remembered for ever, so that it never is a second time.
    pub swapped: bool,
    /// Still to be told to the control plane.
    pub untold: bool,
    /// By the host's clock.
    pub at: Timestamp,
}

/// A longer version, which only an attacker would write, is not worth remembering.
fn worth_keeping(version: &Version) -> Option<Version> {
    (version.to_string().len() <= 64).then(|| version.clone())
}

/// More than this of a sentence is not worth remembering, in characters.
const SENTENCE: usize = 600;

impl EndedAttempt {
    /// The end of the attempt that `header` asks for.
    #[must_use]
    pub fn of(
        header: &SpecHeader,
        stage: Stage,
        status: Status,
        error: Option<ReportError>,
        at: Timestamp,
    ) -> Self {
        Self {
            upgrade_id: header.upgrade_id.clone(),
            attempt: header.attempt,
            from_version: worth_keeping(&header.from_version),
            target_version: worth_keeping(&header.target_version),
            stage,
            status,
            bytes: (0, 0),
            error,
            swapped: false,
            untold: true,
            at,
        }
    }

    /// The end of a trial.
    #[must_use]
    pub fn of_trial(trial: &Trial, verdict: &Verdict, at: Timestamp) -> Self {
        let (stage, status, error) = match verdict {
            Verdict::Commit => (Stage::Completed, Status::Completed, None),
            Verdict::RollBack(error) => (Stage::RolledBack, Status::RolledBack, Some(error.clone())),
        };
        Self {
            upgrade_id: trial.upgrade_id.clone(),
            attempt: trial.attempt,
            from_version: Some(trial.from_version.clone()),
            target_version: Some(trial.target_version.clone()),
            stage,
            status,
            bytes: (trial.size, trial.size),
            error,
            swapped: true,
            untold: trial.reported,
            at,
        }
    }

    /// What to tell the control plane.
    #[must_use]
    pub fn report(&self) -> UpgradeReport {
        UpgradeReport {
            upgrade_id: self.upgrade_id.clone(),
            attempt: self.attempt,
            stage: self.stage,
            status: self.status,
            bytes_done: self.bytes.0,
            bytes_total: self.bytes.1,
            error: self.error.clone(),
            log: Vec::new(),
        }
    }
}

/// A refusal as the control plane is told it.
#[must_use]
pub fn report_error(refusal: Refusal, at: Timestamp) -> ReportError {
    ReportError {
        code: refusal.code.as_str().to_owned(),
        stage: refusal.code.stage(),
        message: refusal.message.chars().take(SENTENCE).collect(),
        timestamp: at,
    }
}

/// The end of this attempt, if it has one.
#[must_use]
pub fn find<'a>(ended: &'a [EndedAttempt], upgrade_id: &str, attempt: u32) -> Option<&'a EndedAttempt> {
    ended.iter().find(|known| known.upgrade_id == upgrade_id && known.attempt == attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trial_time_ignores_reboots_pauses_and_clocks_that_go_back() {
        let mut elapsed = Elapsed::begin("boot-1", 1_000);
        elapsed.tick("boot-1", 6_000);
        assert_eq!(elapsed.ms, 5_000);
        elapsed.tick("boot-1", 3_600_000);
        assert_eq!(elapsed.ms, 5_000 + LONGEST_TICK_MS);
        elapsed.tick("boot-1", 0);
        elapsed.tick("boot-2", 900_000);
        assert_eq!(elapsed.ms, 5_000 + LONGEST_TICK_MS);
        elapsed.tick("boot-2", 901_000);
        assert_eq!(elapsed.ms, 6_000 + LONGEST_TICK_MS);
    }
}
