//! What must hold at every answer to an executor, told from what executors were told and have done, never from what the
//! control plane says of itself.
//!
//! An executor is *in hand* from the answer that first brings it an upgrade until it sends that upgrade's end. So it is
//! never longer in hand here than it is for the control plane, and one more than the cap is one too many.

mod known;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use novacula_protocol::Stage;
use novacula_protocol::spec::{Direction, Intent, SpecHeader};
use novacula_protocol::sync::{Offer, SyncRequest, SyncResponse};
use semver::Version;

use super::faults::{Fault, FaultName};
use super::job::Attempt;
use super::pace::{Pace, between_ms, later};
use super::waves::Wave;
pub use known::{Known, Stand};

/// A halt is known to us a moment before it is known everywhere inside the control plane: whoever is told of an upgrade
/// in that moment has to hear that it was dropped before anything is swapped.
const HALT_REACHES_MOST: Duration = Duration::from_millis(20);
/// After that nobody is told of one at all.
const HALT_REACHES_ALL: Duration = Duration::from_millis(500);

const AFTER_A_HALT: &str = "nobody is started after the plan has halted";

/// Something that must never be.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which promise.
    pub invariant: &'static str,
    /// Who, when, and what was found.
    pub event: String,
}

/// Watches all executors.
pub struct Judge {
    pace: Pace,
    waves: Vec<Wave>,
    executors: Vec<Known>,
    offered: HashMap<Attempt, usize>,
    halted_at: Option<Instant>,
    goes_back: bool,
    approved: HashMap<usize, Timestamp>,
    canaries: HashMap<usize, HashSet<usize>>,
    /// The most that were in hand at once, of each wave.
    pub peaks: Vec<u32>,
    /// How many answers were looked at.
    pub answers: u64,
    /// The first thing that must never be.
    pub broken: Option<Broken>,
}

impl Judge {
    /// Of executors that have not been heard yet.
    pub fn new(pace: Pace, waves: Vec<Wave>, executors: Vec<Known>) -> Self {
        Self {
            pace,
            peaks: vec![0; waves.len()],
            waves,
            executors,
            offered: HashMap::new(),
            halted_at: None,
            goes_back: false,
            approved: HashMap::new(),
            canaries: HashMap::new(),
            answers: 0,
            broken: None,
        }
    }

    /// How one executor stands.
    pub fn executors(&self) -> &[Known] {
        &self.executors
    }

    /// The plan was seen halted: nobody new may be started.
    pub fn note_halt(&mut self, now: Instant) {
        self.halted_at.get_or_insert(now);
    }

    /// All of the plan is about to be undone.
    pub fn note_rollback(&mut self) {
        self.goes_back = true;
    }

    /// An executor has sent its last word.
    pub fn note_death(&mut self, index: usize) {
        self.executors[index].is_dead = true;
    }

    /// Whether it is known who goes first in a wave.
    pub fn knows_canaries(&self, wave: usize) -> bool {
        self.canaries.contains_key(&wave)
    }

    /// A wave is about to be approved.
    pub fn note_approval(&mut self, wave: usize, now: Timestamp) {
        self.approved.entry(wave).or_insert(now);
    }

    /// These go first. What was seen before is held against it now.
    pub fn note_canaries(&mut self, wave: usize, names: &HashSet<String>) {
        let members = self.executors.iter().enumerate();
        let canaries = members.filter(|(_, it)| names.contains(&it.name)).map(|(index, _)| index).collect();
        if self.canaries.insert(wave, canaries).is_some() {
            return;
        }
        let offered = self.executors.iter().enumerate().filter(|(_, it)| it.wave == wave);
        let first: Vec<_> = offered.filter_map(|(index, it)| it.first_offer.map(|at| (index, at))).collect();
        for (index, at) in first {
            self.canaries_first(index, at);
        }
    }

    /// The control plane itself says that so many are under way in a wave: that must not be more than the plan says,
    /// either, and it is what executors cannot see before they sync.
    pub fn note_started(&mut self, wave: usize, started: u32) {
        let rules = &self.waves[wave];
        if started > rules.cap {
            let event = format!(
                "the control plane counts {started} under way in wave `{}` at {}, at most {} may",
                rules.name,
                self.pace.now(),
                rules.cap
            );
            let invariant = "never more are in hand than the cap";
            self.broken.get_or_insert(Broken { invariant, event });
        }
    }

    /// An executor is about to send this.
    pub fn saying(&mut self, index: usize, said: &SyncRequest, now: Timestamp) {
        self.executors[index].says(said, now);
        let moves =
            said.upgrade.as_ref().is_some_and(|it| (Stage::Swap..=Stage::Completed).contains(&it.stage));
        if moves && self.executors[index].began_after_halt {
            self.breaks(AFTER_A_HALT, index, now, "it was told of its upgrade after that, and has swapped");
        }
    }

    /// An executor was answered.
    pub fn heard(
        &mut self,
        index: usize,
        said: &SyncRequest,
        answer: &SyncResponse,
        sent: Instant,
        now: Timestamp,
    ) {
        self.answers += 1;
        self.executors[index].was_answered(said, now, self.pace.heartbeat_timeout_ms);
        let Some(Offer::Understood(spec)) = &answer.pending_upgrade else { return };
        let told = spec.header();
        let attempt = (told.upgrade_id.clone(), told.attempt);
        let owner = *self.offered.entry(attempt.clone()).or_insert(index);
        if owner != index {
            let other = self.executors[owner].name.clone();
            let found = format!("attempt {} of upgrade {} was {other}'s", told.attempt, told.upgrade_id);
            self.breaks("an attempt is offered to one executor only", index, now, &found);
        }
        let known = &self.executors[index];
        if known.ended.contains(&attempt) {
            let found = format!("upgrade {} is offered again after its end was accepted", told.upgrade_id);
            return self.breaks("an attempt is carried out at most once", index, now, &found);
        }
        match &known.hand {
            Some(hand) if hand.attempt == attempt => return,
            // Given up by the control plane for all we know; what is new is not taken up, but it is no mistake.
            Some(hand) if hand.may_be_given_up(now, self.pace.sync_interval_ms) => {}
            Some(hand) => {
                let found = format!("it is told of {} while it works on {}", told.upgrade_id, hand.attempt.0);
                return self.breaks("a host is asked for one upgrade at a time", index, now, &found);
            }
            None => {}
        }
        let is_new_way = told.intent == Intent::Apply;
        match told.direction {
            Direction::Upgrade if is_new_way => self.goes_forward(index, told, sent, now),
            Direction::Downgrade => self.goes_home(index, told, now),
            Direction::Upgrade => {}
        }
        self.executors[index].takes(attempt, told, now);
        self.count(index, now);
    }

    fn goes_forward(&mut self, index: usize, told: &SpecHeader, sent: Instant, now: Timestamp) {
        if self.halted_at.is_some_and(|at| sent > at + HALT_REACHES_ALL) {
            let found = format!("upgrade {} to {} is offered", told.upgrade_id, told.target_version);
            self.breaks(AFTER_A_HALT, index, now, &found);
        }
        self.executors[index].began_after_halt =
            self.halted_at.is_some_and(|at| sent > at + HALT_REACHES_MOST);
        let is_first = self.executors[index].first_offer.is_none();
        if self.executors[index].fault.map(Fault::name) == Some(FaultName::Late) || !is_first {
            // Whose wave is the control plane's to say, and who goes on over a hop, has had its turn.
            return;
        }
        let wave = self.executors[index].wave;
        for before in 0..wave {
            if let Some(found) = self.is_behind(before, |_| true, now) {
                let found = format!("wave `{}`: {found}", self.waves[before].name);
                self.breaks("a wave begins when the one before it has passed", index, now, &found);
            }
            let rules = &self.waves[before];
            if !rules.is_automated && rules.size > 0 && !self.approved.contains_key(&before) {
                let found = format!("nobody has approved wave `{}`", rules.name);
                self.breaks("a wave begins when the one before it was approved", index, now, &found);
            }
        }
        self.canaries_first(index, now);
    }

    fn canaries_first(&mut self, index: usize, at: Timestamp) {
        let wave = self.executors[index].wave;
        let Some(canaries) = self.canaries.get(&wave).filter(|them| !them.contains(&index)) else { return };
        if let Some(found) = self.is_behind(wave, |member| canaries.contains(&member), at) {
            self.breaks("the canaries go first", index, at, &found);
        }
    }

    /// Why those of a wave are not through at that time, though nothing is wrong with them.
    fn is_behind(&self, wave: usize, counts: impl Fn(usize) -> bool, at: Timestamp) -> Option<String> {
        let soak = self.waves[wave].soak_ms;
        let mut last: Option<(Timestamp, &str)> = None;
        for (_, member) in self.executors.iter().enumerate().filter(|(n, it)| it.wave == wave && counts(*n)) {
            if member.is_excused(at, self.pace.heartbeat_timeout_ms) {
                continue;
            }
            match member.end.filter(|end| *end <= at) {
                None => return Some(format!("{} has not had its turn to the end", member.name)),
                Some(end) => last = last.max(Some((end, member.name.as_str()))),
            }
        }
        let (end, name) = last?;
        let soaked_ms = between_ms(end, later(at, self.pace.grain_ms()));
        (soaked_ms < soak).then(|| {
            format!("{name} ended {} s before, the soak is of {} s", soaked_ms / 1_000, soak / 1_000)
        })
    }

    fn goes_home(&mut self, index: usize, told: &SpecHeader, now: Timestamp) {
        let known = &self.executors[index];
        let target = &told.target_version;
        let found = if known.runs == known.initial {
            format!("it runs {} since before the plan, and is to go to {target}", known.runs)
        } else if *target != known.initial && target.major == known.initial.major {
            format!("it ran {} before the plan, and is to go to {target}", known.initial)
        } else if !self.goes_back && !self.waves[known.wave].is_rolled_back {
            format!("nobody has asked to undo wave `{}`", self.waves[known.wave].name)
        } else {
            return;
        };
        self.breaks("only what the plan did is undone", index, now, &found);
    }

    /// How many of the wave are in hand, at most as many as may be.
    fn count(&mut self, index: usize, now: Timestamp) {
        if self.executors[index].fault.map(Fault::name) == Some(FaultName::Late) {
            return;
        }
        let wave = self.executors[index].wave;
        let mut in_hand = 0;
        for known in self.executors.iter_mut().filter(|it| it.wave == wave) {
            in_hand += u32::from(known.is_counted(now, self.pace.sync_interval_ms));
        }
        self.peaks[wave] = self.peaks[wave].max(in_hand);
        let cap = self.waves[wave].cap;
        if in_hand > cap {
            let found = format!(
                "{in_hand} executors of wave `{}` are in hand, at most {cap} may",
                self.waves[wave].name
            );
            self.breaks("never more are in hand than the cap", index, now, &found);
        }
    }

    /// What can be told once nothing more comes of the plan: `undone` is what was undone, by wave; `stuck` are those of
    /// whom the control plane itself says that they could not go back.
    pub fn at_the_end(&mut self, reached: usize, undone: &[bool], stuck: &HashSet<String>, target: &Version) {
        let now = self.pace.now();
        for index in 0..self.executors.len() {
            let known = &self.executors[index];
            let is_late = known.fault.map(Fault::name) == Some(FaultName::Late);
            let (runs, initial) = (&known.runs, &known.initial);
            if known.wave > reached && !is_late && (known.first_offer.is_some() || runs != initial) {
                let found = format!(
                    "it is in wave `{}`, which was not reached, and runs {runs}",
                    self.waves[known.wave].name
                );
                self.breaks("nobody beyond the last wave that began is touched", index, now, &found);
                continue;
            }
            let is_undone = undone.get(known.wave).copied().unwrap_or_default();
            if is_undone && runs != initial && !known.is_dead && !stuck.contains(&known.name) {
                let found = format!("it ran {initial} before the plan and runs {runs} after the rollback");
                self.breaks("a rollback brings everybody back whom the plan has moved", index, now, &found);
            } else if runs != initial && runs != target && runs.major == target.major {
                let found = format!("it runs {runs}, which nobody asked for");
                self.breaks("executors run what they ran before, or the target", index, now, &found);
            }
        }
    }

    fn breaks(&mut self, invariant: &'static str, index: usize, now: Timestamp, found: &str) {
        let known = &self.executors[index];
        let fault = known.fault.map_or("none".to_owned(), |fault| fault.name().to_string());
        let wave = &self.waves[known.wave].name;
        let event = format!("{} (wave `{wave}`, fault {fault}) at {now}: {found}", known.name);
        self.broken.get_or_insert(Broken { invariant, event });
    }
}

#[cfg(test)]
mod tests;
