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
        ("the one in hand only brings its intent", spec, |h| h.in_hand = Some(("u", 1)), "in hand, Apply"),
        ("a held host waits", spec, |h| h.held = Some("maintenance"), "not now"),
        ("on a held host nothing is refused", |s| s.size = 0, |h| h.held = Some("maintenance"), "not now"),
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
        ("a rollback before the swap abandons", |s| s.header.intent = Intent::Rollback, same, "abandoned"),
        ("a pause before the start is honoured", |s| s.header.intent = Intent::Pause, same, "paused"),
        ("a dry run is admitted", |s| s.header.intent = Intent::Validate, same, "admitted"),
        ("an expired spec is stale", spec, |h| h.now = Timestamp::from_second(2_000).unwrap(), "stale_spec"),
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
        ("two majors up are far", |s| s.header.target_version = version("3.0.0"), same, "unreachable_major"),
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
        ("plain http is insecure", |s| s.download_url = "http://example.com/a".into(), same, "insecure_url"),
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
