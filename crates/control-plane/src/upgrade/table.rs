//! Pure: the one table of an upgrade. Every pair of state and input that is allowed stands in [`next`]; everything
//! else is refused.

use novacula_protocol::sync::UpgradeReport;
use novacula_protocol::{Stage, Status};

/// Where an upgrade stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Requested; the executor has said nothing about it.
    Waiting,
    /// The executor has it in hand.
    At(Stage, Status),
    /// The server has given up on it, and may be wrong.
    GivenUp,
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
    /// Its time to be picked up is over.
    NotPickedUp,
    /// The time of its stage is over.
    TimedOut,
}

/// Where it stands afterwards; `None` where the input is refused.
#[must_use]
pub fn next(state: State, input: Input) -> Option<State> {
    match (state, input) {
        (State::Waiting | State::At(..) | State::GivenUp, Input::Ended(end)) => Some(State::Over(end)),
        (State::Waiting, Input::Reached(stage, status)) => Some(State::At(stage, status)),
        (State::At(stage, status), Input::Reached(there, doing))
            if position(there, doing) >= position(stage, status) =>
        {
            Some(State::At(there, doing))
        }
        (State::Waiting, Input::NotPickedUp) | (State::At(..), Input::TimedOut) => Some(State::GivenUp),
        _ => None,
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
mod tests {
    use super::*;

    #[test]
    fn what_the_table_does_not_name_is_refused() {
        let open = State::At(Stage::Verify, Status::Underway);
        let late = Input::Reached(Stage::Download, Status::Completed);
        let news = Input::Reached(Stage::Swap, Status::Underway);
        let end = Input::Ended(Stage::Completed);
        let over = State::Over(Stage::RolledBack);
        for (state, refused) in [
            (State::Waiting, vec![Input::TimedOut]),
            (open, vec![late, Input::NotPickedUp]),
            (State::GivenUp, vec![late, news, Input::NotPickedUp, Input::TimedOut]),
            (over, vec![late, news, end, Input::NotPickedUp, Input::TimedOut]),
        ] {
            for input in [late, news, end, Input::NotPickedUp, Input::TimedOut] {
                assert_eq!(next(state, input).is_none(), refused.contains(&input), "{state:?} {input:?}");
            }
        }
    }
}
