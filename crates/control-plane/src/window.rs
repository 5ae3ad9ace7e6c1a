//! Pure: maintenance windows. An executor that no window selects is always open; one with windows is open while at
//! least one of them is.

pub mod schedule;
pub mod zone;

use jiff::Timestamp;
use novacula_protocol::people::{self, Opening, Selector, WindowRequest};
use uuid::Uuid;

pub use schedule::{NoSchedule, Schedule, Span};

use crate::{said, selector};

/// How many times that it opens are shown with a window.
pub const SHOWN: usize = 3;

/// How many openings are looked at for an end: windows that open one another for longer than that have none in sight.
const SIGHT: usize = 500;

/// One window as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its id; none in a preview.
    pub id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// Unique inside the account.
    pub name: String,
    /// For whom.
    pub selector: Selector,
    /// When it opens.
    pub cron: String,
    /// How long it stays open.
    pub duration_ms: u64,
    /// The zone in which `cron` is meant.
    pub zone: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

impl Window {
    /// Takes over what a person asks for, if it can be meant.
    ///
    /// # Errors
    /// One sentence: what was expected, what was found.
    pub fn set(&mut self, asked: WindowRequest, now: Timestamp) -> Result<Schedule, String> {
        said::name(&asked.name)?;
        selector::checked(&asked.selector)?;
        let schedule =
            Schedule::read(&asked.cron, asked.duration_ms, &asked.zone, now).map_err(|e| e.to_string())?;
        self.name = asked.name;
        self.selector = asked.selector;
        schedule.cron().clone_into(&mut self.cron);
        self.duration_ms = asked.duration_ms;
        self.zone = zone::name(schedule.zone());
        Ok(schedule)
    }

    /// When it opens.
    ///
    /// # Errors
    /// When the data about zones has changed so that it never opens again.
    pub fn schedule(&self, now: Timestamp) -> Result<Schedule, NoSchedule> {
        Schedule::read(&self.cron, self.duration_ms, &self.zone, now)
    }

    /// What people see.
    #[must_use]
    pub fn shown(&self, schedule: Option<&Schedule>, now: Timestamp) -> people::Window {
        let named: Vec<_> =
            schedule.map(|schedule| Named { name: &self.name, schedule }).into_iter().collect();
        people::Window {
            id: (!self.id.is_nil()).then(|| self.id.to_string()),
            name: self.name.clone(),
            selector: self.selector.clone(),
            cron: self.cron.clone(),
            duration_ms: self.duration_ms,
            zone: self.zone.clone(),
            created_by: self.created_by.clone(),
            created_at: self.created_at,
            is_open: !named.is_empty() && is_open(&named, now),
            closes_at: closes_at(&named, now),
            next: next(&named, now, SHOWN),
        }
    }
}

/// A schedule, and what people call it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// For people.
    pub name: &'a str,
    /// When it opens.
    pub schedule: &'a Schedule,
}

/// An upgrade may begin, as far as these windows go.
#[must_use]
pub fn is_open(windows: &[Named<'_>], now: Timestamp) -> bool {
    let is_open = |window: &Named<'_>| window.schedule.now_or_next(now).is_some_and(|span| span.has(now));
    windows.is_empty() || windows.iter().any(is_open)
}

/// When the last of those that are open now, or that open before it closes, has closed; `None` where nothing is open,
/// or no end is in sight.
#[must_use]
pub fn closes_at(windows: &[Named<'_>], now: Timestamp) -> Option<Timestamp> {
    let mut end = now;
    for _ in 0..SIGHT {
        let open =
            windows.iter().filter_map(|window| window.schedule.now_or_next(end)).filter(|span| span.has(end));
        match open.map(|span| span.closes_at).max() {
            Some(later) => end = later,
            None => return (end > now).then_some(end),
        }
    }
    None
}

/// The next times one of them opens, in order.
#[must_use]
pub fn next(windows: &[Named<'_>], now: Timestamp, count: usize) -> Vec<Opening> {
    let mut openings: Vec<_> = windows
        .iter()
        .flat_map(|window| {
            let after = |span: &Span| window.schedule.next(span.opens_at);
            std::iter::successors(window.schedule.next(now), after).take(count).map(|span| (span, *window))
        })
        .collect();
    openings.sort_by_key(|(span, _)| (span.opens_at, span.closes_at));
    openings.truncate(count);
    openings.into_iter().map(|(span, window)| shown(span, window)).collect()
}

fn shown(span: Span, window: Named<'_>) -> Opening {
    let zone = window.schedule.zone();
    Opening {
        opens_at: span.opens_at,
        closes_at: span.closes_at,
        opens_at_local: zone::local(zone, span.opens_at),
        closes_at_local: zone::local(zone, span.closes_at),
        zone: zone::name(zone),
        window: window.name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
