//! What becomes of one executor, there and back.

use super::*;

#[test]
fn what_has_become_of_an_executor_is_seen_from_its_upgrade_its_version_and_its_silence() {
    use MemberOutcome as O;
    let waiting = || member(1, O::Waiting);
    let with = |outcome: O, change: &dyn Fn(&mut Member)| {
        let mut member = member(1, outcome);
        change(&mut member);
        member
    };
    let ended = |stage: Stage| move |m: &mut Member| m.seen.attempt = Some(attempt(stage, false));
    for (sentence, member, expected, withdraw) in [
        ("its turn comes", waiting(), O::Waiting, false),
        ("it is there", with(O::Waiting, &|m| m.seen.version = version("2.0.0")), O::AlreadyThere, false),
        ("it is further", with(O::Waiting, &|m| m.seen.version = version("3.0.0")), O::Refused, false),
        (
            "it is silent",
            with(O::Waiting, &|m| m.seen.presence = Some(Presence::Offline)),
            O::Unreachable,
            false,
        ),
        ("nobody knows yet", with(O::Waiting, &|m| m.seen.presence = None), O::Waiting, false),
        ("it is held", with(O::Waiting, &|m| m.seen.held = Some("x".into())), O::Held, false),
        (
            "another plan has it",
            with(O::Waiting, &|m| m.seen.other_plan = Some("p".into())),
            O::Yielded,
            false,
        ),
        ("it was deleted", with(O::Started, &|m| m.seen.is_deleted = true), O::Gone, false),
        (
            "it is offered",
            with(O::Started, &|m| {
                m.seen.attempt = Some(Attempt { is_picked_up: false, ..attempt(Stage::ConfirmStart, true) });
            }),
            O::Started,
            false,
        ),
        (
            "it fell silent before it began",
            with(O::Started, &|m| {
                m.seen.attempt = Some(Attempt { is_picked_up: false, ..attempt(Stage::ConfirmStart, true) });
                m.seen.presence = Some(Presence::Offline);
            }),
            O::Unreachable,
            true,
        ),
        (
            "its window closed before it began",
            with(O::Started, &|m| {
                m.seen.attempt = Some(Attempt { is_picked_up: false, ..attempt(Stage::ConfirmStart, true) });
                m.seen.calendar = Some("closed".into());
            }),
            O::Waiting,
            true,
        ),
        (
            "it fell silent in the middle",
            with(O::Started, &|m| {
                m.seen.attempt = Some(attempt(Stage::CheckHealth, true));
                m.seen.presence = Some(Presence::Offline);
            }),
            O::Started,
            false,
        ),
        (
            "it completed",
            with(O::Started, &|m| {
                m.seen.attempt = Some(attempt(Stage::Completed, false));
                m.seen.version = version("2.0.0");
            }),
            O::Completed,
            false,
        ),
        (
            "it completed, and runs something else by now",
            with(O::Completed, &|m| {
                m.seen.attempt = Some(attempt(Stage::Completed, false));
                m.seen.version = version("1.5.0");
            }),
            O::Failed,
            false,
        ),
        ("it failed", with(O::Started, &ended(Stage::Failed)), O::Failed, false),
        ("it went back", with(O::Started, &ended(Stage::RolledBack)), O::Failed, false),
        ("a person abandoned it", with(O::Started, &ended(Stage::Abandoned)), O::Refused, false),
        ("the plan abandoned it", with(O::Waiting, &ended(Stage::Abandoned)), O::Waiting, false),
        (
            "it stood still, and syncs",
            with(O::Started, &|m| {
                m.seen.attempt = Some(Attempt { is_given_up: true, ..attempt(Stage::Failed, false) });
            }),
            O::Slow,
            false,
        ),
        (
            "it stood still, and is silent",
            with(O::Started, &|m| {
                m.seen.attempt = Some(Attempt { is_given_up: true, ..attempt(Stage::Failed, false) });
                m.seen.presence = Some(Presence::Offline);
            }),
            O::Unreachable,
            false,
        ),
    ] {
        let looked = look(&member, &version("2.0.0"));
        assert_eq!((looked.outcome, looked.withdraw), (expected, withdraw), "{sentence}");
    }
}

#[test]
fn going_back_undoes_only_what_the_plan_did() {
    use MemberOutcome as O;
    let with = |change: &dyn Fn(&mut Member)| {
        let mut member = member(1, O::RollingBack);
        member.has_turn = false;
        change(&mut member);
        member
    };
    let done = |m: &mut Member| {
        m.seen.attempt = Some(attempt(Stage::Completed, false));
        m.seen.version = version("2.0.0");
    };
    let back_failed = |m: &mut Member| {
        m.seen.attempt =
            Some(Attempt { is_back: true, target: version("1.0.0"), ..attempt(Stage::Failed, false) });
        m.seen.version = version("2.0.0");
    };
    let offered = Attempt { is_picked_up: false, ..attempt(Stage::ConfirmStart, true) };
    let other =
        |has_completed| Some(OtherUpgrade { requested_by: "alice".into(), is_open: false, has_completed });
    for (sentence, member, expected) in [
        ("it was never asked", with(&|_| {}), "leave"),
        ("its turn had not come", with(&|m| m.seen.attempt = Some(offered.clone())), "abandon"),
        ("it is in hand", with(&|m| m.seen.attempt = Some(attempt(Stage::Download, true))), "steer"),
        (
            "it is told already",
            with(&|m| {
                m.seen.attempt = Some(Attempt { is_told_to_go_back: true, ..attempt(Stage::Restart, true) });
            }),
            "wait",
        ),
        ("it completed", with(&done), "downgrade"),
        (
            "it completed, and is silent",
            with(&|m| (done(m), m.seen.presence = Some(Presence::Offline)).0),
            "cannot",
        ),
        ("it completed, and nobody knows", with(&|m| (done(m), m.seen.presence = None).0), "wait"),
        (
            "somebody else was there since",
            with(&|m| (done(m), m.seen.other_upgrade = other(true)).0),
            "leave",
        ),
        (
            "somebody else has tried and failed",
            with(&|m| (done(m), m.seen.other_upgrade = other(false)).0),
            "downgrade",
        ),
        ("it runs what nobody brought", with(&|m| (done(m), m.seen.version = version("5.0.0")).0), "leave"),
        ("it failed by itself", with(&|m| m.seen.attempt = Some(attempt(Stage::Failed, false))), "done"),
        (
            "it was given up in the middle, and may go forward yet",
            with(&|m| m.seen.attempt = Some(Attempt { is_given_up: true, ..attempt(Stage::Failed, false) })),
            "cannot",
        ),
        (
            "it was given up before it began",
            with(&|m| {
                let lapsed =
                    Attempt { is_given_up: true, is_picked_up: false, ..attempt(Stage::Failed, false) };
                m.seen.attempt = Some(lapsed);
            }),
            "done",
        ),
        (
            "it failed between two hops",
            with(&|m| {
                m.seen.attempt = Some(attempt(Stage::Failed, false));
                m.seen.version = version("1.5.0");
            }),
            "downgrade",
        ),
        ("its way back failed", with(&|m| (back_failed(m), m.has_turn = true).0), "cannot"),
        ("and a person asks again", with(&back_failed), "downgrade"),
        ("it was deleted", with(&|m| (done(m), m.seen.is_deleted = true).0), "leave"),
    ] {
        let word = match back(&member) {
            Back::Leave => "leave",
            Back::Done => "done",
            Back::Wait => "wait",
            Back::Abandon => "abandon",
            Back::Steer => "steer",
            Back::Downgrade => "downgrade",
            Back::Cannot(_) => "cannot",
        };
        assert_eq!(word, expected, "{sentence}");
    }
}
