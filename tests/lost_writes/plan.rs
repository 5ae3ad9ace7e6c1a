//! When in a journey the power is cut: after each operation, or after a sample of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::env;
use std::fmt;

use novacula_lab::dice::{Dice, seed};
use novacula_lab::forgetful::{Loss, Moment};

/// Moments of one journey in a sample.
const SAMPLE: usize = 24;
/// Disks that keep a part of what was not synced, besides the one that keeps nothing.
const PARTS: usize = 3;
const PARTS_IN_A_SAMPLE: usize = 1;

pub struct Plan {
    /// Every moment that a run is known to have, with the operation before it.
    known: BTreeMap<Moment, &'static str>,
    /// The next one last.
    left: Vec<Moment>,
    all: bool,
    met: usize,
    cuts: usize,
}

impl Plan {
    /// For a journey that makes these operations when nobody cuts it short.
    pub fn of(operations: &[&'static str]) -> Self {
        let all = env::var("NOVACULA_CRASH_POINTS").is_ok_and(|which| which == "all");
        let mut now = Moment::default();
        let mut known = BTreeMap::from([(now, "nothing")]);
        for operation in operations {
            now = now.after(operation);
            known.insert(now, operation);
        }
        let mut left: Vec<Moment> = known.keys().copied().collect();
        if all {
            left.reverse();
        } else {
            Dice::of(seed()).shuffle(&mut left);
            // Many writes in a row do not crowd out what matters more.
            left.sort_by_key(|moment| moment.writes == 0);
            left.drain(..left.len().saturating_sub(SAMPLE));
        }
        Self { known, left, all, met: 0, cuts: 0 }
    }

    /// When to cut next, and what is lost then.
    pub fn next(&mut self) -> Option<(Moment, Vec<Loss>)> {
        let moment = self.left.pop()?;
        let parts = if self.all { PARTS } else { PARTS_IN_A_SAMPLE };
        let mut dice = Dice::of(seed().wrapping_add((moment.changes << 16 | moment.writes) as u64));
        let parts = (0..parts).map(|_| Loss::Part(dice.any()));
        Some((moment, [Loss::Everything].into_iter().chain(parts).collect()))
    }

    /// A run that had more to do than those before shows more moments to try, and one that had less shows that there
    /// was none.
    pub fn note(&mut self, moment: Moment, was_cut_at: Option<Moment>, cuts: usize) {
        self.cuts += cuts;
        // Behind the last operation there is none that could show the cut.
        if was_cut_at.is_none_or(|found| found == moment) {
            self.met += 1;
        } else {
            self.known.remove(&moment);
        }
        let Some(found) = was_cut_at.filter(|_| self.all) else { return };
        let is_last = self.known.last_key_value().is_some_and(|(last, _)| *last <= found);
        let next = match found.writes {
            _ if is_last => found.after("change"),
            0 => return,
            _ => found.after("write"),
        };
        if let Entry::Vacant(unknown) = self.known.entry(next) {
            unknown.insert("one more operation");
            self.left.push(next);
        }
    }

    /// How many moments were met so far.
    pub fn moments_met(&self) -> usize {
        self.met
    }

    /// The operation before a moment.
    pub fn before(&self, moment: Moment) -> &'static str {
        self.known.get(&moment).unwrap_or(&"nothing")
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.all { "all" } else { "a sample" };
        write!(
            f,
            "{} power cuts at {} of {} moments ({which}, seed {})",
            self.cuts,
            self.met,
            self.known.len(),
            seed()
        )
    }
}
