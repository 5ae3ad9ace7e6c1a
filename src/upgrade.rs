//! The path of one pendingUpgrade, top to bottom.
//!
//! ```text
//!  pendingUpgrade ─▶ admit ─▶ fetch ─▶ verify ─▶ swap ══ restart ══▶ trial ─▶ judge ─▶ commit
//!                      │        │         │                                     └────▶ roll back ══ restart
//!                      │        │         └▶ refused: reported, remembered with its cause
//!                      └────────┴▶ not now: asked again at the next sync
//!  ├──── nothing durable yet: a crash only repeats ────┤├──── the trial record is on disk ────┤
//! ```
//!
//! This file is the way up to the restart. After it, the binary on trial looks at itself in `agent.rs`, and the
//! known-good one at it in `watch.rs`; both ask `judge`, and `swap::finish` carries the verdict out.

pub mod admit; // pure: may this host take this spec now?
pub mod fetch; // network → temporary file
pub mod hand; // the upgrade in hand: told and steered
pub mod judge; // pure: wait, commit, roll back or discard
pub mod swap; // record, link, rename; and the way back
pub mod trial; // the trial record and the ended attempts
pub mod verify; // bytes of the file → VerifiedArtifact

use std::path::Path;

use novacula_protocol::signature::{ReleaseSignature, TrustedKeys};
use novacula_protocol::spec::Intent;
use novacula_protocol::{LogLevel, RefusalCode, Stage};
use semver::Version;

use self::admit::Admitted;
use self::hand::Hand;
use self::trial::{Elapsed, Records, Trial, find};
use self::verify::VerifiedArtifact;
use crate::control_plane::ControlPlane;
use crate::disk::{self, Incoming};
use crate::error::Error;
use crate::host::{Build, Clock, Places, boot_id};

/// What an upgrade needs of this host.
pub struct Means<'a> {
    /// This build.
    pub build: &'a Build,
    /// Where the binary is.
    pub places: &'a Places,
    /// The memory of this host.
    pub records: &'a Records,
    /// Whose signatures count.
    pub keys: &'a TrustedKeys,
    /// Where artifacts may be, and who may see the key.
    pub control_plane: &'a ControlPlane,
    /// Plain http may leave this host.
    pub allow_plain_http: bool,
    /// The most a download may take from others on this link.
    pub bytes_per_second: Option<u64>,
    /// The two clocks.
    pub clock: Clock,
    /// The control plane knows this upgrade; false for one run by hand.
    pub reported: bool,
    /// Sets the dead-man's switch: that `previous` will look at the records in this directory.
    pub arm: fn(&Path, &Path) -> Result<(), Error>,
}

/// Where the path ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// A dry run: everything is in order and nothing was swapped.
    Validated,
    /// The new binary is in place and on trial: restart.
    Swapped,
}

/// Carries out one admitted spec, up to the restart.
///
/// # Errors
/// Why nothing was swapped. No temporary file is left, and the binary is the one that was there before.
pub fn carry_out(admitted: &Admitted, means: &Means<'_>, hand: &Hand) -> Result<Done, Error> {
    let spec = admitted.spec();
    let Some(_in_hand) = means.records.take_in_hand()? else {
        return Err(Error::NotNow("another upgrade is in hand".to_owned()));
    };
    let directory = means.places.binary.parent().unwrap_or(&means.places.binary);
    let Some(_alone) = disk::try_lock_directory(directory)? else {
        return Err(Error::NotNow("another agent has an upgrade of this binary in hand".to_owned()));
    };

    hand.enter(Stage::Preflight);
    hand.say(
        LogLevel::Info,
        format!("upgrade from {} to {}", means.build.version, spec.header.target_version),
    );
    disk::must_be_ours(means.records.data_dir())?;
    must_be_what_runs(&means.places.binary, &means.build.version)?;
    for (directory, size) in [(directory, spec.size), (means.records.data_dir(), 0)] {
        enough_bytes(directory, size)?;
        enough_inodes(directory)?;
    }
    hand.checkpoint()?;

    hand.enter(Stage::Download);
    let begun_ms = hand.ticks_ms();
    let signature = ReleaseSignature::parse(&spec.signature)?;
    let mut incoming = Incoming::beside(&means.places.binary, &spec.sha256)?;
    let fetched = verify::check_while(&mut incoming, &signature, means.keys, |incoming| {
        fetch::fetch(spec, means, incoming, hand)
    });
    let checked = match fetched {
        Ok(checked) => checked,
        Err(e) => {
            if matches!(e, Error::NotNow(_)) {
                incoming.keep();
            }
            return Err(e);
        }
    };
    hand.checkpoint()?;

    hand.enter(Stage::Verify);
    let was_kept = incoming.was_kept();
    let artifact =
        verify::verify(incoming.seal()?, checked, spec, means.build.target).map_err(|e| match e {
            // A power cut may have spoilt what an earlier try had kept: that is no reason to blame the release.
            Error::Refused(refusal) if was_kept && refusal.code == RefusalCode::Sha256Mismatch => {
                Error::NotNow("what an earlier try had fetched was spoilt; beginning again".to_owned())
            }
            e => e,
        })?;
    let taken_ms = hand.ticks_ms().saturating_sub(begun_ms);
    hand.say(
        LogLevel::Success,
        format!(
            "fetched and verified in {taken_ms} ms: sha256, signature, signed fields and a run of --version are right"
        ),
    );
    hand.checkpoint()?;

    if hand.intent() == Intent::Validate {
        return Ok(Done::Validated);
    }
    hand.enter(Stage::Swap);
    swap_in(admitted, artifact, means, hand)?;
    hand.say(LogLevel::Success, format!("{} is in place, on trial", spec.header.target_version));
    hand.enter(Stage::Restart);
    Ok(Done::Swapped)
}

fn swap_in(
    admitted: &Admitted,
    artifact: VerifiedArtifact,
    means: &Means<'_>,
    hand: &Hand,
) -> Result<(), Error> {
    let spec = admitted.spec();
    let header = &spec.header;
    let mut records = means.records.lock()?;
    // Admission saw the records without the lock; a pair that was swapped in meanwhile must not be again.
    if means.records.trial()?.is_some() {
        return Err(Error::NotNow("a trial is open".to_owned()));
    }
    if find(&means.records.ended()?, &header.upgrade_id, header.attempt).is_some() {
        return Err(Error::NotNow("this attempt has ended".to_owned()));
    }
    let boot_id = boot_id();
    let trial = Trial {
        upgrade_id: header.upgrade_id.clone(),
        attempt: header.attempt,
        reported: means.reported,
        binary: means.places.binary.clone(),
        from_version: means.build.version.clone(),
        target_version: header.target_version.clone(),
        old_sha256: disk::sha256_of(&means.places.binary)?,
        new_sha256: artifact.sha256().to_owned(),
        size: spec.size,
        floor: artifact.floor().cloned(),
        health_window_ms: header.health_window_ms,
        confirm: header.confirm,
        opened_at: (means.clock.wall)(),
        elapsed: Elapsed::begin(&boot_id, (means.clock.ticks_ms)()),
        synced: false,
        healthy: false,
        inconclusive: false,
        seen_in_place: false,
        verdict: None,
    };
    // The last word a person can have before the swap.
    hand.checkpoint()?;
    let arm = || (means.arm)(&means.places.previous(), means.records.data_dir());
    swap::swap(&mut records, &trial, artifact, arm)
}

/// What is kept as `.prev` must be what is known to be good, not what another agent, or anybody else, has put in place
/// since this one started.
fn must_be_what_runs(binary: &Path, version: &Version) -> Result<(), Error> {
    verify::must_run_here(binary, version).map_err(|_| {
        let found = format!("{} must be the {version} that runs, it was replaced since", binary.display());
        Error::refused(RefusalCode::UnexpectedState, format!("{found}; restart the agent, then try again"))
    })
}

/// Room to spare beside the artifact, in bytes: for records and for others on the same file system.
const MARGIN: u64 = 4 * 1024 * 1024;
/// File names to spare: the download, the link, the records.
const INODES: u64 = 16;

/// Refuses before the first byte what would not fit, with need and have.
///
/// # Errors
/// `disk_full`.
pub fn enough_bytes(directory: &Path, size: u64) -> Result<(), Error> {
    let space = disk::space(directory)?;
    let need = size.saturating_add(MARGIN);
    match space.bytes < need {
        false => Ok(()),
        true => Err(Error::refused(
            RefusalCode::DiskFull,
            format!("{} must have {need} bytes free, it has {}", directory.display(), space.bytes),
        )),
    }
}

/// As [`enough_bytes`], for file names.
///
/// # Errors
/// `disk_full`.
pub fn enough_inodes(directory: &Path) -> Result<(), Error> {
    match disk::space(directory)?.inodes {
        Some(inodes) if inodes < INODES => Err(Error::refused(
            RefusalCode::DiskFull,
            format!("{} must have {INODES} inodes free, it has {inodes}", directory.display()),
        )),
        _ => Ok(()),
    }
}
