//! Standing columns over days.

use askama::Template;
use askama::filters::HtmlSafe;
use jiff::civil::Date;

use super::Unit;
use super::share::{WHOLE, lengths, round_up};
use crate::pages::words;

/// A column is so wide, with its gap, in the units of its drawing.
const STEP: usize = 10;
const WIDTH: usize = 8;
/// The most days that are written under the columns: at 300 px each has room for its letters.
const LABELS: usize = 4;

/// What happened on each of some days, stacked; the days follow each other.
#[derive(Clone, Debug, Template)]
#[template(path = "picture/timeline.html")]
pub(crate) struct Timeline {
    /// Unique on the page.
    id: String,
    title: String,
    unit: Unit,
    days: Vec<Date>,
    /// Stacked, the first at the bottom.
    series: Vec<Series>,
    /// Stands in the table only.
    beside: Vec<Series>,
}

/// Its template escapes what it shows.
impl HtmlSafe for Timeline {}

/// One kind of thing that happened, with its number for each day.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub name: &'static str,
    /// One of `c1`…`c8` or `fill-…`.
    pub class: &'static str,
    pub values: Vec<u64>,
}

impl Series {
    fn at(&self, day: &usize) -> u64 {
        self.values.get(*day).copied().unwrap_or(0)
    }

    fn total(&self) -> u64 {
        self.values.iter().copied().fold(0, u64::saturating_add)
    }
}

/// A box of a column.
struct Piece<'a> {
    series: &'a Series,
    value: u64,
    y: u64,
    height: u64,
}

/// A day under the columns.
struct Label {
    day: String,
    /// Of the width, in percent.
    at: usize,
    anchor: &'static str,
}

impl Timeline {
    /// `id` is unique on the page and plain: letters, digits and dashes.
    pub(crate) fn new(id: impl Into<String>, title: impl Into<String>, unit: Unit, days: Vec<Date>) -> Self {
        Self { id: id.into(), title: title.into(), unit, days, series: Vec::new(), beside: Vec::new() }
    }

    /// Stacks it upon those before.
    pub(crate) fn stacked(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Only among the numbers.
    pub(crate) fn beside(mut self, series: Series) -> Self {
        self.beside.push(series);
        self
    }

    fn total(&self, day: usize) -> u64 {
        self.series.iter().map(|series| series.at(&day)).fold(0, u64::saturating_add)
    }

    /// The round number at the top.
    fn top(&self) -> u64 {
        round_up((0..self.days.len()).map(|day| self.total(day)).max().unwrap_or(0))
    }

    fn width(&self) -> usize {
        self.days.len().max(1) * STEP
    }

    fn x(&self, day: &usize) -> usize {
        day * STEP + (STEP - WIDTH) / 2
    }

    fn column(&self, day: &usize) -> Vec<Piece<'_>> {
        let numbers: Vec<u64> = self.series.iter().map(|series| series.at(day)).collect();
        let whole = u128::from(self.total(*day)) * u128::from(WHOLE) / u128::from(self.top());
        let shown = numbers.iter().filter(|number| **number > 0).count() as u64;
        // A single upgrade is seen beside a day with thousands.
        let height = u64::try_from(whole).unwrap_or(WHOLE).max(shown * 20).min(WHOLE);
        let mut y = WHOLE;
        let pieces = self.series.iter().zip(lengths(&numbers, height)).filter(|(_, height)| *height > 0);
        let pieces = pieces.map(|(series, height)| {
            y -= height;
            Piece { series, value: series.at(day), y, height }
        });
        pieces.collect()
    }

    /// The last day, and every so many before it.
    fn labels(&self) -> Vec<Label> {
        let Some(last) = self.days.len().checked_sub(1) else { return Vec::new() };
        let labels = self.days.iter().enumerate().rev().step_by(self.days.len().div_ceil(LABELS));
        let labels = labels.map(|(place, day)| {
            let (at, anchor) = match place {
                _ if last == 0 => (50, "middle"),
                0 => (0, "start"),
                _ if place == last => (100, "end"),
                _ => ((2 * place + 1) * 50 / (last + 1), "middle"),
            };
            Label { day: short(day), at, anchor }
        });
        labels.rev().collect()
    }

    /// What is to be seen, in words.
    fn seen(&self) -> String {
        let (Some(first), Some(last)) = (self.days.first(), self.days.last()) else {
            return "No days.".to_owned();
        };
        let span = format!("{} to {}", exact(first), exact(last));
        let busiest = (0..self.days.len()).rev().max_by_key(|day| self.total(*day)).unwrap_or(0);
        if self.total(busiest) == 0 {
            return format!("{span}: no {}.", self.unit.1);
        }
        let totals: Vec<String> = self
            .series
            .iter()
            .map(|series| format!("{}: {}", series.name, words::count(&series.total())))
            .collect();
        let (most, when) = (self.unit.of(self.total(busiest)), exact(&self.days[busiest]));
        format!("{span}. {}. The busiest day was {when}, with {most}.", totals.join("; "))
    }

    /// What hovers over a piece.
    fn hover(&self, day: &usize, piece: &Piece<'_>) -> String {
        format!("{}: {} {}", exact(&self.days[*day]), words::count(&piece.value), piece.series.name)
    }

    fn is_empty(&self) -> bool {
        self.series.iter().chain(&self.beside).all(|series| series.total() == 0)
    }
}

/// `21 Nov`
fn short(day: &Date) -> String {
    day.strftime("%-d %b").to_string()
}

/// `21 Nov 2026`
fn exact(day: &Date) -> String {
    day.strftime("%-d %b %Y").to_string()
}
