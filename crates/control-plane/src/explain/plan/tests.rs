use jiff::Timestamp;
use novacula_protocol::spec::Kind;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::labels::Labels;
use crate::store::Plan;
use crate::store::plan_bench::{MemberShown, WaveRow, document};
use MemberOutcome as O;
use PlanState as P;
use WaveState as W;

fn wave(name: &str, state: WaveState, reason: &str) -> WaveStand {
    WaveStand { name: name.to_owned(), state, reason: reason.to_owned() }
}

fn stand(state: PlanState, wave: WaveStand, member: Option<(MemberOutcome, &str)>) -> PlanStand {
    PlanStand {
        plan: "p".to_owned(),
        target_version: "1.1.0".parse().unwrap(),
        state,
        reason: "why the plan stands so".to_owned(),
        current: wave.clone(),
        wave,
        member: member.map(|(outcome, reason)| MemberStand {
            outcome,
            reason: reason.to_owned(),
            canary: false,
        }),
    }
}

/// In the second wave, while the first one stands so.
fn behind(first: WaveState, plan: PlanState) -> PlanStand {
    let current = wave("canary", first, "why the wave stands so");
    PlanStand { current, ..stand(plan, wave("rest", W::Pending, "the waves before it come first"), None) }
}

#[test]
fn whatever_of_a_plan_keeps_an_executor_waiting_is_told_in_one_sentence() {
    let runs = |state| wave("rest", state, "3 of 9 are under way");
    let waiting = Some((O::Waiting, ""));
    for (sentence, stand, rule, said) in [
        (
            "the first wave goes",
            behind(W::Running, P::Running),
            Rule::PlanWave,
            "`canary` comes first: why the wave",
        ),
        (
            "the first wave soaks",
            behind(W::Soaking, P::Running),
            Rule::PlanWave,
            "`canary` comes first: why the wave",
        ),
        (
            "its canaries go",
            behind(W::Canary, P::Running),
            Rule::PlanWave,
            "`canary` comes first: why the wave",
        ),
        (
            "it waits at its gate",
            behind(W::Gate, P::Running),
            Rule::PlanGate,
            "once `canary` has passed its gates: why the wave",
        ),
        ("it begins now", stand(P::Running, runs(W::Pending), None), Rule::PlanWave, "which begins now"),
        ("the cap", stand(P::Running, runs(W::Running), waiting), Rule::PlanCap, "its turn comes: 3 of 9"),
        (
            "canaries go first",
            stand(P::Running, runs(W::Canary), waiting),
            Rule::PlanWave,
            "whose canaries go first: 3 of 9",
        ),
        (
            "a window",
            stand(P::Running, runs(W::Running), Some((O::Waiting, "the window opens at noon"))),
            Rule::PlanObstacle,
            "and waits: the window opens at noon",
        ),
        (
            "set aside",
            stand(P::Running, runs(W::Running), Some((O::Refused, "it runs 2.0.0"))),
            Rule::PlanObstacle,
            "does not take `host-1` to 1.1.0: it runs 2.0.0",
        ),
        (
            "another has it",
            stand(P::Running, runs(W::Running), Some((O::Yielded, "the plan `q` comes first"))),
            Rule::PlanYielded,
            "leaves `host-1` to another: the plan `q` comes first",
        ),
        (
            "nobody approved it",
            behind(W::Pending, P::ApprovalWanted),
            Rule::PlanGate,
            "has to be approved: why the plan",
        ),
        ("nobody can tell", behind(W::Gate, P::Paused), Rule::PlanPaused, "goes on by itself: why the plan"),
        (
            "paused in its turn",
            stand(P::Paused, runs(W::Running), waiting),
            Rule::PlanPaused,
            "goes on by itself: why the plan",
        ),
        ("halted before it", behind(W::Halted, P::Halted), Rule::PlanHalted, "is halted: why the plan"),
        (
            "halted in its turn",
            stand(P::Halted, runs(W::Halted), waiting),
            Rule::PlanHalted,
            "is halted: why the plan",
        ),
        ("undone", behind(W::RollingBack, P::RollingBack), Rule::PlanHalted, "is being undone: why the plan"),
        (
            "on its way back",
            stand(P::RollingBack, runs(W::RollingBack), Some((O::RollingBack, ""))),
            Rule::PlanHalted,
            "takes `host-1` back",
        ),
    ] {
        let (told, message) =
            stand.verdict("host-1").unwrap_or_else(|| panic!("{sentence}: nothing is told"));
        assert_eq!(told, rule, "{sentence}: {message}");
        assert!(message.contains(said) && message.contains("`p`"), "{sentence}: {message}");
        assert!(!stand.is_settled(), "{sentence}");
    }
}

#[test]
fn what_shows_in_the_executor_or_its_upgrade_is_not_laid_on_the_plan() {
    for (outcome, is_settled) in [
        (O::Started, false),
        (O::Failed, false),
        (O::Slow, false),
        (O::Unreachable, false),
        (O::Held, false),
        (O::Completed, true),
        (O::AlreadyThere, true),
        (O::Gone, true),
        (O::RolledBack, true),
        (O::NotRolledBack, true),
    ] {
        let stand = stand(P::Running, wave("rest", W::Running, ""), Some((outcome, "because")));
        assert_eq!((stand.verdict("host-1"), stand.is_settled()), (None, is_settled), "{outcome:?}");
    }
    let mut canary = stand(P::Running, wave("rest", W::Canary, ""), Some((O::Waiting, "")));
    canary.member.as_mut().unwrap().canary = true;
    assert_eq!(canary.verdict("host-1").unwrap().0, Rule::PlanCap, "a canary waits for the cap");
}

/// A plan whose first wave takes ring `a` and does this with late arrivers, and whose second takes ring `b`.
fn plan(late: &str, waves: [WaveState; 2], member: Option<MemberShown>) -> PlanOfExecutor {
    let ring = |ring: &str| json!({"matchLabels": {"ring": ring}});
    let document = document(
        "p",
        &json!([
            {"name": "a", "clusterSelector": ring("a"), "lateArrivers": late},
            {"name": "b", "clusterSelector": ring("b")},
        ]),
    );
    let row = |(wave, state)| WaveRow {
        wave,
        state,
        reason: String::new(),
        began_at: None,
        healthy_since: None,
        canary_passed_at: None,
        passed_at: None,
    };
    let plan = Plan {
        id: Uuid::nil(),
        account_id: Uuid::nil(),
        name: "p".to_owned(),
        document,
        executor_kind: Kind::Agent,
        target_version: "1.1.0".parse().unwrap(),
        state: P::Running,
        reason: String::new(),
        requested_by: String::new(),
        created_at: Timestamp::UNIX_EPOCH,
        approval: None,
        warnings: Vec::new(),
        ended_at: None,
    };
    PlanOfExecutor { plan, waves: (0..).zip(waves).map(row).collect(), member }
}

#[test]
fn an_executor_stands_in_its_frozen_wave_else_in_the_one_that_will_take_it() {
    let none = || None;
    let member = || {
        Some(MemberShown {
            executor_id: Uuid::nil(),
            name: "host-1".to_owned(),
            wave: 0,
            position: 1,
            canary: false,
            outcome: O::Waiting,
            reason: String::new(),
            from_version: "1.0.0".parse().unwrap(),
            upgrade_id: None,
        })
    };
    for (sentence, late, waves, member, ring, wave) in [
        ("nothing has begun", "next", [W::Pending, W::Pending], none(), "a", Some("a")),
        ("its wave comes later", "next", [W::Running, W::Pending], none(), "b", Some("b")),
        ("no wave takes it", "next", [W::Running, W::Pending], none(), "c", None),
        ("it is in one", "next", [W::Running, W::Pending], member(), "a", Some("a")),
        (
            "it is in one, whatever its labels say now",
            "next",
            [W::Running, W::Pending],
            member(),
            "b",
            Some("a"),
        ),
        ("it came late", "next", [W::Running, W::Pending], none(), "a", Some("b")),
        ("it came late and joins", "join", [W::Running, W::Pending], none(), "a", Some("a")),
        ("it came too late to join", "join", [W::Gate, W::Pending], none(), "a", Some("b")),
        ("it came late and stays", "never", [W::Running, W::Pending], none(), "a", None),
        ("it came after the last", "next", [W::Passed, W::Running], none(), "b", None),
        ("all is over", "next", [W::Passed, W::Passed], none(), "a", None),
    ] {
        let labels = Labels::from([("ring", ring)]);
        let stand = PlanStand::of(&plan(late, waves, member), &labels, &BTreeMap::new());
        assert_eq!(stand.as_ref().map(|stand| stand.wave.name.as_str()), wave, "{sentence}");
    }
}
