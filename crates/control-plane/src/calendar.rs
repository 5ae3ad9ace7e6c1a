//! Pure: whether an upgrade may begin now. All windows and freezes of all accounts, in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use novacula_protocol::people::{Wait, WaitCode};
use uuid::Uuid;

use crate::freeze::Freeze;
use crate::labels::Labels;
use crate::selector;
use crate::window::{Named, Schedule, Span, Window, zone};

/// The calendar that counts now. It is replaced whole, after the store has what is new in it.
#[derive(Default)]
pub struct LiveCalendar(RwLock<(u64, Arc<Calendar>)>);

/// All windows and freezes as they stand in the store.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Grows with every change, so that a late copy is known as one.
    pub revision: u64,
    /// Of all accounts.
    pub windows: Vec<Window>,
    /// Of all accounts; those that are over may be missing.
    pub freezes: Vec<Freeze>,
}

/// All windows and freezes, ready to be asked.
#[derive(Default)]
pub struct Calendar(HashMap<Uuid, Account>);

#[derive(Default)]
struct Account {
    windows: Vec<Entry>,
    freezes: Vec<Freeze>,
}

struct Entry {
    window: Window,
    /// None opens never again.
    schedule: Option<Schedule>,
    /// The span that an instant lies in or before, and that instant: it holds until the span is over.
    found: Mutex<Option<(Timestamp, Span)>>,
}

/// Why nothing may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A freeze is in force.
    Frozen {
        /// Which one ends last.
        freeze_id: Uuid,
        /// Why.
        reason: String,
        /// No longer.
        until: Timestamp,
        /// Where people want to read that.
        zone: TimeZone,
    },
    /// It has windows, and none is open.
    OutsideWindow {
        /// When the first of them opens; never, if the data about zones has changed so.
        opens_at: Option<Timestamp>,
        /// The name of the one that opens first.
        window: String,
        /// Where its clocks stand.
        zone: TimeZone,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frozen { reason, until, zone, .. } => {
                write!(f, "frozen until {}: {reason}", zone::for_people(zone, *until))
            }
            Self::OutsideWindow { opens_at: Some(opens_at), window, zone } => write!(
                f,
                "outside its maintenance windows: `{window}` opens at {}",
                zone::for_people(zone, *opens_at)
            ),
            Self::OutsideWindow { opens_at: None, window, .. } => {
                write!(
                    f,
                    "outside its maintenance windows: `{window}` does not open again, change or delete it"
                )
            }
        }
    }
}

/// What people are told an upgrade waits for.
impl From<&Stop> for Wait {
    fn from(stop: &Stop) -> Self {
        let code = match stop {
            Stop::Frozen { .. } => WaitCode::Frozen,
            Stop::OutsideWindow { .. } => WaitCode::OutsideWindow,
        };
        Self { code, message: stop.to_string(), upgrade_id: None }
    }
}

impl LiveCalendar {
    /// Begins with what the store holds.
    #[must_use]
    pub fn of(entries: Entries, now: Timestamp) -> Self {
        let calendar = Self::default();
        calendar.replace(entries, now);
        calendar
    }

    /// The one that counts now.
    #[must_use]
    pub fn read(&self) -> Arc<Calendar> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Takes what the store holds now, unless that is older than what is here.
    pub fn replace(&self, entries: Entries, now: Timestamp) {
        let revision = entries.revision;
        let calendar = Arc::new(Calendar::of(entries, now));
        let mut live = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if live.0 <= revision {
            *live = (revision, calendar);
        }
    }
}

impl Calendar {
    /// Reads every schedule once.
    #[must_use]
    pub fn of(entries: Entries, now: Timestamp) -> Self {
        let mut accounts: HashMap<Uuid, Account> = HashMap::new();
        for window in entries.windows {
            let schedule = window.schedule(now).ok();
            let entry = Entry { schedule, found: Mutex::default(), window };
            accounts.entry(entry.window.account_id).or_default().windows.push(entry);
        }
        for freeze in entries.freezes {
            accounts.entry(freeze.account_id).or_default().freezes.push(freeze);
        }
        Self(accounts)
    }

    /// Why nothing may begin now on an executor with these labels, if so. A freeze wins over every window.
    #[must_use]
    pub fn stops(&self, account_id: Uuid, labels: &Labels, now: Timestamp) -> Option<Stop> {
        let account = self.0.get(&account_id)?;
        let freezes = account.freezes.iter().filter(|freeze| freeze.is_in_force(now));
        let last =
            freezes.filter(|freeze| selector::takes(&freeze.selector, labels)).max_by_key(|f| f.ends_at);
        if let Some(freeze) = last {
            return Some(Stop::Frozen {
                freeze_id: freeze.id,
                reason: freeze.reason.clone(),
                until: freeze.ends_at,
                zone: zone::zone(&freeze.zone).unwrap_or(TimeZone::UTC),
            });
        }
        let mut first: Option<(Option<Timestamp>, &Entry)> = None;
        for entry in account.windows.iter().filter(|entry| selector::takes(&entry.window.selector, labels)) {
            let span = entry.now_or_next(now);
            if span.is_some_and(|span| span.has(now)) {
                return None;
            }
            let opens_at = span.map(|span| span.opens_at);
            let order = |at: Option<Timestamp>| at.unwrap_or(Timestamp::MAX);
            if first.is_none_or(|(known, _)| order(opens_at) < order(known)) {
                first = Some((opens_at, entry));
            }
        }
        first.map(|(opens_at, entry)| Stop::OutsideWindow {
            opens_at,
            window: entry.window.name.clone(),
            zone: entry.schedule.as_ref().map_or(TimeZone::UTC, |schedule| schedule.zone().clone()),
        })
    }

    /// The windows that select these labels, each with its schedule where it has one that still opens.
    #[must_use]
    pub fn windows(&self, account_id: Uuid, labels: &Labels) -> Vec<(&Window, Option<&Schedule>)> {
        let entries = self.0.get(&account_id).map(|account| account.windows.as_slice()).unwrap_or_default();
        let taken = entries.iter().filter(|entry| selector::takes(&entry.window.selector, labels));
        taken.map(|entry| (&entry.window, entry.schedule.as_ref())).collect()
    }

    /// The freezes that select these labels and are not over.
    #[must_use]
    pub fn freezes(&self, account_id: Uuid, labels: &Labels, now: Timestamp) -> Vec<&Freeze> {
        let freezes = self.0.get(&account_id).map(|account| account.freezes.as_slice()).unwrap_or_default();
        let ahead = freezes.iter().filter(|freeze| now < freeze.ends_at);
        ahead.filter(|freeze| selector::takes(&freeze.selector, labels)).collect()
    }
}

/// Those of the windows that still open, by their names.
#[must_use]
pub fn named<'a>(windows: &[(&'a Window, Option<&'a Schedule>)]) -> Vec<Named<'a>> {
    let with = |(window, schedule): &(&'a Window, Option<&'a Schedule>)| {
        schedule.map(|schedule| Named { name: &window.name, schedule })
    };
    windows.iter().filter_map(with).collect()
}

impl Entry {
    fn now_or_next(&self, now: Timestamp) -> Option<Span> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked_at, span)) = *found
            && asked_at <= now
            && now < span.closes_at
        {
            return Some(span);
        }
        let span = self.schedule.as_ref()?.now_or_next(now)?;
        *found = Some((now, span));
        Some(span)
    }
}

#[cfg(test)]
mod tests;
