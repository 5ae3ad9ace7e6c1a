//! Which points of a journey are tried: all of them, or a sample that can be drawn again.

use std::collections::BTreeMap;
use std::env;
use std::fmt;

use novacula_lab::dice::{Dice, seed};

use crate::strace::{Harm, Point, counts};

/// Points of one journey in a sample.
const SAMPLE: usize = 24;

/// All points of one kind of fault at one kind of call.
struct Line {
    syscall: String,
    harm: Harm,
    /// Left to try, the next one last; endless where all are tried.
    left: Box<dyn Iterator<Item = u32> + Send>,
    is_over: bool,
}

impl Line {
    fn comes_first(&self) -> bool {
        // Of link, rename and unlink, under all their names.
        self.harm == Harm::Kill && (self.syscall.contains("link") || self.syscall.starts_with("rename"))
    }
}

pub struct Plan {
    lines: Vec<Line>,
    all: bool,
    drawn: usize,
    met: BTreeMap<(Harm, String), usize>,
}

impl Plan {
    /// For a journey whose run without a fault makes these calls.
    pub fn of(calls: &str) -> Self {
        let all = env::var("NOVACULA_CRASH_POINTS").is_ok_and(|which| which == "all");
        let mut dice = Dice::of(seed());
        let mut lines = Vec::new();
        for (syscall, count) in counts(calls) {
            for harm in Harm::of(&syscall) {
                let left: Box<dyn Iterator<Item = u32> + Send> = match all {
                    true => Box::new(1..),
                    false => Box::new(shuffled(count, &mut dice).into_iter()),
                };
                lines.push(Line { syscall: syscall.clone(), harm: *harm, left, is_over: false });
            }
        }
        dice.shuffle(&mut lines);
        lines.sort_by_key(|line| !line.comes_first());
        Self { lines, all, drawn: 0, met: BTreeMap::new() }
    }

    /// What to try next. A sample takes every kill between two changes of a name, which are few and matter most; then
    /// it takes from every line in turn, so that many calls of one kind do not crowd out the few of another.
    pub fn next(&mut self) -> Option<Point> {
        if !self.all && self.drawn >= SAMPLE {
            return None;
        }
        while let Some(position) = self.lines.iter().position(|line| !line.is_over) {
            let mut line = self.lines.remove(position);
            let next = line.left.next();
            let point = next.map(|nth| Point { syscall: line.syscall.clone(), nth, harm: line.harm });
            if point.is_some() {
                let back_at = if !self.all && line.comes_first() { 0 } else { self.lines.len() };
                self.lines.insert(back_at, line);
                self.drawn += 1;
                return point;
            }
        }
        None
    }

    /// A point that no call met is behind the last call.
    pub fn note(&mut self, point: &Point, was_met: bool) {
        if was_met {
            *self.met.entry((point.harm, point.syscall.clone())).or_default() += 1;
        } else if self.all {
            let same = |line: &&mut Line| line.syscall == point.syscall && line.harm == point.harm;
            if let Some(line) = self.lines.iter_mut().find(same) {
                line.is_over = true;
            }
        }
    }

    /// How many points were tried so far.
    pub fn points_met(&self) -> usize {
        self.met.values().sum()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.all { "all".to_owned() } else { format!("a sample with seed {}", seed()) };
        write!(f, "{} points tried ({which}):", self.points_met())?;
        self.met.iter().try_for_each(|((harm, syscall), count)| write!(f, " {harm:?} {syscall} {count},"))
    }
}

fn shuffled(count: u32, dice: &mut Dice) -> Vec<u32> {
    let mut numbers: Vec<u32> = (1..=count).collect();
    dice.shuffle(&mut numbers);
    numbers
}
