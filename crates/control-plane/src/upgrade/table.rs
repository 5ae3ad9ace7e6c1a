//! Pure: the one table of an upgrade. Every state, intent and input that is allowed stands in [`next`]; everything else
//! is refused, and [`refused`] says to people why and what to do instead.
//!
//! ```text
//!              offer           pick-up                     the executor's word
//!  Waiting ◀──────────▶ Offered ─────▶ At(stage, status) ─────────────────────▶ Over(end)
//!     ▲  │ withdraw        │               │                                       ▲  │
//!     │  └──── abandon ────┤               └── no news ──▶ GivenUp(stage) ─────────┤  │
//!     │                    ├── not picked up ────────────▶ GivenUp(None) ──────────┤  │
//!     │                    └── abandon ──────────────────▶ Dropped ────────────────┘  │
//!     └──────────────────── retry, continue, reschedule: a new attempt ───────────────┘
//! ```

use novacula_protocol::spec::Intent;
use novacula_protocol::sync::UpgradeReport;
use novacula_protocol::{Stage, Status};

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Requested; its executor is not told of it.
    Waiting,
    /// Its executor is told of it, and has said nothing about it.
    Offered,
    /// The executor has it in hand.
    At(Stage, Status),
    /// The server has given up on it at that stage, or before it was picked up, and may be wrong.
    GivenUp(Option<Stage>),
    /// A person dropped it before it was picked up; its executor may have been told and not have answered yet.
    Dropped,
    /// Over by the word of the executor.
    Over(Stage),
}

/// What may happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The executor says how far it is.
    Reached(Stage, Status),
    /// The executor says that it is over.
    Ended(Stage),
    /// Nothing stands in its way any more.
    Cleared,
    /// Something stands in its way again.
    Withdrawn,
    /// Its time to be picked up is over.
    NotPickedUp,
    /// The time of its stage is over.
    TimedOut,
    /// A person says something.
    Asked(Ask),
}

/// What a person may ask of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Begin now.
    Start,
    /// Try it out on the host, and swap nothing.
    Validate,
    /// Stand still at the next checkpoint.
    Pause,
    /// Go on: after a pause, past a stage that stalled, or again after a failure.
    Continue,
    /// Begin a new attempt after a failure.
    Retry,
    /// Another time.
    Reschedule,
    /// Bring the previous version back.
    Rollback,
    /// Drop it.
    Abandon,
    /// Drop it only if it was not picked up.
    AbandonUnstarted,
    /// End CONFIRM_COMPLETION.
    Complete,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The attempt stands there, and its executor is told so.
    To(State, Intent),
    /// The attempt is behind us: the next one waits.
    NewAttempt,
}

/// Where it stands afterwards; `None` where the input is refused.
#[must_use]
pub fn next(state: State, intent: Intent, input: Input) -> Option<Next> {
    use Input::{Asked, Cleared, Ended, NotPickedUp, Reached, TimedOut, Withdrawn};
    use Intent::{Apply, Complete, Pause, Rollback, Validate};
    use Next::{NewAttempt, To};
    use Stage::{Abandoned, ConfirmCompletion, Failed, RolledBack, Swap, Verify};
    use State::{At, Dropped, GivenUp, Offered, Over, Waiting};
    let next = match (state, intent, input) {
        // A dry run ends here, however it ends: the upgrade itself has not begun.
        (
            Offered | At(..),
            Validate,
            Reached(Verify, Status::Completed) | Ended(_) | TimedOut | NotPickedUp,
        ) => NewAttempt,

        // The executor. It may have been told before we thought better of it, so Waiting hears it as well.
        (Waiting | Offered | At(..) | GivenUp(_) | Dropped, _, Ended(end)) => To(Over(end), intent),
        (Waiting | Offered, _, Reached(there, doing)) => To(At(there, doing), intent),
        (At(stage, status), _, Reached(there, doing))
            if position(there, doing) >= position(stage, status) =>
        {
            To(At(there, doing), intent)
        }
        // It waits for a person there, and would for ever.
        (GivenUp(Some(stage)), _, Reached(ConfirmCompletion, doing)) if stage < ConfirmCompletion => {
            To(At(ConfirmCompletion, doing), intent)
        }

        // The clock.
        (Waiting, Apply, Cleared) => To(Offered, Apply),
        (Offered, Apply, Withdrawn) => To(Waiting, Apply),
        (Offered, _, NotPickedUp) => To(GivenUp(None), intent),
        (At(stage, _), _, TimedOut) => To(GivenUp(Some(stage)), intent),

        // People, before it was picked up.
        (Waiting, Apply, Asked(Ask::Start)) => To(Offered, Apply),
        (Waiting, Apply, Asked(Ask::Validate)) => To(Offered, Validate),
        (Waiting | Offered, Apply, Asked(Ask::Reschedule)) => To(Waiting, Apply),
        (Waiting | Offered, Apply, Asked(Ask::Pause)) => To(Waiting, Pause),
        (Waiting, Pause, Asked(Ask::Continue)) => To(Waiting, Apply),
        (Waiting | Offered, _, Asked(Ask::Abandon | Ask::AbandonUnstarted)) => To(Dropped, intent),

        // People, while it is in hand. A dry run swaps nothing, so nobody has to wait for its end.
        (At(..), Validate, Asked(Ask::Abandon)) => To(Dropped, intent),
        (At(stage, _), Apply, Asked(Ask::Pause)) if stage < Swap => To(state, Pause),
        (At(..), Pause, Asked(Ask::Continue)) => To(state, Apply),
        (At(stage, _), Apply | Pause, Asked(Ask::Abandon)) if stage < Swap => To(state, Intent::Abandon),
        (At(..), Apply | Pause | Complete | Intent::Abandon, Asked(Ask::Rollback)) => To(state, Rollback),
        (At(ConfirmCompletion, _), Apply | Pause | Intent::Abandon, Asked(Ask::Complete)) => {
            To(state, Complete)
        }

        // People, after its end.
        (GivenUp(None), _, Asked(Ask::Continue)) => To(Waiting, Apply),
        (GivenUp(Some(stage)), _, Asked(Ask::Continue)) => To(At(stage, Status::Underway), Apply),
        (Over(Failed | RolledBack), _, Asked(Ask::Continue | Ask::Retry | Ask::Reschedule))
        | (GivenUp(_), _, Asked(Ask::Retry | Ask::Reschedule)) => NewAttempt,

        // Written out, so that a new state or end has to be thought about here.
        (Over(Stage::Completed | Abandoned) | Dropped, ..)
        | (Waiting | Offered | At(..) | GivenUp(_) | Over(_), ..) => {
            return None;
        }
    };
    Some(next)
}

/// Why a person's word is refused, and what to do instead: a code and a sentence.
#[must_use]
pub fn refused(state: State, intent: Intent, ask: Ask) -> (&'static str, String) {
    use State::{At, Dropped, GivenUp, Offered, Over, Waiting};
    let plain = |code, sentence: &str| (code, sentence.to_owned());
    match (state, intent, ask) {
        (GivenUp(_) | Over(Stage::Failed | Stage::RolledBack), ..) => {
            plain("upgrade_ended", "the upgrade has ended; retry it, or request a new one")
        }
        (Over(Stage::Completed), _, Ask::Rollback) => plain(
            "upgrade_ended",
            "the upgrade has completed; go back with a rollback of the executor to an earlier revision",
        ),
        (Over(_) | Dropped, ..) => plain("upgrade_ended", "the upgrade has ended; request a new one"),
        (_, _, Ask::Retry) => {
            plain("not_ended", "the upgrade has not ended; wait for its end, or abandon it, then retry it")
        }
        (_, _, Ask::Continue) => {
            plain("not_paused", "the upgrade is neither paused nor given up; nothing has to be continued")
        }
        (Waiting, Intent::Pause, Ask::Pause) => plain("upgrade_paused", "the upgrade is paused already"),
        (Waiting, Intent::Pause, _) => plain("upgrade_paused", "the upgrade is paused; continue it first"),
        (Waiting | Offered, _, Ask::Rollback) => plain(
            "not_started",
            "the executor has not picked the upgrade up, there is nothing to roll back; abandon it",
        ),
        (Waiting | Offered | At(..), _, Ask::Complete) if intent != Intent::Complete => plain(
            "too_early",
            "only an upgrade at CONFIRM_COMPLETION can be completed; wait until it is there, or roll it back",
        ),
        (_, Intent::Validate, _) => plain(
            "validating",
            "the host is trying the upgrade out; wait for the end of that, or abandon the upgrade",
        ),
        (Waiting | Offered | At(..), _, Ask::Start | Ask::Validate) => {
            plain("already_started", "the upgrade was started already; follow it, pause it or abandon it")
        }
        (_, _, Ask::AbandonUnstarted) => plain(
            "already_started",
            "the executor has picked the upgrade up; abandon it without `checkUnstarted`, or roll it back",
        ),
        (_, _, Ask::Reschedule) => {
            plain("already_started", "the executor has picked the upgrade up; pause it or abandon it")
        }
        (At(stage, _), _, Ask::Pause | Ask::Abandon) if stage >= Stage::Swap => (
            "too_late",
            format!("the upgrade is at {stage}: the new version is on trial; roll the upgrade back instead"),
        ),
        (_, Intent::Pause, Ask::Pause) => {
            plain("upgrade_paused", "the upgrade is paused already, or about to be")
        }
        (_, intent, _) => (
            "already_asked",
            format!("the executor is told to {} already; wait for its answer", word(intent)),
        ),
    }
}

fn word(intent: Intent) -> &'static str {
    match intent {
        Intent::Apply => "apply the upgrade",
        Intent::Validate => "validate the upgrade",
        Intent::Pause => "pause the upgrade",
        Intent::Abandon => "abandon the upgrade",
        Intent::Rollback => "roll the upgrade back",
        Intent::Complete => "complete the upgrade",
    }
}

impl Input {
    /// What a report says. A stage up to VERIFY that failed is an end, whatever word stands there: nothing was
    /// swapped, so nothing can follow. From SWAP on a failed stage is followed by the news of the rollback.
    #[must_use]
    pub fn of(report: &UpgradeReport) -> Self {
        match (report.stage, report.status) {
            (stage, _) if stage.is_end() => Self::Ended(stage),
            (_, Status::RolledBack) => Self::Ended(Stage::RolledBack),
            (stage, Status::Failed) if stage <= Stage::Verify => Self::Ended(Stage::Failed),
            (stage, status) => Self::Reached(stage, status),
        }
    }
}

/// How far along: paused and underway are the same distance, since a person moves an upgrade between them.
pub(super) fn position(stage: Stage, status: Status) -> (Stage, u8) {
    let within = match status {
        Status::Unstarted => 0,
        Status::Underway | Status::Paused => 1,
        Status::Completed | Status::RolledBack | Status::Failed => 2,
    };
    (stage, within)
}

#[cfg(test)]
mod tests;
