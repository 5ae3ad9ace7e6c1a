//! Pure: how one executor gets back to where it was before the plan, which undoes only what the plan did.

use novacula_protocol::Stage;
use novacula_protocol::people::Presence;

use super::member::{Member, OtherUpgrade};

const LOOK: &str = "look after its host, then roll back again";

/// What is to be done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    /// The plan has done nothing that is to be undone, or somebody else has done something since.
    Leave,
    /// It is where it was.
    Done,
    /// It is on its way.
    Wait,
    /// Its upgrade was not picked up, and is dropped.
    Abandon,
    /// Its upgrade is in hand, and its executor goes back.
    Steer,
    /// It runs what the plan brought, and goes to what it ran before.
    Downgrade,
    /// It cannot go back, for this reason.
    Cannot(String),
}

/// How it gets back.
#[must_use]
pub fn back(member: &Member) -> Back {
    let seen = &member.seen;
    let is_changed_since = |other: &OtherUpgrade| other.is_open || other.has_completed;
    if seen.is_deleted || seen.other_upgrade.as_ref().is_some_and(is_changed_since) {
        return Back::Leave;
    }
    let Some(attempt) = &seen.attempt else { return Back::Leave };
    if attempt.is_open {
        return match (attempt.is_back || attempt.is_told_to_go_back, attempt.is_picked_up) {
            (true, _) => Back::Wait,
            (false, false) => Back::Abandon,
            (false, true) => Back::Steer,
        };
    }
    if seen.version == member.from_version {
        // It was given up and may go forward yet, unheard.
        return match attempt.is_given_up && attempt.is_picked_up && !attempt.is_back {
            true => Back::Cannot(format!("nobody knows how far it came; {LOOK}")),
            false => Back::Done,
        };
    }
    // One that failed before is tried again when a person asks again.
    if attempt.is_back && member.has_turn {
        let why = attempt.error.clone();
        let why = why.unwrap_or_else(|| format!("its way back ended {} at {}", attempt.stage, seen.version));
        return Back::Cannot(why);
    }
    // What it runs must be the plan's doing; on its way over several versions each of them is.
    let is_of_the_plan = attempt.stage == Stage::Completed && attempt.target == seen.version;
    let is_between = attempt.stage != Stage::Completed
        && member.from_version.cmp_precedence(&seen.version).is_lt()
        && seen.version.cmp_precedence(&attempt.target).is_le();
    if !is_of_the_plan && !is_between && !attempt.is_back {
        return Back::Leave;
    }
    match seen.presence {
        Some(Presence::Online) => Back::Downgrade,
        Some(Presence::Offline) => Back::Cannot(format!("it does not sync; {LOOK}")),
        None => Back::Wait,
    }
}
