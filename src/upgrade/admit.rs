//! May this host take this spec now? Pure: what is known comes in, the answer comes out.

use jiff::Timestamp;
use novacula_protocol::reach::{direction, hop_between};
use novacula_protocol::spec::{AgentUpgradeSpec, Direction, Intent, PendingUpgrade, SpecHeader};
use novacula_protocol::trusted_comment::plain_version;
use novacula_protocol::{Refusal, RefusalCode};
use semver::Version;
use ureq::http::Uri;

use super::trial::{EndedAttempt, find};
use crate::config::is_loopback;

/// What admission needs to know of this host.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// What runs here.
    pub version: &'a Version,
    /// The higher of the committed floor and the built-in one.
    pub floor: Option<Version>,
    /// Attempts that came to their end here.
    pub ended: &'a [EndedAttempt],
    /// A trial is open.
    pub on_trial: bool,
    /// Another upgrade is in hand.
    pub in_hand: Option<(&'a str, u32)>,
    /// Why a sysadmin holds this host, if one does.
    pub held: Option<&'a str>,
    /// Plain http may leave this host.
    pub allow_plain_http: bool,
    /// The control plane's clock.
    pub now: Timestamp,
}

/// A spec that this host may carry out; there is no other way to get one.
#[derive(Clone, Debug)]
pub struct Admitted {
    spec: AgentUpgradeSpec,
}

impl Admitted {
    /// What was asked for.
    #[must_use]
    pub fn spec(&self) -> &AgentUpgradeSpec {
        &self.spec
    }
}

/// The answer to "may this host take this spec now?".
#[derive(Clone, Debug)]
pub enum Admission {
    /// Yes.
    Admitted(Box<Admitted>),
    /// The upgrade that is in hand already: only its intent and expiry may be new.
    InHand(Box<SpecHeader>),
    /// This attempt came to its end before: tell it again.
    Ended(Box<EndedAttempt>),
    /// Ask again at the next sync.
    NotNow(String),
    /// Dropped by a person before it began.
    Abandoned,
    /// Asked to wait before it began.
    Paused,
    /// No.
    Refused(Refusal),
}

/// Decides; the first rule that stops a spec is the reason.
#[must_use]
pub fn admit(offered: PendingUpgrade, host: &Standing<'_>) -> Admission {
    let header = offered.header();
    if host.in_hand == Some((header.upgrade_id.as_str(), header.attempt)) {
        return Admission::InHand(Box::new(header.clone()));
    }
    if let Some(ended) = find(host.ended, &header.upgrade_id, header.attempt) {
        return Admission::Ended(Box::new(ended.clone()));
    }
    if host.on_trial {
        return Admission::NotNow("a trial is open".to_owned());
    }
    if host.in_hand.is_some() {
        return Admission::NotNow("another upgrade is in hand".to_owned());
    }
    match header.intent {
        Intent::Abandon | Intent::Rollback => return Admission::Abandoned,
        Intent::Pause => return Admission::Paused,
        Intent::Apply | Intent::Validate | Intent::Complete => {}
    }
    if let Some(reason) = host.held {
        return Admission::NotNow(format!("this host is held: {reason}"));
    }
    match judge(offered, host) {
        Ok(spec) => Admission::Admitted(Box::new(Admitted { spec })),
        Err(refusal) => Admission::Refused(refusal),
    }
}

fn judge(offered: PendingUpgrade, host: &Standing<'_>) -> Result<AgentUpgradeSpec, Refusal> {
    let refuse = |code, message: String| Err(Refusal::new(code, message));
    let spec = match offered {
        PendingUpgrade::Agent(spec) => spec,
        PendingUpgrade::Operator(_) => {
            return refuse(
                RefusalCode::WrongKind,
                "expected a spec for kind agent, it is for an operator".to_owned(),
            );
        }
    };
    let header = &spec.header;
    let target = &header.target_version;
    well_formed(&spec)?;
    if header.expires_at <= host.now {
        return refuse(
            RefusalCode::StaleSpec,
            format!(
                "the spec must not have expired, it did at {} and now it is {}",
                header.expires_at, host.now
            ),
        );
    }
    if header.from_version != *host.version {
        return refuse(
            RefusalCode::UnexpectedState,
            format!(
                "the spec is for a host that runs {}, this one runs {}",
                header.from_version, host.version
            ),
        );
    }
    match (direction(host.version, target), header.direction) {
        (None, _) => {
            return refuse(RefusalCode::UnexpectedState, format!("{target} runs here already"));
        }
        (Some(Direction::Downgrade), Direction::Upgrade) => {
            return refuse(
                RefusalCode::DowngradeNotMarked,
                format!("{target} is lower than {}, the spec must be marked as a downgrade", host.version),
            );
        }
        (Some(Direction::Upgrade), Direction::Downgrade) => {
            return refuse(
                RefusalCode::InvalidSpec,
                format!("{target} is higher than {}, yet the spec is marked as a downgrade", host.version),
            );
        }
        _ => {}
    }
    if let Some(floor) = host.floor.as_ref().filter(|floor| target < *floor) {
        return refuse(
            RefusalCode::BelowFloor,
            format!("the version must not be below {floor}, it is {target}"),
        );
    }
    if let Some(hop) = hop_between(host.version, target) {
        return refuse(
            RefusalCode::UnreachableMajor,
            format!("{target} is too far from {}: {hop}", host.version),
        );
    }
    secure_url(&spec.download_url, host.allow_plain_http)?;
    Ok(spec)
}

/// Nobody waits longer to know whether an upgrade went well.
const LONGEST_HEALTH_WINDOW_MS: u64 = 24 * 60 * 60 * 1_000;

fn well_formed(spec: &AgentUpgradeSpec) -> Result<(), Refusal> {
    let header = &spec.header;
    let invalid = |message: String| Err(Refusal::new(RefusalCode::InvalidSpec, message));
    if header.attempt == 0 {
        return invalid("attempts count from 1, this one is 0".to_owned());
    }
    if header.upgrade_id.is_empty() || header.upgrade_id.len() > 128 {
        return invalid(format!("upgradeId must have 1 to 128 bytes, it has {}", header.upgrade_id.len()));
    }
    for version in [&header.from_version, &header.target_version] {
        if plain_version(&version.to_string()).is_none() {
            return invalid(format!("versions must be without build metadata, one is {version}"));
        }
    }
    if header.health_window_ms > LONGEST_HEALTH_WINDOW_MS {
        return invalid(format!("healthWindowMs must be at most a day, it is {}", header.health_window_ms));
    }
    if spec.size == 0 {
        return invalid("size must be at least 1 byte, it is 0".to_owned());
    }
    let is_hash =
        spec.sha256.len() == 64 && spec.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        return invalid("sha256 must be 64 lower-case hex digits, it is not".to_owned());
    }
    Ok(())
}

/// https, or http to this very host, or http where the config allows it.
///
/// # Errors
/// `insecure_url`.
pub fn secure_url(url: &str, allow_plain_http: bool) -> Result<Uri, Refusal> {
    let refuse = |found: &str| {
        Err(Refusal::new(
            RefusalCode::InsecureUrl,
            format!("the artifact must come by https, or by http where the config allows it, {found}"),
        ))
    };
    let Ok(uri) = url.parse::<Uri>() else { return refuse("its URL cannot be read") };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) if !host.is_empty() => Ok(uri),
        (Some("http"), Some(host)) if is_loopback(host) || allow_plain_http && !host.is_empty() => Ok(uri),
        (Some("http"), _) => refuse("its URL is plain http"),
        _ => refuse("its URL is neither"),
    }
}

#[cfg(test)]
mod tests;
