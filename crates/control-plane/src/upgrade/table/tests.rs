use super::*;
use Ask::{
    Abandon, AbandonUnstarted, Complete, Continue, Pause, Reschedule, Retry, Rollback, Start, Validate,
};
use Stage::{Completed, ConfirmCompletion, Download, Failed, RolledBack, Swap, Verify};
use State::{At, Dropped, GivenUp, Offered, Over, Waiting};

const AGAIN: &str = "a new attempt";
const ASKS: [Ask; 10] =
    [Start, Validate, Pause, Continue, Retry, Reschedule, Rollback, Abandon, AbandonUnstarted, Complete];

#[test]
fn what_people_may_ask_where_and_nothing_else() {
    let doing = |stage| At(stage, Status::Underway);

    type Row = (&'static str, State, Intent, &'static [(Ask, &'static str)]);
    let rows: &[Row] = &[
        (
            "one that waits",
            Waiting,
            Intent::Apply,
            &[
                (Start, "Offered apply"),
                (Validate, "Offered validate"),
                (Pause, "Waiting pause"),
                (Reschedule, "Waiting apply"),
                (Abandon, "Dropped apply"),
                (AbandonUnstarted, "Dropped apply"),
            ],
        ),
        (
            "one that is paused before it began",
            Waiting,
            Intent::Pause,
            &[(Continue, "Waiting apply"), (Abandon, "Dropped pause"), (AbandonUnstarted, "Dropped pause")],
        ),
        (
            "one that is offered",
            Offered,
            Intent::Apply,
            &[
                (Pause, "Waiting pause"),
                (Reschedule, "Waiting apply"),
                (Abandon, "Dropped apply"),
                (AbandonUnstarted, "Dropped apply"),
            ],
        ),
        (
            "a dry run that is offered",
            Offered,
            Intent::Validate,
            &[(Abandon, "Dropped validate"), (AbandonUnstarted, "Dropped validate")],
        ),
        ("a dry run at work", doing(Download), Intent::Validate, &[(Abandon, "Dropped validate")]),
        (
            "one at work",
            doing(Download),
            Intent::Apply,
            &[
                (Pause, "At(Download, Underway) pause"),
                (Rollback, "At(Download, Underway) rollback"),
                (Abandon, "At(Download, Underway) abandon"),
            ],
        ),
        (
            "one that is paused",
            At(Download, Status::Paused),
            Intent::Pause,
            &[
                (Continue, "At(Download, Paused) apply"),
                (Rollback, "At(Download, Paused) rollback"),
                (Abandon, "At(Download, Paused) abandon"),
            ],
        ),
        ("one on trial", doing(Swap), Intent::Apply, &[(Rollback, "At(Swap, Underway) rollback")]),
        (
            "one that waits for its last word",
            doing(ConfirmCompletion),
            Intent::Apply,
            &[
                (Complete, "At(ConfirmCompletion, Underway) complete"),
                (Rollback, "At(ConfirmCompletion, Underway) rollback"),
            ],
        ),
        (
            "one that is told to complete",
            doing(ConfirmCompletion),
            Intent::Complete,
            &[(Rollback, "At(ConfirmCompletion, Underway) rollback")],
        ),
        ("one that is told to go back", doing(Swap), Intent::Rollback, &[]),
        (
            "one that was told to abandon too late",
            doing(Swap),
            Intent::Abandon,
            &[(Rollback, "At(Swap, Underway) rollback")],
        ),
        (
            "one that nobody picked up",
            GivenUp(None),
            Intent::Apply,
            &[(Continue, "Waiting apply"), (Retry, AGAIN), (Reschedule, AGAIN)],
        ),
        (
            "one that was given up",
            GivenUp(Some(Verify)),
            Intent::Apply,
            &[(Continue, "At(Verify, Underway) apply"), (Retry, AGAIN), (Reschedule, AGAIN)],
        ),
        (
            "one that failed",
            Over(Failed),
            Intent::Apply,
            &[(Continue, AGAIN), (Retry, AGAIN), (Reschedule, AGAIN)],
        ),
        (
            "one that was rolled back",
            Over(RolledBack),
            Intent::Rollback,
            &[(Continue, AGAIN), (Retry, AGAIN), (Reschedule, AGAIN)],
        ),
        ("one that completed", Over(Completed), Intent::Apply, &[]),
        ("one that the executor abandoned", Over(Stage::Abandoned), Intent::Abandon, &[]),
        ("one that was dropped", Dropped, Intent::Apply, &[]),
    ];
    for (sentence, state, intent, allowed) in rows {
        for ask in ASKS {
            let found = next(*state, *intent, Input::Asked(ask)).map(|next| match next {
                Next::To(state, intent) => format!("{state:?} {}", format!("{intent:?}").to_lowercase()),
                Next::NewAttempt => AGAIN.to_owned(),
            });
            let expected = allowed.iter().find(|(it, _)| *it == ask).map(|(_, to)| (*to).to_owned());
            assert_eq!(found, expected, "{sentence}: {ask:?}");
        }
    }
}

#[test]
fn whoever_asks_at_the_wrong_time_hears_what_to_do_instead() {
    let doing = |stage| At(stage, Status::Underway);
    for (sentence, state, intent, ask, code, part) in [
        ("starting twice", Offered, Intent::Apply, Start, "already_started", "follow it"),
        ("starting one at work", doing(Download), Intent::Apply, Start, "already_started", "follow it"),
        ("starting a paused one", Waiting, Intent::Pause, Start, "upgrade_paused", "continue it"),
        ("completing too early", doing(Swap), Intent::Apply, Complete, "too_early", "CONFIRM_COMPLETION"),
        ("completing what waits", Waiting, Intent::Apply, Complete, "too_early", "CONFIRM_COMPLETION"),
        ("completing twice", doing(ConfirmCompletion), Intent::Complete, Complete, "already_asked", "wait"),
        (
            "abandoning the unstarted",
            doing(Download),
            Intent::Apply,
            AbandonUnstarted,
            "already_started",
            "without",
        ),
        ("abandoning on trial", doing(Swap), Intent::Apply, Abandon, "too_late", "roll the upgrade back"),
        ("pausing on trial", doing(Swap), Intent::Apply, Pause, "too_late", "roll the upgrade back"),
        ("pausing twice", doing(Download), Intent::Pause, Pause, "upgrade_paused", "already"),
        ("pausing what waits twice", Waiting, Intent::Pause, Pause, "upgrade_paused", "already"),
        ("pausing an ended one", Over(Completed), Intent::Apply, Pause, "upgrade_ended", "request a new one"),
        ("pausing one given up", GivenUp(None), Intent::Apply, Pause, "upgrade_ended", "retry it"),
        ("rolling back what waits", Waiting, Intent::Apply, Rollback, "not_started", "abandon it"),
        ("rolling back twice", doing(Swap), Intent::Rollback, Rollback, "already_asked", "wait"),
        (
            "rolling back a completed one",
            Over(Completed),
            Intent::Apply,
            Rollback,
            "upgrade_ended",
            "revision",
        ),
        ("continuing one at work", doing(Download), Intent::Apply, Continue, "not_paused", "neither paused"),
        ("retrying one at work", doing(Download), Intent::Apply, Retry, "not_ended", "wait for its end"),
        (
            "rescheduling one at work",
            doing(Download),
            Intent::Apply,
            Reschedule,
            "already_started",
            "abandon it",
        ),
        ("validating twice", Offered, Intent::Validate, Validate, "validating", "wait"),
        ("abandoning a dropped one", Dropped, Intent::Apply, Abandon, "upgrade_ended", "request a new one"),
    ] {
        assert_eq!(next(state, intent, Input::Asked(ask)), None, "{sentence}");
        let (found, message) = refused(state, intent, ask);
        assert_eq!(found, code, "{sentence}: {message}");
        assert!(message.contains(part), "{sentence}: {message}");
    }
}

#[test]
fn what_the_executor_and_the_clock_say_moves_it_only_forward() {
    let open = At(Verify, Status::Underway);
    let late = Input::Reached(Download, Status::Completed);
    let news = Input::Reached(Swap, Status::Underway);
    let end = Input::Ended(Completed);
    let all = [late, news, end, Input::NotPickedUp, Input::TimedOut, Input::Cleared, Input::Withdrawn];
    for (state, refused) in [
        (Waiting, vec![Input::TimedOut, Input::NotPickedUp, Input::Withdrawn]),
        (Offered, vec![Input::TimedOut, Input::Cleared]),
        (open, vec![late, Input::NotPickedUp, Input::Cleared, Input::Withdrawn]),
        (
            GivenUp(Some(Verify)),
            vec![late, news, Input::NotPickedUp, Input::TimedOut, Input::Cleared, Input::Withdrawn],
        ),
        (Dropped, vec![late, news, Input::NotPickedUp, Input::TimedOut, Input::Cleared, Input::Withdrawn]),
        (Over(RolledBack), all.to_vec()),
    ] {
        for input in all {
            let found = next(state, Intent::Apply, input);
            assert_eq!(found.is_none(), refused.contains(&input), "{state:?} {input:?}");
        }
    }
}

#[test]
fn a_dry_run_ends_in_the_next_attempt_however_it_ends() {
    for state in [Offered, At(Verify, Status::Underway)] {
        for input in [
            Input::Reached(Verify, Status::Completed),
            Input::Ended(Failed),
            Input::Ended(Stage::Abandoned),
            Input::TimedOut,
        ] {
            assert_eq!(next(state, Intent::Validate, input), Some(Next::NewAttempt), "{state:?} {input:?}");
        }
    }
    let verified = Input::Reached(Verify, Status::Completed);
    let to = Next::To(At(Verify, Status::Completed), Intent::Apply);
    assert_eq!(next(Offered, Intent::Apply, verified), Some(to), "one that is meant goes on");
}

#[test]
fn who_waits_for_a_person_after_it_was_given_up_is_not_left_alone() {
    let here = Input::Reached(ConfirmCompletion, Status::Underway);
    let back = Next::To(At(ConfirmCompletion, Status::Underway), Intent::Apply);
    assert_eq!(next(GivenUp(Some(Stage::Restart)), Intent::Apply, here), Some(back));
    assert_eq!(next(GivenUp(Some(ConfirmCompletion)), Intent::Apply, here), None, "there it was given up");
}
