//! A host is stopped before each durable effect in turn and started again: whatever it promised still holds.
//!
//! The path always leads to a complete agent; a good release ends committed and a bad one rolled back; what was rolled
//! back never comes back; what is refused is never put in place; a verdict that is written is final, however the
//! release behaves from then on.

#![expect(clippy::disallowed_methods, reason = "tests: the files of a host that they made")]

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use novacula_lab::dice::{Dice, seed};
use novacula_protocol::Stage;
use novacula_protocol::sync::SyncRequest;

use crate::upgrade::trial::Verdict;

mod host; // a host in this process

use host::{Host, NEW};

/// Hosts of one journey at once: they mostly wait.
const AT_ONCE: usize = 12;
/// Pairs of stops that are drawn for one journey.
const PAIRS: usize = 24;

/// What becomes of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Journey {
    signature_fits: bool,
    release_is_well: bool,
    /// Who changes their mind once only a person's word is missing.
    rolls_back: Option<Who>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Sysadmin,
    ControlPlane,
}

/// How an upgrade ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    stage: Stage,
    runs_new: bool,
}

const COMMITTED: End = End { stage: Stage::Completed, runs_new: true };
const ROLLED_BACK: End = End { stage: Stage::RolledBack, runs_new: false };
const REFUSED: End = End { stage: Stage::Failed, runs_new: false };

const GOOD: Journey = Journey { signature_fits: true, release_is_well: true, rolls_back: None };

#[test]
fn a_good_release_stopped_anywhere_ends_committed() {
    GOOD.survives_stops();
}

#[test]
fn a_bad_release_stopped_anywhere_ends_rolled_back() {
    Journey { release_is_well: false, ..GOOD }.survives_stops();
}

#[test]
fn a_refused_release_stopped_anywhere_is_never_put_in_place() {
    Journey { signature_fits: false, ..GOOD }.survives_stops();
}

#[test]
fn a_rollback_by_hand_stopped_anywhere_is_carried_out_once_it_is_decided() {
    Journey { rolls_back: Some(Who::Sysadmin), ..GOOD }.survives_stops();
}

#[test]
fn a_rollback_by_the_control_plane_stopped_anywhere_is_carried_out() {
    Journey { rolls_back: Some(Who::ControlPlane), ..GOOD }.survives_stops();
}

impl Journey {
    fn survives_stops(self) {
        // One stop at every effect, until there is none left.
        let points = AtomicUsize::new(0);
        let end = AtomicUsize::new(usize::MAX);
        self.each_survives(
            |number| (number < end.load(Ordering::SeqCst)).then(|| vec![number]),
            |stops, met| {
                match met {
                    0 => end.fetch_min(stops[0], Ordering::SeqCst),
                    _ => points.fetch_add(1, Ordering::SeqCst),
                };
            },
        );
        let points = points.into_inner();
        assert!(points > 0, "a journey without points proves nothing");

        // Then two, drawn by the seed.
        let twice = AtomicUsize::new(0);
        let pair = |number| {
            let mut dice = Dice::of(seed() + number as u64);
            (number <= PAIRS).then(|| vec![1 + dice.below(points), 1 + dice.below(points)])
        };
        self.each_survives(pair, |_, met| {
            twice.fetch_add(usize::from(met == 2), Ordering::SeqCst);
        });
        let (twice, seed) = (twice.into_inner(), seed());
        println!("{self:?}: {points} points tried, {twice} pairs of them with seed {seed}");
    }

    /// Goes with the stops that `draw` gives for 1, 2, 3 …, several at once, until it gives none; `note` hears how many
    /// of them there were.
    fn each_survives(
        self,
        draw: impl Fn(usize) -> Option<Vec<usize>> + Sync,
        note: impl Fn(&[usize], usize) + Sync,
    ) {
        let (numbers, failures) = (Mutex::new(1..), Mutex::new(Vec::new()));
        // A handful of failures shows where to look.
        let goes_on = || failures.lock().unwrap().len() < 5;
        let next = || goes_on().then(|| draw(numbers.lock().unwrap().next()?)).flatten();
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(stops) = next() {
                        match catch_unwind(|| self.goes(&stops)) {
                            Ok(met) => note(&stops, met),
                            Err(_) => failures.lock().unwrap().push(stops),
                        }
                    }
                });
            }
        });
        let failures = failures.into_inner().unwrap();
        assert!(failures.is_empty(), "{self:?} does not survive stops at {failures:?}");
    }

    /// Goes to the end on a host of its own that stops at these effects of its first lives; says how many of them
    /// there were.
    fn goes(self, stops: &[usize]) -> usize {
        let host = Host::new();
        let mut trip = Trip { journey: self, host: &host, told: None, wants_it_back: false, decided: None };
        // Who looks at an open trial first after a start: the judge or the agent.
        let timer_first = stops[0].is_multiple_of(2);
        let mut stops = stops.iter().copied();
        let mut met = 0;
        loop {
            let life = host.boot(stops.next(), timer_first);
            let came_to_an_end = match host.verdict() {
                // Whatever the release does from now on, the verdict stands.
                Some(_) => host.live(&life, !self.release_is_well, || trip.is_over().then_some(false)),
                None => {
                    trip.offer();
                    let mut hearing = Hearing::default();
                    host.live(&life, self.release_is_well, || trip.hear(&mut hearing).then_some(true))
                }
            };
            trip.holds();
            match came_to_an_end {
                Some(true) => break,
                Some(false) => {}
                None => met += 1,
            }
        }
        trip.ends_well();
        met
    }
}

/// One host on its journey, over all its lives.
struct Trip<'a> {
    journey: Journey,
    host: &'a Host,
    /// What the control plane was told.
    told: Option<End>,
    wants_it_back: bool,
    /// What was decided on disk.
    decided: Option<Stage>,
}

/// What is heard in one life.
#[derive(Default)]
struct Hearing {
    syncs: usize,
    ends: usize,
}

impl Trip<'_> {
    fn offer(&self) {
        self.host.control_plane.forget();
        let intent = match self.journey.rolls_back {
            Some(Who::ControlPlane) if self.wants_it_back => "rollback",
            // The sysadmin's command was cut short: if nothing is decided, the upgrade goes on.
            Some(Who::Sysadmin) if self.wants_it_back => "complete",
            _ => "apply",
        };
        let confirm = if self.journey.rolls_back.is_some() { "manual" } else { "auto" };
        self.host.offer(intent, confirm, self.journey.signature_fits);
    }

    /// Listens until an end was told, told again when it was offered again, and nothing is left to tell.
    fn hear(&mut self, hearing: &mut Hearing) -> bool {
        for sync in self.host.control_plane.syncs_after(hearing.syncs) {
            hearing.syncs += 1;
            let end = end_in(&sync);
            if let (Some(end), Some(told)) = (end, self.told) {
                assert_eq!(end, told, "what was told stays the end when it is offered again");
            }
            self.told = self.told.or(end);
            hearing.ends += usize::from(end.is_some());
            if hearing.ends == 3 {
                self.host.take_back();
            }
            if hearing.ends >= 3 && sync.upgrade.is_none() {
                return true;
            }
            let waits = sync.upgrade.is_some_and(|report| report.stage == Stage::ConfirmCompletion);
            if waits && !self.wants_it_back {
                self.wants_it_back = true;
                match self.journey.rolls_back {
                    Some(Who::Sysadmin) => self.host.roll_back_by_hand(),
                    _ => self.offer(),
                }
                hearing.syncs = 0;
            }
        }
        false
    }

    /// A verdict was carried out.
    fn is_over(&self) -> bool {
        self.host.records().trial().unwrap().is_none()
    }

    /// What must be true of the host whenever it stands still.
    fn holds(&mut self) {
        self.host.has_the_new_agent();
        let decided = match self.host.verdict() {
            Some(Verdict::Commit) => Some(Stage::Completed),
            Some(Verdict::RollBack(_)) => Some(Stage::RolledBack),
            None => self.host.remembered().map(|ended| ended.stage),
        };
        if self.decided.is_some() {
            assert_eq!(decided, self.decided, "a verdict that is written is final");
        }
        self.decided = decided;
    }

    fn ends_well(&self) {
        let end = self.told.expect("an end was told");
        let good: &[End] = match self.journey {
            Journey { signature_fits: false, .. } => &[REFUSED],
            Journey { release_is_well: false, .. } => &[ROLLED_BACK],
            Journey { rolls_back: Some(Who::ControlPlane), .. } => &[ROLLED_BACK],
            Journey { rolls_back: Some(Who::Sysadmin), .. } => &[ROLLED_BACK, COMMITTED],
            Journey { rolls_back: None, .. } => &[COMMITTED],
        };
        assert!(good.contains(&end), "{end:?} is not among {good:?}");
        assert_eq!(self.decided, Some(end.stage), "what is told is what was decided");
        assert_eq!(self.host.has_the_new_agent(), end.runs_new, "what runs is what is in place");
        self.host.is_tidy();
    }
}

fn end_in(sync: &SyncRequest) -> Option<End> {
    let report = sync.upgrade.as_ref().filter(|report| report.stage.is_end())?;
    Some(End { stage: report.stage, runs_new: sync.current_version == NEW })
}
