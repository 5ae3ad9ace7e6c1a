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
use novacula_protocol::trusted_comment::TrustedComment;
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
use crate::upgrade::trial::Records;
use crate::upgrade::verify::version_printed_by;
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
pub fn upgrade(order: Order, means: &Means<'_>) -> Result<String, Error> {
    let now = (means.clock.wall)();
    let spec = spec(order, means, now)?;
    let standing = Standing {
        version: &means.build.version,
        floor: means.records.floor()?.into_iter().chain(means.build.floor.clone()).max(),
        ended: &[],
        on_trial: means.records.trial()?.is_some(),
        in_hand: None,
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
    if !systemd::is_running() {
        return Ok(format!("{target} is in place; no systemd answers here, so start it yourself"));
    }
    systemd::restart_agent()?;
    Ok(format!("{target} is in place and on trial; `novacula-agent status` shows how it does"))
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
pub fn arm() -> Result<(), Error> {
    match systemd::is_running() {
        true => agent::arm(),
        false => Ok(()),
    }
}

/// What `rollback` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolledBack {
    /// One sentence about what was done.
    Done(String),
    /// The previous binary is the one in place.
    NothingToDo(String),
}

/// Puts the previous binary back in place, now, with or without a trial, a network or a control plane.
///
/// # Errors
/// There is no previous binary, or it does not run.
pub fn rollback(places: &Places, records: &Records, clock: Clock) -> Result<RolledBack, Error> {
    let now = (clock.wall)();
    let supervised = systemd::is_running();
    if let Some(trial) = records.trial()? {
        let refusal = Refusal::new(
            RefusalCode::RolledBackByHand,
            format!("a sysadmin rolled back to {} on the host", trial.from_version),
        );
        if supervised {
            return watch::roll_back(watch::lock(records)?, places, Some(refusal), now).map(RolledBack::Done);
        }
        let mut locked = records.lock()?;
        let error = upgrade::trial::report_error(refusal, now);
        if let Some(trial) = locked.decide(upgrade::trial::Verdict::RollBack(error))? {
            swap::finish(&mut locked, places, &trial, now)?;
        }
        return Ok(RolledBack::Done(format!("{} is back in place; start it", trial.from_version)));
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
        return Ok(RolledBack::NothingToDo(format!(
            "{version} is both the current and the previous binary; nothing was changed"
        )));
    }
    let _locked = records.lock()?;
    swap::put_back(&previous, &places.binary, None)?;
    if !supervised {
        return Ok(RolledBack::Done(format!(
            "{version} is back in place; no systemd answers here, so start it yourself"
        )));
    }
    systemd::restart_agent()?;
    Ok(RolledBack::Done(format!("{version} is back in place and being started")))
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
