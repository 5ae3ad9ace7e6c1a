mod members;

use std::collections::HashSet;

use jiff::SignedDuration;
use novacula_lab::dice::{Dice, seed};
use novacula_protocol::Stage;
use novacula_protocol::people::{CountOrPercent, Presence};
use semver::Version;
use serde_json::json;

use super::back::{Back, back};
use super::member::{Attempt, OtherUpgrade, Seen, look};
use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn spec(more: serde_json::Value) -> WaveSpec {
    let mut whole = json!({"name": "w", "clusterSelector": {"matchLabels": {"a": "b"}},
        "validation": {"healthCheckDuration": "60s", "automated": true}});
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn member(id: u128, outcome: MemberOutcome) -> Member {
    let on_target = matches!(outcome, MemberOutcome::Completed | MemberOutcome::AlreadyThere);
    let presence = if outcome == MemberOutcome::Unreachable { Presence::Offline } else { Presence::Online };
    Member {
        executor_id: Uuid::from_u128(id),
        name: format!("host-{id}"),
        canary: false,
        outcome,
        reason: "because".to_owned(),
        from_version: version("1.0.0"),
        restarts_before: 1,
        has_turn: true,
        seen: Seen {
            is_deleted: false,
            presence: Some(presence),
            held: None,
            version: version(if on_target { "2.0.0" } else { "1.0.0" }),
            restarts: 1,
            calendar: None,
            other_plan: None,
            attempt: None,
            other_upgrade: None,
        },
    }
}

fn members(outcomes: &[(MemberOutcome, u128)]) -> Vec<Member> {
    let all = outcomes.iter().flat_map(|(outcome, count)| (0..*count).map(|_| *outcome));
    (1..).zip(all).map(|(id, outcome)| member(id, outcome)).collect()
}

/// A wave that has just begun, two at once.
fn going<'a>(spec: &'a WaveSpec, members: &'a [Member]) -> Wave<'a> {
    let (is_canary_part, healthy_since, said) = (false, None, &[]);
    Wave { spec, is_canary_part, members, healthy_since, said, max_in_flight: 2 }
}

fn attempt(stage: Stage, is_open: bool) -> Attempt {
    Attempt {
        id: "u".to_owned(),
        is_open,
        is_picked_up: is_open || stage != Stage::Abandoned,
        is_told_to_go_back: false,
        stage,
        is_given_up: false,
        error: None,
        target: version("2.0.0"),
        is_back: false,
    }
}

fn at(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Run => "run",
        Verdict::Soak(_) => "soak",
        Verdict::Await { .. } => "await",
        Verdict::Pause(_) => "pause",
        Verdict::Halt(_) => "halt",
        Verdict::CanaryPassed => "canary passed",
        Verdict::Passed => "passed",
    }
}

#[test]
fn dead_slow_and_broken_are_counted_apart_each_with_its_own_limit() {
    use MemberOutcome::{
        Completed as C, Failed as F, Slow as S, Started as U, Unreachable as D, Waiting as W,
    };
    for (sentence, more, outcomes, expected) in [
        ("executors go", json!({}), vec![(U, 1), (W, 3)], "run"),
        (
            "one that fails is too many unless the plan says so",
            json!({}),
            vec![(C, 8), (F, 1), (W, 9)],
            "halt",
        ),
        ("as many as the plan says", json!({"maxFailed": 1}), vec![(C, 8), (F, 1), (W, 9)], "run"),
        ("one more than it says", json!({"maxFailed": 1}), vec![(C, 8), (F, 2), (W, 9)], "halt"),
        ("a share of few means nothing", json!({"maxFailed": "20%"}), vec![(C, 5), (F, 4), (W, 9)], "run"),
        ("of many it does", json!({"maxFailed": "20%"}), vec![(C, 6), (F, 4), (W, 9)], "halt"),
        ("exactly the share is allowed", json!({"maxFailed": "20%"}), vec![(C, 8), (F, 2), (W, 9)], "run"),
        (
            "a smaller sample is enough",
            json!({"maxFailed": "20%", "minSample": 3}),
            vec![(C, 2), (F, 1), (W, 9)],
            "halt",
        ),
        ("at the end a share of few counts", json!({"maxFailed": "20%"}), vec![(C, 2), (F, 1)], "halt"),
        ("slow is not broken", json!({"maxFailed": 5}), vec![(C, 8), (S, 1), (W, 9)], "halt"),
        ("and has its own limit", json!({"maxSlow": 1}), vec![(C, 8), (S, 1), (W, 9)], "run"),
        ("a fifth may be out of reach", json!({}), vec![(C, 3), (D, 1), (W, 1)], "run"),
        ("more make it unclear, not wrong", json!({}), vec![(C, 2), (D, 2), (W, 1)], "pause"),
        (
            "none may be, if the plan says so",
            json!({"maxUnreachable": 0}),
            vec![(C, 20), (D, 1), (W, 1)],
            "pause",
        ),
        ("broken weighs more than dead", json!({}), vec![(F, 1), (D, 9), (W, 1)], "halt"),
        ("dead ones do not hold it", json!({}), vec![(C, 4), (D, 1)], "soak"),
        ("tolerated failures do not either", json!({"maxFailed": 1}), vec![(C, 4), (F, 1)], "soak"),
    ] {
        let (spec, members) = (spec(more), members(&outcomes));
        let wave = going(&spec, &members);
        assert_eq!(word(&next(&wave, NOW).verdict), expected, "{sentence}");
    }
}

#[test]
fn a_gate_is_passed_by_success_only() {
    use MemberOutcome::{AlreadyThere, Failed, Held, Refused, Unreachable, Yielded};
    for (sentence, outcomes, expected) in [
        ("nobody in the wave", vec![], "pause"),
        ("all held", vec![(Held, 3)], "pause"),
        ("all refused or another plan's", vec![(Refused, 2), (Yielded, 1)], "pause"),
        ("all failed, and that was allowed", vec![(Failed, 2)], "pause"),
        ("one dead, none on target", vec![(Unreachable, 1)], "pause"),
        ("all there before", vec![(AlreadyThere, 2)], "soak"),
    ] {
        let spec = spec(json!({"maxFailed": "100%", "maxUnreachable": "100%"}));
        let members = members(&outcomes);
        let wave = going(&spec, &members);
        assert_eq!(word(&next(&wave, NOW).verdict), expected, "{sentence}");
        let skipped = said("online", GateOutcome::Waiting, true, None);
        let past = next(&Wave { said: &[skipped], ..wave }, NOW);
        assert_eq!(word(&past.verdict), "soak", "{sentence}: and a person let it past");
    }
}

fn said(name: &str, outcome: GateOutcome, skipped: bool, asked: Option<Timestamp>) -> Gate {
    let (name, message) = (name.to_owned(), "so it is".to_owned());
    Gate { name, outcome, message, blocking: true, at: asked, by: None, skipped }
}

#[test]
fn the_gates_are_asked_after_the_soak_and_a_failure_halts_at_any_time_of_it() {
    use GateOutcome::{Fail, Inconclusive, Pass};
    let probes = json!({"gates": [
        {"type": "prometheus", "url": "http://p"}, {"type": "http", "url": "http://h", "blocking": false},
    ], "validation": {"healthCheckDuration": "60s", "automated": false}});
    let (since, during, after) = (at(100), at(130), at(160));
    for (sentence, now, known, expected) in [
        ("it soaks", during, vec![], "soak"),
        ("a gate fails meanwhile", during, vec![said("prometheus", Fail, false, Some(during))], "halt"),
        ("it had failed before", during, vec![said("prometheus", Fail, false, Some(at(99)))], "soak"),
        (
            "nobody can tell meanwhile",
            during,
            vec![said("prometheus", Inconclusive, false, Some(during))],
            "soak",
        ),
        ("it has soaked, and nothing was asked", after, vec![], "await"),
        (
            "nobody can tell at the gate",
            after,
            vec![said("prometheus", Inconclusive, false, Some(during))],
            "pause",
        ),
        (
            "it passed, and a person is awaited",
            after,
            vec![said("prometheus", Pass, false, Some(during))],
            "await",
        ),
        (
            "a person has said yes",
            after,
            vec![said("prometheus", Pass, false, Some(during)), said("approval", Pass, false, None)],
            "passed",
        ),
        (
            "yes does not outweigh a failure",
            after,
            vec![said("prometheus", Fail, false, Some(during)), said("approval", Pass, false, None)],
            "halt",
        ),
        (
            "a gate that holds nobody up",
            after,
            vec![
                said("prometheus", Pass, false, Some(during)),
                said("http", Fail, false, Some(during)),
                said("approval", Pass, false, None),
            ],
            "passed",
        ),
        (
            "a skipped one does not either",
            after,
            vec![said("prometheus", Fail, true, Some(during)), said("approval", Pass, false, None)],
            "passed",
        ),
    ] {
        let (spec, members) = (spec(probes.clone()), members(&[(MemberOutcome::Completed, 2)]));
        let wave = Wave { healthy_since: Some(since), said: &known, ..going(&spec, &members) };
        assert_eq!(word(&next(&wave, now).verdict), expected, "{sentence}");
    }
}

#[test]
fn an_executor_that_restarts_all_the_time_halts_the_wave() {
    for (sentence, more, before, restarts, expected) in [
        ("none", json!({}), 2, 2, "soak"),
        ("three", json!({}), 2, 5, "soak"),
        ("four", json!({}), 2, 6, "halt"),
        ("a reboot begins the count anew", json!({}), 9, 1, "soak"),
        ("many after a reboot", json!({}), 9, 4, "halt"),
        ("none is allowed", json!({"gates": [{"type": "restarts", "maxPerExecutor": 0}]}), 2, 3, "halt"),
    ] {
        let spec = spec(more);
        let mut members = members(&[(MemberOutcome::Completed, 2)]);
        (members[1].restarts_before, members[1].seen.restarts) = (before, restarts);
        let wave = going(&spec, &members);
        assert_eq!(word(&next(&wave, NOW).verdict), expected, "{sentence}");
    }
}

#[test]
fn canaries_prove_it_to_the_rest_and_ask_nobody_for_approval() {
    let spec = spec(json!({"validation": {"healthCheckDuration": "60s", "automated": false}}));
    let mut members = members(&[(MemberOutcome::Completed, 1), (MemberOutcome::Waiting, 3)]);
    members[0].canary = true;
    let wave = Wave {
        spec: &spec,
        is_canary_part: true,
        members: &members,
        healthy_since: Some(NOW),
        said: &[],
        max_in_flight: 4,
    };
    let during = next(&wave, at(59));
    assert_eq!((word(&during.verdict), during.grants), ("soak", vec![]));
    let after = next(&wave, at(60));
    assert_eq!((word(&after.verdict), after.grants), ("canary passed", vec![]));
    let rest = next(&Wave { is_canary_part: false, healthy_since: None, ..wave }, at(60));
    assert_eq!((word(&rest.verdict), rest.grants.len()), ("run", 3));
}

#[test]
fn whatever_a_wave_is_like_its_cap_holds_and_nobody_goes_while_it_halts_or_pauses() {
    use MemberOutcome as O;
    let seed = seed();
    #[expect(clippy::print_stdout, reason = "whoever sees it fail wants to see it again")]
    {
        println!("NOVACULA_CRASH_SEED={seed}");
    }
    let mut dice = Dice::of(seed);
    let outcomes = [
        O::Waiting,
        O::Waiting,
        O::Started,
        O::Completed,
        O::Completed,
        O::AlreadyThere,
        O::Failed,
        O::Slow,
        O::Unreachable,
        O::Held,
        O::Refused,
        O::Gone,
    ];
    let limit = |dice: &mut Dice| match dice.below(3) {
        0 => CountOrPercent::Count(u32::try_from(dice.below(4)).unwrap()),
        _ => CountOrPercent::Percent(u8::try_from(dice.below(101)).unwrap()),
    };
    let mut seen = HashSet::new();
    for _ in 0..20_000 {
        let mut spec = spec(json!({}));
        spec.max_failed = Some(limit(&mut dice));
        spec.max_slow = Some(limit(&mut dice));
        spec.max_unreachable = Some(limit(&mut dice));
        let count = dice.below(12);
        let mut members: Vec<Member> =
            (0..count as u128).map(|id| member(id, outcomes[dice.below(outcomes.len())])).collect();
        for member in &mut members {
            member.canary = dice.below(4) == 0;
            if dice.below(5) == 0 {
                member.seen.calendar = Some("closed".to_owned());
            }
        }
        let cap = u32::try_from(dice.below(4) + 1).unwrap();
        let wave = Wave {
            spec: &spec,
            is_canary_part: dice.below(3) == 0,
            members: &members,
            healthy_since: (dice.below(3) == 0).then_some(NOW),
            said: &[],
            max_in_flight: cap,
        };
        let now = at(i64::try_from(dice.below(120)).unwrap());
        let next = next(&wave, now);
        seen.insert(word(&next.verdict));
        let part: Vec<&Member> = members.iter().filter(|m| m.canary || !wave.is_canary_part).collect();
        let started = part.iter().filter(|m| m.outcome == O::Started).count();
        assert!(next.grants.is_empty() || started + next.grants.len() <= cap as usize, "{wave:?}");
        for id in &next.grants {
            let member = part.iter().find(|member| member.executor_id == *id).unwrap();
            assert_eq!((member.outcome, member.seen.obstacle()), (O::Waiting, None));
        }
        if matches!(next.verdict, Verdict::Halt(_)) {
            assert!(next.grants.is_empty());
        }
        if matches!(next.verdict, Verdict::Passed | Verdict::CanaryPassed) {
            assert!(part.iter().any(|m| matches!(m.outcome, O::Completed | O::AlreadyThere)), "{wave:?}");
            assert!(!part.iter().any(|m| matches!(m.outcome, O::Waiting | O::Started)), "{wave:?}");
            assert!(wave.healthy_since.is_some_and(|since| now.duration_since(since).as_secs() >= 60));
        }
    }
    assert_eq!(seen.len(), 7, "every verdict was there: {seen:?}");
}
