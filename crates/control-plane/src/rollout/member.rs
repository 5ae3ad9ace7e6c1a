//! Pure: what has become of one executor of a wave.

use novacula_protocol::Stage;
use novacula_protocol::people::{MemberOutcome, Presence};
use semver::Version;
use uuid::Uuid;

/// One executor of a wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub executor_id: Uuid,
    /// As it was called when the wave began.
    pub name: String,
    /// It goes before the rest.
    pub canary: bool,
    /// What became of it, as it was last known.
    pub outcome: MemberOutcome,
    /// Why.
    pub reason: String,
    /// What ran there when the wave began.
    pub from_version: Version,
    /// Starts of its service when its upgrade completed; before that when the wave began.
    pub restarts_before: u32,
    /// Its turn has come: something was asked of it that counts now.
    pub has_turn: bool,
    /// How it is now.
    pub seen: Seen,
}

/// How an executor is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// It was deleted.
    pub is_deleted: bool,
    /// Whether it syncs; nobody knows just after a start of the control plane.
    pub presence: Option<Presence>,
    /// Why a sysadmin holds its host.
    pub held: Option<String>,
    /// What runs there.
    pub version: Version,
    /// Starts of its service since boot.
    pub restarts: u32,
    /// The freeze or window that lets nothing begin there.
    pub calendar: Option<String>,
    /// The plan that comes before this one, and takes it too.
    pub other_plan: Option<String>,
    /// The latest upgrade that this plan has asked for.
    pub attempt: Option<Attempt>,
    /// An upgrade that somebody else asked for, later than all of this plan.
    pub other_upgrade: Option<OtherUpgrade>,
}

/// An upgrade that the plan asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: String,
    /// It has not ended.
    pub is_open: bool,
    /// Its executor has it in hand.
    pub is_picked_up: bool,
    /// Its executor is told to go back already.
    pub is_told_to_go_back: bool,
    /// Where it stands, or ended.
    pub stage: Stage,
    /// The server gave it up.
    pub is_given_up: bool,
    /// Its trouble.
    pub error: Option<String>,
    /// Where it leads.
    pub target: Version,
    /// It leads back to where the executor was before.
    pub is_back: bool,
}

/// An upgrade that somebody else asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherUpgrade {
    /// Who.
    pub requested_by: String,
    /// It has not ended.
    pub is_open: bool,
    /// It brought the executor somewhere.
    pub has_completed: bool,
}

impl Member {
    /// It was to go first and cannot, and nothing was begun there that it could say something about.
    #[must_use]
    pub fn is_lost_canary(&self) -> bool {
        use MemberOutcome::{Gone, Held, Refused, Unreachable, Yielded};
        let has_begun = self.seen.attempt.as_ref().is_some_and(|attempt| attempt.is_picked_up);
        self.canary && !has_begun && matches!(self.outcome, Unreachable | Held | Refused | Yielded | Gone)
    }
}

impl Seen {
    /// It does not sync, as far as anybody can tell.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.presence == Some(Presence::Offline)
    }

    /// What keeps it from being granted now, though its turn has come.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        if let Some(other) = self.other_upgrade.as_ref().filter(|other| other.is_open) {
            return Some(format!("an upgrade that {} asked for has not ended", other.requested_by));
        }
        if self.presence.is_none() {
            return Some("it was not heard since the control plane started".to_owned());
        }
        self.calendar.clone()
    }
}

/// What has become of an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// What.
    pub outcome: MemberOutcome,
    /// Why, where it is not plain.
    pub reason: String,
    /// Its upgrade is offered to somebody who is not there to take it.
    pub withdraw: bool,
}

impl Looked {
    /// That, and nothing is to be taken back.
    #[must_use]
    pub fn plain(outcome: MemberOutcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into(), withdraw: false }
    }
}

/// What has become of an executor of a wave that goes forward to `target`.
#[must_use]
pub fn look(member: &Member, target: &Version) -> Looked {
    use MemberOutcome::{Completed, Failed, Gone, Refused, Slow, Started, Unreachable, Waiting};
    let seen = &member.seen;
    if seen.is_deleted {
        return Looked::plain(Gone, "it was deleted");
    }
    let Some(attempt) = seen.attempt.as_ref().filter(|attempt| !attempt.is_back) else {
        return before_its_turn(member, target);
    };
    let trouble = || attempt.error.clone().unwrap_or_else(|| format!("its upgrade ended {}", attempt.stage));
    if attempt.is_open {
        if attempt.is_picked_up {
            return Looked::plain(Started, "");
        }
        if seen.is_offline() {
            return Looked {
                withdraw: true,
                ..Looked::plain(Unreachable, "it stopped syncing before it began")
            };
        }
        return match (&seen.held, &seen.calendar) {
            (Some(reason), _) => Looked { withdraw: true, ..held(reason) },
            (None, Some(closed)) => Looked { withdraw: true, ..Looked::plain(Waiting, closed) },
            (None, None) => Looked::plain(Started, ""),
        };
    }
    if attempt.is_given_up {
        return match seen.presence {
            Some(Presence::Offline) => Looked::plain(Unreachable, trouble()),
            Some(Presence::Online) => Looked::plain(Slow, trouble()),
            None => Looked::plain(member.outcome, &member.reason),
        };
    }
    match attempt.stage {
        Stage::Completed if seen.version == *target => Looked::plain(Completed, ""),
        Stage::Completed if attempt.target == *target => Looked::plain(
            Failed,
            format!("it runs {} now, though its upgrade to {target} completed", seen.version),
        ),
        Stage::Completed => {
            Looked::plain(Failed, format!("it came to {} and no further: {}", seen.version, trouble()))
        }
        // Who was not told in the end waits for another turn; a person's word stands.
        Stage::Abandoned if member.outcome == Started => {
            Looked::plain(Refused, "a person abandoned its upgrade")
        }
        Stage::Abandoned => before_its_turn(member, target),
        _ => Looked::plain(Failed, trouble()),
    }
}

fn before_its_turn(member: &Member, target: &Version) -> Looked {
    use MemberOutcome::{AlreadyThere, Refused, Unreachable, Waiting, Yielded};
    let seen = &member.seen;
    if seen.version == *target {
        return Looked::plain(AlreadyThere, "");
    }
    if member.outcome == Refused {
        return Looked::plain(Refused, &member.reason);
    }
    if let Some(plan) = &seen.other_plan {
        return Looked::plain(Yielded, format!("the plan `{plan}` comes first"));
    }
    if seen.version.cmp_precedence(target).is_gt() {
        let newer = format!("it runs {}, which is newer, and a plan does not go back", seen.version);
        return Looked::plain(Refused, &newer);
    }
    if seen.is_offline() {
        return Looked::plain(Unreachable, "it does not sync");
    }
    match &seen.held {
        Some(reason) => held(reason),
        None => Looked::plain(Waiting, seen.obstacle().unwrap_or_default()),
    }
}

fn held(reason: &str) -> Looked {
    Looked::plain(MemberOutcome::Held, format!("its host is on hold: {reason}"))
}
