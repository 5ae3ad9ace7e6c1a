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
mod tests {
    use novacula_protocol::spec::Confirm;
    use novacula_protocol::{Stage, Status};

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn spec() -> AgentUpgradeSpec {
        AgentUpgradeSpec {
            header: SpecHeader {
                upgrade_id: "u".to_owned(),
                attempt: 1,
                intent: Intent::Apply,
                from_version: version("1.5.0"),
                target_version: version("1.6.0"),
                direction: Direction::Upgrade,
                confirm: Confirm::Auto,
                health_window_ms: 60_000,
                expires_at: Timestamp::from_second(2_000).unwrap(),
            },
            download_url: "https://example.com/a".to_owned(),
            size: 1,
            sha256: "a".repeat(64),
            signature: String::new(),
        }
    }

    fn answer(change: impl FnOnce(&mut AgentUpgradeSpec), host: impl FnOnce(&mut Standing<'_>)) -> String {
        let mut spec = spec();
        let here = version("1.5.0");
        let ended = [EndedAttempt::of(
            &SpecHeader { upgrade_id: "old".to_owned(), ..spec.header.clone() },
            Stage::RolledBack,
            Status::RolledBack,
            None,
            Timestamp::UNIX_EPOCH,
        )];
        change(&mut spec);
        let mut standing = Standing {
            version: &here,
            floor: Some(version("1.4.0")),
            ended: &ended,
            on_trial: false,
            in_hand: None,
            held: None,
            allow_plain_http: false,
            now: Timestamp::from_second(1_000).unwrap(),
        };
        host(&mut standing);
        match admit(PendingUpgrade::Agent(spec), &standing) {
            Admission::Admitted(_) => "admitted".to_owned(),
            Admission::InHand(header) => format!("in hand, {:?}", header.intent),
            Admission::Ended(ended) => format!("ended at {}", ended.stage),
            Admission::NotNow(_) => "not now".to_owned(),
            Admission::Abandoned => "abandoned".to_owned(),
            Admission::Paused => "paused".to_owned(),
            Admission::Refused(refusal) => refusal.code.to_string(),
        }
    }

    type Change = fn(&mut AgentUpgradeSpec);
    type Host = fn(&mut Standing<'_>);

    #[test]
    fn a_spec_is_admitted_refused_or_not_now() {
        let same: Host = |_| {};
        let spec: Change = |_| {};
        let rows: Vec<(&str, Change, Host, &str)> = vec![
            ("a good spec is admitted", spec, same, "admitted"),
            ("while a trial is open nothing is refused", |s| s.size = 0, |h| h.on_trial = true, "not now"),
            ("two upgrades are not in hand at once", spec, |h| h.in_hand = Some(("other", 1)), "not now"),
            ("another attempt is another upgrade", spec, |h| h.in_hand = Some(("u", 2)), "not now"),
            (
                "the one in hand only brings its intent",
                spec,
                |h| h.in_hand = Some(("u", 1)),
                "in hand, Apply",
            ),
            ("a held host waits", spec, |h| h.held = Some("maintenance"), "not now"),
            (
                "on a held host nothing is refused",
                |s| s.size = 0,
                |h| h.held = Some("maintenance"),
                "not now",
            ),
            (
                "a hold does not keep a person from abandoning",
                |s| s.header.intent = Intent::Abandon,
                |h| h.held = Some("maintenance"),
                "abandoned",
            ),
            (
                "an ended attempt is told again",
                |s| s.header.upgrade_id = "old".into(),
                same,
                "ended at ROLLEDBACK",
            ),
            (
                "an ended attempt is told again during a trial",
                |s| s.header.upgrade_id = "old".into(),
                |h| h.on_trial = true,
                "ended at ROLLEDBACK",
            ),
            (
                "a new attempt of it is a new try",
                |s| {
                    s.header.upgrade_id = "old".into();
                    s.header.attempt = 2;
                },
                same,
                "admitted",
            ),
            ("abandoning needs no download", |s| s.header.intent = Intent::Abandon, same, "abandoned"),
            (
                "a rollback before the swap abandons",
                |s| s.header.intent = Intent::Rollback,
                same,
                "abandoned",
            ),
            ("a pause before the start is honoured", |s| s.header.intent = Intent::Pause, same, "paused"),
            ("a dry run is admitted", |s| s.header.intent = Intent::Validate, same, "admitted"),
            (
                "an expired spec is stale",
                spec,
                |h| h.now = Timestamp::from_second(2_000).unwrap(),
                "stale_spec",
            ),
            (
                "a replay meets another version",
                |s| s.header.from_version = version("1.4.0"),
                same,
                "unexpected_state",
            ),
            (
                "what runs already is not asked for",
                |s| s.header.target_version = version("1.5.0"),
                same,
                "unexpected_state",
            ),
            (
                "lower and not marked",
                |s| s.header.target_version = version("1.4.0"),
                same,
                "downgrade_not_marked",
            ),
            (
                "a pre-release is lower than its release",
                |s| s.header.target_version = version("1.5.0-rc.1"),
                same,
                "downgrade_not_marked",
            ),
            (
                "lower and marked",
                |s| {
                    s.header.target_version = version("1.4.0");
                    s.header.direction = Direction::Downgrade;
                },
                same,
                "admitted",
            ),
            ("higher and marked lower", |s| s.header.direction = Direction::Downgrade, same, "invalid_spec"),
            (
                "below the floor, however it is marked",
                |s| {
                    s.header.target_version = version("1.3.9");
                    s.header.direction = Direction::Downgrade;
                },
                same,
                "below_floor",
            ),
            ("one major up is near", |s| s.header.target_version = version("2.9.0"), same, "admitted"),
            (
                "two majors up are far",
                |s| s.header.target_version = version("3.0.0"),
                same,
                "unreachable_major",
            ),
            (
                "a huge major is only far",
                |s| s.header.target_version = version("4294967296.0.0"),
                same,
                "unreachable_major",
            ),
            (
                "build metadata is refused",
                |s| s.header.target_version = version("1.8.0+evil"),
                same,
                "invalid_spec",
            ),
            ("attempts count from one", |s| s.header.attempt = 0, same, "invalid_spec"),
            ("a health window ends", |s| s.header.health_window_ms = u64::MAX, same, "invalid_spec"),
            ("nothing is not an artifact", |s| s.size = 0, same, "invalid_spec"),
            ("upper-case hex is refused", |s| s.sha256 = "A".repeat(64), same, "invalid_spec"),
            ("a path is no hash", |s| s.sha256 = "../../etc/passwd".into(), same, "invalid_spec"),
            (
                "plain http is insecure",
                |s| s.download_url = "http://example.com/a".into(),
                same,
                "insecure_url",
            ),
            (
                "plain http may be allowed",
                |s| s.download_url = "http://example.com/a".into(),
                |h| h.allow_plain_http = true,
                "admitted",
            ),
            (
                "http to this host never leaves it",
                |s| s.download_url = "http://127.0.0.1:1/a".into(),
                same,
                "admitted",
            ),
            (
                "link-local is not this host",
                |s| s.download_url = "http://169.254.169.254/a".into(),
                same,
                "insecure_url",
            ),
            (
                "user info does not make a host local",
                |s| s.download_url = "http://127.0.0.1@evil.org/a".into(),
                same,
                "insecure_url",
            ),
            ("files are not fetched", |s| s.download_url = "file:///etc/passwd".into(), same, "insecure_url"),
            ("garbage is not fetched", |s| s.download_url = "\u{1b}[31m".into(), same, "insecure_url"),
        ];
        for (sentence, change, host, expected) in rows {
            assert_eq!(answer(change, host), expected, "{sentence}");
        }
    }

    #[test]
    fn an_operators_spec_is_not_for_an_agent() {
        let here = version("1.5.0");
        let standing = Standing {
            version: &here,
            floor: None,
            ended: &[],
            on_trial: false,
            in_hand: None,
            held: None,
            allow_plain_http: false,
            now: Timestamp::UNIX_EPOCH,
        };
        let offered = PendingUpgrade::Operator(novacula_protocol::spec::OperatorUpgradeSpec {
            header: spec().header,
            image: "x".to_owned(),
            signature: String::new(),
        });
        let Admission::Refused(refusal) = admit(offered, &standing) else { panic!("admitted") };
        assert_eq!(refusal.code, RefusalCode::WrongKind);
    }
}
