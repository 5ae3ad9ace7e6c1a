use jiff::SignedDuration;
use novacula_protocol::people::{Artifact, MemberOutcome, PlanState, WaitCode, WaveState};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{Channel, Held, ReportError};
use uuid::Uuid;

use super::*;
use crate::explain::plan::{MemberStand, WaveStand};
use crate::labels::Labels;
use crate::upgrade;

const TARGET: &str = "x86_64-unknown-linux-musl";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn release(version: &str) -> Release {
    Release {
        id: version.into(),
        kind: Kind::Agent,
        version: version.parse().unwrap(),
        channel: Channel::Stable,
        status: ReleaseStatus::Published,
        r#type: "agent".into(),
        prerequisites: None,
        postrequisites: None,
        notes: String::new(),
        artifacts: vec![Artifact {
            target: TARGET.into(),
            size: 1,
            sha256: String::new(),
            signature: String::new(),
        }],
        created_at: at(0),
        published_at: Some(at(0)),
    }
}

fn releases() -> Vec<Release> {
    let with = |version: &str, change: fn(&mut Release)| {
        let mut release = release(version);
        change(&mut release);
        release
    };
    vec![
        release("1.0.0"),
        release("1.1.0"),
        with("1.2.0", |r| r.status = ReleaseStatus::Draft),
        with("1.3.0", |r| r.status = ReleaseStatus::Yanked),
        with("1.4.0", |r| r.channel = Channel::Beta),
        with("1.5.0", |r| r.artifacts.clear()),
    ]
}

/// An executor that is online, with nothing in hand and nothing behind it.
fn free() -> Snapshot {
    Snapshot {
        executor: Executor {
            id: Uuid::nil(),
            account_id: Uuid::nil(),
            key_id: Uuid::nil(),
            revision: 1,
            name: "host-1".into(),
            kind: Kind::Agent,
            current_version: "1.0.0".parse().unwrap(),
            channel: Channel::Stable,
            target: TARGET.into(),
            labels: Labels::default(),
            host_labels: Labels::default(),
            labels_by_people: Labels::default(),
            held: None,
            trusted_keys: None,
            checks: Vec::new(),
            restarts: 0,
            last_seen_at: at(0),
            created_at: at(0),
        },
        upgrade: None,
    }
}

fn upgrading(change: impl Fn(&mut Upgrade)) -> Snapshot {
    let mut upgrade = upgrade::tests::requested();
    change(&mut upgrade.shown);
    Snapshot { upgrade: Some(upgrade), ..free() }
}

fn ended(stage: Stage, code: &str, message: &str) -> Snapshot {
    let error =
        ReportError { code: code.into(), stage: Stage::Verify, message: message.into(), timestamp: at(5) };
    upgrading(|shown| {
        shown.stage = stage;
        shown.started_at = Some(at(1));
        shown.ended_at = Some(at(5));
        shown.error = Some(error.clone());
    })
}

fn running(stage: Stage, status: Status) -> Snapshot {
    upgrading(|shown| {
        (shown.stage, shown.status, shown.started_at) = (stage, status, Some(at(1)));
        (shown.bytes_done, shown.bytes_total) = (5, 10);
    })
}

fn executor(change: impl Fn(&mut Executor)) -> Snapshot {
    let mut snapshot = free();
    change(&mut snapshot.executor);
    snapshot
}

#[test]
fn the_first_rule_that_stops_an_executor_is_told_in_one_sentence() {
    let held = |until| executor(move |e| e.held = Some(Held { reason: "audit".into(), until }));
    let runs = |version: &'static str| executor(move |e| e.current_version = version.parse().unwrap());
    let follows_no_target = executor(|e| e.target = "riscv".into());
    let manual = upgrading(|shown| {
        (shown.stage, shown.status) = (Stage::ConfirmCompletion, Status::Underway);
        (shown.started_at, shown.confirm) = (Some(at(1)), Confirm::Manual);
    });
    let lapsing = upgrading(|shown| shown.expires_at = at(10));
    let other_version = {
        let mut other = ended(Stage::Failed, "x", "y");
        other.upgrade.as_mut().unwrap().shown.target_version = "1.0.5".parse().unwrap();
        other
    };
    for (snapshot, wanted, rule, sentence) in [
        (free(), "", Rule::Nothing, "nothing stops `host-1`: its upgrade to 1.1.0 can be requested"),
        (held(None), "", Rule::Held, "is on hold until it is taken off there: audit"),
        (held(Some(at(99))), "", Rule::Held, "is on hold until 2026-09-21T14:14:59Z: audit"),
        (upgrading(|_| ()), "", Rule::Pending, "to 1.1.0 waits to be picked up at the next sync, until 2026"),
        (lapsing, "", Rule::Lapsed, "was not picked up before 2026"),
        (
            running(Stage::Download, Status::Underway),
            "",
            Rule::Running,
            "DOWNLOAD UNDERWAY; it has 5 of 10 bytes",
        ),
        (running(Stage::Swap, Status::Underway), "", Rule::Running, "to 1.1.0 is at SWAP UNDERWAY"),
        (running(Stage::Download, Status::Paused), "", Rule::Running, "DOWNLOAD PAUSED; it is paused"),
        (manual, "", Rule::Running, "it waits for somebody to complete it"),
        (
            follows_no_target,
            "",
            Rule::NoRelease,
            "kind agent is published in the channel stable for riscv; publish one",
        ),
        (free(), "9.0.0", Rule::NoRelease, "there is no release 9.0.0 of kind agent; publish it"),
        (free(), "1.2.0", Rule::NoRelease, "1.2.0 is a draft; publish it"),
        (free(), "1.3.0", Rule::NoRelease, "1.3.0 was yanked; choose another release"),
        (free(), "1.4.0", Rule::NoRelease, "1.4.0 is published in the channel beta, `host-1` follows stable"),
        (free(), "1.5.0", Rule::NoRelease, "1.5.0 has no artifact for x86_64-unknown-linux-musl"),
        (runs("1.1.0"), "", Rule::UpToDate, "`host-1` runs 1.1.0 already"),
        (runs("1.9.9"), "1.9.9", Rule::UpToDate, "`host-1` runs 1.9.9 already"),
        (runs("1.9.9"), "", Rule::UpToDate, "runs 1.9.9, the newest release it is offered is 1.1.0"),
        (runs("1.9.9"), "1.1.0", Rule::Nothing, "its upgrade to 1.1.0 can be requested"),
        (
            ended(Stage::Failed, LAPSED, "late"),
            "",
            Rule::Lapsed,
            "the last request for 1.1.0 lapsed at 2026-09-21T14:13:25Z: late",
        ),
        (
            ended(Stage::Failed, "untrusted_key", "no"),
            "",
            Rule::LastAttempt,
            "to 1.1.0 ended FAILED at 2026-09-21T14:13:25Z: untrusted_key: no; mend",
        ),
        (ended(Stage::RolledBack, "unhealthy", "down"), "", Rule::LastAttempt, "ended ROLLEDBACK at"),
        (ended(Stage::Completed, "", ""), "", Rule::Nothing, "can be requested"),
        (other_version, "", Rule::Nothing, "can be requested"),
    ] {
        let wanted: Option<Version> = (!wanted.is_empty()).then(|| wanted.parse().unwrap());
        let releases = releases();
        let facts = Facts {
            snapshot: &snapshot,
            is_suspended: false,
            presence: Presence::Online,
            releases: &releases,
            wanted: wanted.as_ref(),
            wait: None,
            plans: &[],
            calendar: None,
            now: at(20),
        };
        let told = explain(&facts);
        assert_eq!(told.rule, rule, "{sentence}: {}", told.message);
        assert!(told.message.contains(sentence), "{sentence}: {}", told.message);
    }
}

#[test]
fn a_release_that_is_too_far_away_is_told_with_the_hop_to_take() {
    let far = executor(|e| e.current_version = "1.0.0".parse().unwrap());
    let back = executor(|e| e.current_version = "4.0.0".parse().unwrap());
    for (snapshot, more, wanted, sentence) in [
        (
            &far,
            &["2.0.0", "2.4.0"][..],
            None,
            "from 1.0.0, 3.0.0 requires upgrade to 2.x first: go to 2.4.0 now",
        ),
        (
            &far,
            &[],
            None,
            "3.0.0 requires upgrade to 2.x first: none of those is offered to it, so publish one",
        ),
        (&back, &[], Some("1.1.0"), "1.1.0 requires downgrade to 3.x first: go to 3.0.0 now"),
    ] {
        let mut releases = releases();
        releases.push(release("3.0.0"));
        releases.extend(more.iter().map(|version| release(version)));
        let wanted: Option<Version> = wanted.map(|wanted| wanted.parse().unwrap());
        let facts = Facts {
            snapshot,
            is_suspended: false,
            presence: Presence::Online,
            releases: &releases,
            wanted: wanted.as_ref(),
            wait: None,
            plans: &[],
            calendar: None,
            now: at(20),
        };
        let told = explain(&facts);
        assert_eq!(told.rule, Rule::Unreachable, "{}", told.message);
        assert!(told.message.contains(sentence), "{sentence}: {}", told.message);
    }
}

#[test]
fn what_stops_it_first_is_told_first() {
    let mut snapshot = ended(Stage::Failed, "untrusted_key", "no");
    let releases = releases();
    let rule = |snapshot: &Snapshot, presence| {
        let (wait, calendar) = (None, None);
        explain(&Facts {
            is_suspended: false,
            snapshot,
            presence,
            releases: &releases,
            wanted: None,
            wait,
            plans: &[],
            calendar,
            now: at(20),
        })
        .rule
    };
    assert_eq!(rule(&snapshot, Presence::Online), Rule::LastAttempt);
    snapshot.executor.current_version = "1.1.0".parse().unwrap();
    assert_eq!(rule(&snapshot, Presence::Online), Rule::UpToDate);
    snapshot.upgrade = upgrading(|_| ()).upgrade;
    assert_eq!(rule(&snapshot, Presence::Online), Rule::Pending);
    snapshot.executor.held =
        Some(Held { reason: "audit".into(), until: Some(at(0) + SignedDuration::from_hours(1)) });
    assert_eq!(rule(&snapshot, Presence::Online), Rule::Held);
    assert_eq!(rule(&snapshot, Presence::Offline), Rule::Offline);
}

#[test]
fn that_the_account_is_suspended_comes_before_everything_else() {
    let (snapshot, releases) = (free(), releases());
    let told = explain(&Facts {
        is_suspended: true,
        snapshot: &snapshot,
        presence: Presence::Offline,
        releases: &releases,
        wanted: None,
        wait: None,
        plans: &[],
        calendar: None,
        now: at(20),
    });
    assert_eq!(told.rule, Rule::AccountSuspended);
}

#[test]
fn what_an_upgrade_waits_for_is_told_and_what_it_would_have_to_wait_for() {
    let releases = releases();
    for (code, rule) in [
        (WaitCode::UpgradePaused, Rule::UpgradePaused),
        (WaitCode::ApprovalWanted, Rule::ApprovalWanted),
        (WaitCode::PrerequisitesOpen, Rule::PrerequisitesOpen),
        (WaitCode::StartAwaited, Rule::StartAwaited),
        (WaitCode::NotDue, Rule::Scheduled),
        (WaitCode::OlderUpgradePending, Rule::OlderUpgradePending),
        (WaitCode::Frozen, Rule::Frozen),
        (WaitCode::OutsideWindow, Rule::OutsideWindow),
    ] {
        let wait = Wait { code, message: "it has to".into(), upgrade_id: None };
        let told = |snapshot: &Snapshot, wait, calendar| {
            let presence = Presence::Online;
            explain(&Facts {
                is_suspended: false,
                snapshot,
                presence,
                releases: &releases,
                wanted: None,
                wait,
                plans: &[],
                calendar,
                now: at(20),
            })
        };
        let waiting = told(&upgrading(|shown| shown.offered_at = None), Some(&wait), None);
        assert_eq!(waiting.rule, rule);
        assert_eq!(waiting.message, "the upgrade of `host-1` to 1.1.0 waits: it has to");
        let would = told(&free(), None, Some(&wait));
        assert_eq!((would.rule, would.message.as_str()), (rule, "it has to"));
    }
}

/// In a plan with this target and this in it.
fn in_plan(target: &str, outcome: MemberOutcome) -> PlanStand {
    let wave =
        WaveStand { name: "rest".into(), state: WaveState::Running, reason: "3 of 9 are under way".into() };
    PlanStand {
        plan: format!("to {target}"),
        target_version: target.parse().unwrap(),
        state: PlanState::Running,
        reason: String::new(),
        current: wave.clone(),
        wave,
        member: Some(MemberStand { outcome, reason: String::new(), canary: false }),
    }
}

#[test]
fn a_plan_stops_an_executor_after_all_that_the_host_says_and_before_the_catalogue() {
    use MemberOutcome::{Completed, Failed, Waiting};
    let held = executor(|e| e.held = Some(Held { reason: "audit".into(), until: None }));
    let there = executor(|e| e.current_version = "1.1.0".parse().unwrap());
    let waits = in_plan("1.1.0", Waiting);
    for (sentence, snapshot, wanted, plans, rule, version) in [
        ("it waits for its turn", free(), "", vec![waits.clone()], Rule::PlanCap, "1.1.0"),
        ("its host comes first", held, "", vec![waits.clone()], Rule::Held, "1.1.0"),
        ("its upgrade comes first", upgrading(|_| ()), "", vec![waits.clone()], Rule::Pending, "1.1.0"),
        ("a release that is none", free(), "", vec![in_plan("9.0.0", Waiting)], Rule::PlanCap, "9.0.0"),
        ("somebody asks for the same", free(), "1.1.0", vec![waits.clone()], Rule::PlanCap, "1.1.0"),
        ("somebody asks for another", free(), "1.0.0", vec![waits.clone()], Rule::UpToDate, "1.0.0"),
        ("the plan is done with it", there, "", vec![in_plan("1.1.0", Completed)], Rule::UpToDate, "1.1.0"),
        (
            "the first that is not done",
            free(),
            "",
            vec![in_plan("1.0.0", Completed), in_plan("1.1.0", Waiting), in_plan("9.0.0", Waiting)],
            Rule::PlanCap,
            "1.1.0",
        ),
        (
            "what failed shows in its upgrade",
            ended(Stage::Failed, "untrusted_key", "no"),
            "",
            vec![in_plan("1.1.0", Failed)],
            Rule::LastAttempt,
            "1.1.0",
        ),
    ] {
        let wanted: Option<Version> = (!wanted.is_empty()).then(|| wanted.parse().unwrap());
        let releases = releases();
        let told = explain(&Facts {
            snapshot: &snapshot,
            is_suspended: false,
            presence: Presence::Online,
            releases: &releases,
            wanted: wanted.as_ref(),
            wait: None,
            plans: &plans,
            calendar: None,
            now: at(20),
        });
        assert_eq!(told.rule, rule, "{sentence}: {}", told.message);
        assert_eq!(told.target_version.unwrap().to_string(), version, "{sentence}: {}", told.message);
    }
}
