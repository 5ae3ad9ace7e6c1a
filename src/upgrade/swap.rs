//! The swap, and the way back. Nothing here decides; it carries out what was decided, in an order that survives
//! being cut short at any point.

use std::path::Path;

use jiff::Timestamp;
use novacula_protocol::{Refusal, RefusalCode, Stage, Status};

use super::judge::InPlace;
use super::trial::{EndedAttempt, LockedRecords, Trial, Verdict, report_error};
use super::verify::VerifiedArtifact;
use crate::disk;
use crate::error::{Error, chain};
use crate::host::Places;

/// Swaps the artifact in for the current binary and keeps the current one as `.prev`. `arm` sets the dead-man's
/// switch; without it nothing is swapped.
///
/// # Errors
/// What went wrong; the old binary is then in place and no trial is open.
pub fn swap(
    records: &mut LockedRecords<'_>,
    places: &Places,
    trial: &Trial,
    artifact: VerifiedArtifact,
    arm: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    // Record, then swap: from here on somebody will judge, whatever happens to us.
    records.write_trial(trial)?;
    let swapped = arm()
        .and_then(|()| disk::link(&places.binary, &places.previous()))
        .and_then(|()| artifact.into_file().rename_over(&places.binary));
    match swapped {
        Ok(()) => {
            // Should this write fail, whoever next sees the new binary in place makes up for it.
            if let Err(e) = records.change_trial(|trial| trial.seen_in_place = true) {
                log::warn!("the trial record is one step behind: {}", chain(&e));
            }
            Ok(())
        }
        Err(e) => {
            if in_place(places, trial) != InPlace::Old {
                disk::link(&places.previous(), &places.binary)?;
            }
            records.remove_trial()?;
            Err(e)
        }
    }
}

/// Carries a verdict out and closes the trial. Every step may be repeated.
///
/// # Errors
/// The host failed at a step; the record stands, so that the next who looks goes on.
pub fn finish(
    records: &mut LockedRecords<'_>,
    places: &Places,
    trial: &Trial,
    at: Timestamp,
) -> Result<(), Error> {
    if trial.verdict.is_none() {
        return Ok(());
    }
    carry_out_verdict(records, places, trial, at)?;
    records.remove_trial()
}

/// Carries a verdict out but for the removal of the record, which is always the last step.
///
/// # Errors
/// As [`finish`].
pub fn carry_out_verdict(
    records: &mut LockedRecords<'_>,
    places: &Places,
    trial: &Trial,
    at: Timestamp,
) -> Result<(), Error> {
    match &trial.verdict {
        None => Ok(()),
        Some(verdict @ Verdict::Commit) => {
            if let Some(floor) = &trial.floor {
                records.raise_floor(floor)?;
            }
            records.remember(EndedAttempt::of_trial(trial, verdict, at))
        }
        Some(verdict @ Verdict::RollBack(_)) => {
            // Refuse, then swap back, then remove the record: cut short anywhere, it is resumed, and what was rolled
            // back is remembered before it can be offered again.
            records.remember(EndedAttempt::of_trial(trial, verdict, at))?;
            match in_place(places, trial) {
                InPlace::Old => Ok(()),
                _ => put_back(&places.previous(), &places.binary, Some(&trial.old_sha256)),
            }
        }
    }
}

/// Ends a trial of which nothing is left to judge.
///
/// # Errors
/// The records cannot be written.
pub fn discard(
    records: &mut LockedRecords<'_>,
    places: &Places,
    trial: &Trial,
    at: Timestamp,
) -> Result<(), Error> {
    let (found, code) = match in_place(places, trial) {
        // Never swapped: the attempt is still open and begins again.
        InPlace::Old if !trial.seen_in_place => return records.remove_trial(),
        InPlace::Old => ("the previous binary was put back by hand", RefusalCode::RolledBackByHand),
        InPlace::New | InPlace::Other => {
            ("the binary was replaced by somebody else", RefusalCode::HostFailure)
        }
    };
    let refusal =
        Refusal::new(code, format!("{} must stay in place during its trial, {found}", trial.target_version));
    let error = report_error(refusal, at);
    let mut ended = EndedAttempt::of_trial(trial, &Verdict::RollBack(error), at);
    if code == RefusalCode::HostFailure {
        (ended.stage, ended.status) = (Stage::Failed, Status::Failed);
    }
    records.remember(ended)?;
    records.remove_trial()
}

/// Puts the previous binary back in place; with `sha256`, only if it is the very one.
///
/// # Errors
/// It is missing or another; what is in place stays.
pub fn put_back(previous: &Path, binary: &Path, sha256: Option<&str>) -> Result<(), Error> {
    let found = disk::sha256_of(previous)?;
    if let Some(expected) = sha256.filter(|expected| **expected != found) {
        return Err(Error::host(format!(
            "{} must be the binary that was swapped out (sha256 {expected}), it is another one (sha256 {found}); \
             put a good binary at {} by hand",
            previous.display(),
            binary.display()
        )));
    }
    disk::link(previous, binary)
}

/// What stands at the path of the binary; one that cannot be read is neither.
#[must_use]
pub fn in_place(places: &Places, trial: &Trial) -> InPlace {
    match disk::sha256_of(&places.binary) {
        Ok(hash) if hash == trial.new_sha256 => InPlace::New,
        Ok(hash) if hash == trial.old_sha256 => InPlace::Old,
        _ => InPlace::Other,
    }
}
