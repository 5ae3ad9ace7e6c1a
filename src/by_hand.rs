//! What a sysadmin asks for on the host itself.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::mpsc::channel;

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::signature::{MAX_SIGNATURE_BYTES, ReleaseSignature, TrustedKeys};
use novacula_protocol::spec::{
    AgentUpgradeSpec, Confirm, DEFAULT_HEALTH_WINDOW_MS, Direction, Intent, PendingUpgrade, SpecHeader,
};
use novacula_protocol::sync::Held;
use novacula_protocol::trusted_comment::{TrustedComment, plain_version};
use novacula_protocol::{Refusal, RefusalCode};
use semver::Version;

use crate::agent;
use crate::disk;
use crate::error::{Doing as _, Error};
use crate::host::{Clock, Places, dice};
use crate::systemd;
use crate::upgrade::admit::{Admission, Standing, admit};
use crate::upgrade::fetch;
use crate::upgrade::hand::Hand;
use crate::upgrade::swap;
use crate::upgrade::trial::{LockedRecords, Records, Trial, Verdict, report_error};
use crate::upgrade::verify::{must_run_here, version_printed_by};
use crate::upgrade::{self, Means};
use crate::watch;

/// The flags of `upgrade`: the fields of a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What shall run.
    pub target_version: Version,
    /// Where the artifact is.
    pub download_url: String,
    /// Lower-case hex.
    pub sha256: String,
    /// The text of the `.minisig` file.
    pub signature: String,
    /// Bytes; asked of the server when absent.
    pub size: Option<u64>,
    /// A lower version is wanted.
    pub downgrade: bool,
    /// Until the new version is committed.
    pub health_window_ms: Option<u64>,
}

/// How long an order given by hand is worth carrying out.
const ORDER_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// Carries an order out along the same path as one from the control plane. Gives one sentence.
///
/// # Errors
/// As the path of every upgrade.
pub fn upgrade(order: Order, means: &Means<'_>) -> Result<Outcome, Error> {
    let now = (means.clock.wall)();
    let (binary, version) = (&means.places.binary, &means.build.version);
    if must_run_here(binary, version).is_err() {
        return Err(Error::host(format!(
            "only the agent that is in place can upgrade itself, and this is {version}; run {} upgrade",
            binary.display()
        )));
    }
    if order.target_version == *version {
        return Ok(Outcome::NothingToDo(format!("{version} is what runs here; nothing was changed")));
    }
    let spec = spec(order, means, now)?;
    let held = means.records.hold(now)?;
    let standing = Standing {
        version: &means.build.version,
        floor: means.records.floor()?.into_iter().chain(means.build.floor.clone()).max(),
        ended: &[],
        on_trial: means.records.trial()?.is_some(),
        in_hand: None,
        held: held.as_ref().map(|held| held.reason.as_str()),
        allow_plain_http: means.allow_plain_http,
        now,
    };
    let (header, size) = (spec.header.clone(), spec.size);
    let admitted = match admit(PendingUpgrade::Agent(spec), &standing) {
        Admission::Admitted(admitted) => *admitted,
        Admission::Refused(refusal) => return Err(refusal.into()),
        Admission::NotNow(reason) => return Err(Error::NotNow(reason)),
        _ => return Err(Error::NotNow("this order cannot be taken now".to_owned())),
    };
    // Nobody listens: what happens is in the log that the sysadmin is looking at.
    let (bell, _listen) = channel();
    let life_ms = u64::try_from(ORDER_LIFE.as_millis()).unwrap_or(u64::MAX);
    let hand = Hand::take(&header, size, life_ms, bell, means.clock);
    upgrade::carry_out(&admitted, means, &hand)?;
    let target = header.target_version;
    restarted(format!("{target} is in place, on trial (`novacula-agent status` shows how it does)"))
}

fn spec(order: Order, means: &Means<'_>, now: Timestamp) -> Result<AgentUpgradeSpec, Error> {
    let size = match order.size {
        Some(size) => size,
        None => fetch::announced_size(&order.download_url, means.control_plane, means.allow_plain_http)?,
    };
    let header = SpecHeader {
        upgrade_id: format!("by-hand-{}-{:016x}", now.as_millisecond(), dice()),
        attempt: 1,
        intent: Intent::Apply,
        from_version: means.build.version.clone(),
        target_version: order.target_version,
        direction: if order.downgrade { Direction::Downgrade } else { Direction::Upgrade },
        confirm: Confirm::Auto,
        health_window_ms: order.health_window_ms.unwrap_or(DEFAULT_HEALTH_WINDOW_MS),
        expires_at: now.saturating_add(ORDER_LIFE).unwrap_or(Timestamp::MAX),
    };
    let Order { download_url, sha256, signature, .. } = order;
    Ok(AgentUpgradeSpec { header, download_url, size, sha256, signature })
}

/// The dead-man's switch of an order given by hand.
///
/// # Errors
/// `units_missing`.
pub fn arm(previous: &Path, data_dir: &Path) -> Result<(), Error> {
    match systemd::is_running() {
        true => agent::arm(previous, data_dir),
        false => Ok(()),
    }
}

/// What an order by hand came to, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was done.
    Done(String),
    /// Why there was nothing to do.
    NothingToDo(String),
}

/// Puts the previous binary back in place, now, with or without a trial, a network or a control plane.
///
/// # Errors
/// There is no previous binary, or it does not run.
pub fn rollback(places: &Places, records: &Records, clock: Clock) -> Result<Outcome, Error> {
    let now = (clock.wall)();
    let trial = records.trial()?;
    // What was committed and only not cleared away yet is rolled back like anything that was committed.
    if let Some(trial) = trial.filter(|trial| trial.verdict != Some(Verdict::Commit)) {
        return roll_trial_back(trial, records, now);
    }
    let previous = places.previous();
    let version = version_printed_by(&previous).map_err(|found| {
        Error::host(format!(
            "{} must be the previous binary, {found}; put a good binary at {} by hand and restart {}",
            previous.display(),
            places.binary.display(),
            systemd::AGENT
        ))
    })?;
    let in_place = disk::sha256_of(&places.binary).ok();
    if in_place.is_some() && in_place == disk::sha256_of(&previous).ok() {
        return Ok(Outcome::NothingToDo(format!(
            "{version} is both the current and the previous binary; nothing was changed"
        )));
    }
    let mut locked = records.lock()?;
    swap::put_back(&places.binary, None)?;
    note_committed(&mut locked, &places.binary, &version)?;
    drop(locked);
    restarted(format!("{version} is back in place"))
}

fn roll_trial_back(trial: Trial, records: &Records, now: Timestamp) -> Result<Outcome, Error> {
    let old = trial.from_version.clone();
    let sentence = format!("a sysadmin rolled back to {old} on the host");
    let refusal = Refusal::new(RefusalCode::RolledBackByHand, sentence);
    if systemd::is_running() {
        let (locked, _) = watch::lock(records)?;
        return watch::roll_back(locked, trial, Some(refusal), now).map(Outcome::Done);
    }
    let mut locked = records.lock()?;
    if let Some(trial) = locked.decide(Verdict::RollBack(report_error(refusal, now)))? {
        swap::finish(&mut locked, &trial, now)?;
    }
    Ok(Outcome::Done(format!("{old} is back in place; start it")))
}

/// Puts the version back that belongs here, if something else stands in its place.
///
/// # Errors
/// It is nowhere on this host.
pub fn repair(places: &Places, records: &Records) -> Result<Outcome, Error> {
    if records.trial()?.is_some() {
        return Err(Error::NotNow("a trial is open and ends by itself; `rollback` ends it now".to_owned()));
    }
    let Some(committed) = records.committed()? else {
        return Err(Error::host("nothing was ever committed here; `rollback` puts the previous binary back"));
    };
    if disk::sha256_of(&places.binary).is_ok_and(|found| found == committed.sha256) {
        return Ok(Outcome::NothingToDo(format!("{} is in place, as it should be", committed.version)));
    }
    let _locked = records.lock()?;
    swap::put_back(&places.binary, Some(&committed.sha256))?;
    restarted(format!("{} is back in place", committed.version))
}

fn restarted(done: String) -> Result<Outcome, Error> {
    if !systemd::is_running() {
        return Ok(Outcome::Done(format!("{done}; no systemd answers here, so start it yourself")));
    }
    systemd::restart_agent()?;
    Ok(Outcome::Done(format!("{done} and being started")))
}

fn note_committed(records: &mut LockedRecords<'_>, binary: &Path, printed: &str) -> Result<(), Error> {
    let Some(version) = printed.split_whitespace().last().and_then(plain_version) else { return Ok(()) };
    records.note_committed(&version, &disk::sha256_of(binary)?)
}

/// Holds this host: no upgrade begins until the hold ends.
///
/// # Errors
/// The hold cannot be written.
pub fn hold(records: &Records, held: &Held) -> Result<Outcome, Error> {
    records.lock()?.set_hold(held)?;
    Ok(Outcome::Done(format!("held {held}")))
}

/// Ends a hold.
///
/// # Errors
/// The hold cannot be removed.
pub fn unhold(records: &Records) -> Result<Outcome, Error> {
    Ok(match records.lock()?.end_hold()? {
        true => Outcome::Done("no longer held".to_owned()),
        false => Outcome::NothingToDo("this host was not held".to_owned()),
    })
}

/// Checks a file against its signature and the keys of this build; gives what was signed.
///
/// # Errors
/// The code of the check that failed.
pub fn verify(artifact: &Path, signature: &Path, keys: &TrustedKeys) -> Result<TrustedComment, Error> {
    let signature = ReleaseSignature::parse(&read_signature(signature)?)?;
    let mut verifier = signature.verifier(keys)?;
    let mut file = fs::File::open(artifact).doing(|| format!("open {}", artifact.display()))?;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match file.read(&mut chunk).doing(|| format!("read {}", artifact.display()))? {
            0 => return Ok(verifier.finish()?),
            read => verifier.update(&chunk[..read]),
        }
    }
}

/// The text of a signature file, or of as much of it as is needed to refuse it.
///
/// # Errors
/// It cannot be read.
pub fn read_signature(path: &Path) -> Result<String, Error> {
    let file = fs::File::open(path).doing(|| format!("open the signature {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(MAX_SIGNATURE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .doing(|| format!("read the signature {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
