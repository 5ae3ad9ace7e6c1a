//! The swap, and the way back. Nothing here decides; it carries out what was decided, in an order that survives
//! being cut short at any point.

use std::io::ErrorKind;
use std::path::Path;

use jiff::Timestamp;
use novacula_protocol::{Refusal, RefusalCode, Stage, Status};

use super::judge::InPlace;
use super::trial::{EndedAttempt, LockedRecords, Trial, Verdict, report_error};
use super::verify::VerifiedArtifact;
use crate::disk;
use crate::error::{Error, chain};
use crate::host::previous_of;

/// Swaps the artifact in for the current binary and keeps the current one as `.prev`. `arm` sets the dead-man's
/// switch; without it nothing is swapped.
///
/// # Errors
/// What went wrong; the old binary is then in place and no trial is open.
pub fn swap(
    records: &mut LockedRecords<'_>,
    trial: &Trial,
    artifact: VerifiedArtifact,
    arm: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    // Record, then swap: from here on somebody will judge, whatever happens to us.
    records.write_trial(trial)?;
    let swapped = arm()
        .and_then(|()| disk::link(&trial.binary, &previous_of(&trial.binary)))
        .and_then(|()| artifact.into_file().rename_over(&trial.binary));
    match swapped {
        Ok(()) => {
            // Should this write fail, whoever next sees the new binary in place makes up for it.
            if let Err(e) = records.change_trial(|trial| trial.seen_in_place = true) {
                log::warn!("the trial record is one step behind: {}", chain(&e));
            }
            Ok(())
        }
        Err(e) => {
            if in_place(trial)? != InPlace::Old {
                disk::link(&previous_of(&trial.binary), &trial.binary)?;
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
pub fn finish(records: &mut LockedRecords<'_>, trial: &Trial, at: Timestamp) -> Result<(), Error> {
    if trial.verdict.is_none() {
        return Ok(());
    }
    carry_out_verdict(records, trial, at)?;
    records.remove_trial()
}

/// Carries a verdict out but for the removal of the record, which is always the last step.
///
/// # Errors
/// As [`finish`].
pub fn carry_out_verdict(records: &mut LockedRecords<'_>, trial: &Trial, at: Timestamp) -> Result<(), Error> {
    match &trial.verdict {
        None => Ok(()),
        Some(verdict @ Verdict::Commit) => {
            if let Some(floor) = &trial.floor {
                records.raise_floor(floor)?;
            }
            records.note_committed(&trial.target_version, &trial.new_sha256)?;
            records.remember(EndedAttempt::of_trial(trial, verdict, at))
        }
        Some(verdict @ Verdict::RollBack(_)) => {
            // Refuse, then swap back, then remove the record: cut short anywhere, it is resumed, and what was rolled
            // back is remembered before it can be offered again. A full disk keeps the memory from being written, not
            // the good binary from coming back: until there is room the record itself says that it was swapped.
            let refused = records.remember(EndedAttempt::of_trial(trial, verdict, at));
            if in_place(trial)? != InPlace::Old {
                put_back(&trial.binary, Some(&trial.old_sha256))?;
            }
            refused
        }
    }
}

/// Remembers the end of a trial of which nothing is left to judge; the removal of the record is up to the caller.
///
/// # Errors
/// The records cannot be written.
pub fn discard(
    records: &mut LockedRecords<'_>,
    trial: &Trial,
    found: InPlace,
    at: Timestamp,
) -> Result<(), Error> {
    let (found, code) = match found {
        // Never swapped: the attempt is still open and begins again.
        InPlace::Old if !trial.seen_in_place => return Ok(()),
        InPlace::Old => ("the previous binary was put back", RefusalCode::RolledBackByHand),
        InPlace::New | InPlace::Other => {
            ("the binary was replaced by somebody else", RefusalCode::HostFailure)
        }
    };
    let sentence = format!("{} must stay in place during its trial, {found}", trial.target_version);
    fail(records, trial, Refusal::new(code, sentence), at)
}

/// Remembers that a trial ended without a verdict that could be carried out.
///
/// # Errors
/// The records cannot be written.
pub fn fail(
    records: &mut LockedRecords<'_>,
    trial: &Trial,
    refusal: Refusal,
    at: Timestamp,
) -> Result<(), Error> {
    let is_back = refusal.code == RefusalCode::RolledBackByHand;
    let mut ended = EndedAttempt::of_trial(trial, &Verdict::RollBack(report_error(refusal, at)), at);
    if !is_back {
        (ended.stage, ended.status) = (Stage::Failed, Status::Failed);
    }
    records.remember(ended)
}

/// Puts the previous binary back in place; with `sha256`, only if it is the very one.
///
/// # Errors
/// It is missing or another; what is in place stays.
pub fn put_back(binary: &Path, sha256: Option<&str>) -> Result<(), Error> {
    if let Some(sha256) = sha256 {
        previous_must_be(binary, sha256)?;
    }
    disk::link(&previous_of(binary), binary)
}

/// The previous binary of `binary` is the one with this hash.
///
/// # Errors
/// It is missing or another.
pub fn previous_must_be(binary: &Path, sha256: &str) -> Result<(), Error> {
    let previous = previous_of(binary);
    let found = disk::sha256_of(&previous)?;
    if found == sha256 {
        return Ok(());
    }
    Err(Error::host(format!(
        "{} must be the binary that was swapped out (sha256 {sha256}), it is another one (sha256 {found}); put a good \
         binary at {} by hand",
        previous.display(),
        binary.display()
    )))
}

/// What stands at the path of the binary.
///
/// # Errors
/// It cannot be read, which says nothing about what it is.
pub fn in_place(trial: &Trial) -> Result<InPlace, Error> {
    match std::fs::symlink_metadata(&trial.binary) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(InPlace::Other),
        Ok(found) if !found.is_file() => return Ok(InPlace::Other),
        _ => {}
    }
    let hash = disk::sha256_of(&trial.binary)?;
    Ok(match hash {
        hash if hash == trial.new_sha256 => InPlace::New,
        hash if hash == trial.old_sha256 => InPlace::Old,
        _ => InPlace::Other,
    })
}
