//! What is known of one executor by what it was told and what it has sent.

use std::collections::HashSet;

use jiff::Timestamp;
use novacula_protocol::spec::{Direction, Intent, SpecHeader};
use novacula_protocol::sync::{SyncRequest, UpgradeReport};
use novacula_protocol::{Stage, Status};
use semver::Version;

use crate::simulate::faults::Fault;
use crate::simulate::job::Attempt;
use crate::simulate::pace::between_ms;

const MINUTE_MS: u64 = 60_000;
/// The control plane waits for one more than these.
const SYNCS: u64 = 3;

/// One executor.
pub struct Known {
    /// Its name.
    pub name: String,
    /// The wave that its labels put it into.
    pub wave: usize,
    /// What goes wrong with it.
    pub fault: Option<Fault>,
    /// What ran before the plan.
    pub initial: Version,
    /// What runs.
    pub runs: Version,
    /// It has sent its last word.
    pub is_dead: bool,
    /// When it was first offered a higher version.
    pub first_offer: Option<Timestamp>,
    /// When it sent the end of that.
    pub end: Option<Timestamp>,
    /// How that ended.
    pub ended_at: Option<Stage>,
    /// It was told of a higher version when the plan had halted.
    pub(super) began_after_halt: bool,
    pub(super) hand: Option<Hand>,
    pub(super) ended: HashSet<Attempt>,
    answered: Option<Timestamp>,
    /// It was out of reach for so long that nobody has to wait for it.
    was_silent: bool,
}

/// What it has in hand.
pub(super) struct Hand {
    pub(super) attempt: Attempt,
    is_forward: bool,
    stands: Stage,
    since: Timestamp,
    was_given_up: bool,
}

/// Where executors stand, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stand {
    /// Offered a higher version at least once.
    pub offered: u32,
    /// Run the target.
    pub on_target: u32,
    /// Went back by themselves.
    pub went_back: u32,
}

impl Hand {
    /// It stands where it stands for as long as the control plane waits at least.
    pub(super) fn may_be_given_up(&self, now: Timestamp, interval_ms: u64) -> bool {
        let least = match self.stands {
            Stage::Download => 15,
            Stage::Verify | Stage::Swap => 10,
            Stage::Restart | Stage::CheckHealth => 2,
            _ => 5,
        };
        between_ms(self.since, now) >= least * MINUTE_MS + SYNCS * interval_ms
    }
}

impl Known {
    /// One that has said nothing yet.
    pub fn new(name: String, wave: usize, fault: Option<Fault>, initial: Version) -> Self {
        Self {
            name,
            wave,
            fault,
            runs: initial.clone(),
            initial,
            is_dead: false,
            first_offer: None,
            end: None,
            ended_at: None,
            began_after_halt: false,
            hand: None,
            ended: HashSet::new(),
            answered: None,
            was_silent: false,
        }
    }

    /// It is about to send this.
    pub(super) fn says(&mut self, said: &SyncRequest, now: Timestamp) {
        self.runs.clone_from(&said.current_version);
        let Some(report) = &said.upgrade else { return };
        let Some(hand) = self.hand.as_mut().filter(|hand| is_about(report, &hand.attempt)) else { return };
        if is_end(report) {
            if hand.is_forward {
                (self.end, self.ended_at) = (Some(now), Some(report.stage));
            }
            self.hand = None;
        } else if report.stage > hand.stands {
            (hand.stands, hand.since) = (report.stage, now);
        }
    }

    pub(super) fn was_answered(&mut self, said: &SyncRequest, now: Timestamp, timeout_ms: u64) {
        self.was_silent |= self.answered.is_some_and(|at| between_ms(at, now) >= timeout_ms / 2);
        self.answered = Some(now);
        if let Some(report) = said.upgrade.as_ref().filter(|report| is_end(report)) {
            self.ended.insert((report.upgrade_id.clone(), report.attempt));
        }
    }

    pub(super) fn takes(&mut self, attempt: Attempt, told: &SpecHeader, now: Timestamp) {
        let is_forward = told.direction == Direction::Upgrade && told.intent == Intent::Apply;
        if is_forward {
            self.first_offer.get_or_insert(now);
            (self.end, self.ended_at) = (None, None);
        }
        let stands = Stage::ConfirmStart;
        self.hand = Some(Hand { attempt, is_forward, stands, since: now, was_given_up: false });
    }

    /// It goes to a higher version, and the control plane has not given it up for all we know. Who was given up once is
    /// not counted again.
    pub(super) fn is_counted(&mut self, now: Timestamp, interval_ms: u64) -> bool {
        let Some(hand) = self.hand.as_mut().filter(|hand| hand.is_forward) else { return false };
        hand.was_given_up |= hand.may_be_given_up(now, interval_ms);
        !hand.was_given_up
    }

    /// Nobody has to wait for it.
    pub(super) fn is_excused(&self, now: Timestamp, timeout_ms: u64) -> bool {
        let may_be_missing =
            matches!(self.fault, Some(Fault::Dead(_) | Fault::Late(_) | Fault::Flap(..) | Fault::Hang(_)));
        let is_silent = self.answered.is_none_or(|at| between_ms(at, now) >= timeout_ms / 2);
        may_be_missing || self.was_silent || is_silent
    }
}

fn is_about(report: &UpgradeReport, attempt: &Attempt) -> bool {
    report.upgrade_id == attempt.0 && report.attempt == attempt.1
}

fn is_end(report: &UpgradeReport) -> bool {
    report.stage.is_end() || (report.stage == Stage::Verify && report.status == Status::Completed)
}
