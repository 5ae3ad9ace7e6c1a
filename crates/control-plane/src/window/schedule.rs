//! When a window opens, and for how long.
//!
//! `cron` names what clocks show; the zone makes instants of it:
//!
//! - what the clocks jump over happens at the first instant after the jump, once, however much of it they jump over;
//! - what they show twice happens the first time;
//! - the duration is elapsed time, whatever the clocks do meanwhile.

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::zone::{first_instant, minus, plus, zone};

/// The shortest and the longest a window may be open.
pub const DURATION_MS: std::ops::RangeInclusive<u64> = 60_000..=7 * 24 * 3_600_000;
const MAX_CRON: usize = 256;
const FIELDS: usize = 5;
const NAMES: [&str; 19] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", "SUN", "MON", "TUE",
    "WED", "THU", "FRI", "SAT",
];

/// Why there is no such schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSchedule {
    /// Not five fields of a cron expression.
    #[error(
        "`cron` must be five fields (minute, hour, day of the month, month, day of the week) of numbers, names, `*`, `,`, `-` and `/`, for example `0 2 * * SUN`: {0}"
    )]
    Cron(String),
    /// There is no such day.
    #[error("`cron` must fire at least once in four years, `{0}` never does: no such day comes in that time")]
    Never(String),
    /// Too short or too long.
    #[error(
        "`durationMs` must be {from} to {to} (1 minute to 7 days), it is {found}",
        from = DURATION_MS.start(),
        to = DURATION_MS.end()
    )]
    Duration {
        /// What was asked for.
        found: u64,
    },
    /// No such zone.
    #[error("{0}")]
    Zone(String),
}

/// From when until when: the start belongs to it, the end does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From then on.
    pub opens_at: Timestamp,
    /// No longer.
    pub closes_at: Timestamp,
}

impl Span {
    /// The instant lies in it.
    #[must_use]
    pub fn has(&self, at: Timestamp) -> bool {
        self.opens_at <= at && at < self.closes_at
    }
}

/// A cron expression in a zone, with a duration.
#[derive(Clone, Debug)]
pub struct Schedule {
    // Read as if all clocks showed UTC: what a zone makes of it is said above, and not left to a library.
    crontab: Crontab,
    cron: String,
    duration: SignedDuration,
    zone: TimeZone,
}

impl Schedule {
    /// Reads a schedule that still opens after `now`.
    ///
    /// # Errors
    /// One sentence: what was expected, what was found.
    pub fn read(cron: &str, duration_ms: u64, zone_name: &str, now: Timestamp) -> Result<Self, NoSchedule> {
        let zone = zone(zone_name).map_err(NoSchedule::Zone)?;
        if !DURATION_MS.contains(&duration_ms) {
            return Err(NoSchedule::Duration { found: duration_ms });
        }
        let duration = SignedDuration::from_millis(duration_ms.cast_signed());
        let cron = plain(cron)?;
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let crontab = cronexpr::parse_crontab_with(&cron, options).map_err(|e| {
            let said = e.to_string();
            let why = said.rsplit_once("^ ").map_or("it cannot be read", |(_, why)| why);
            NoSchedule::Cron(format!("{why} in `{cron}`"))
        })?;
        let schedule = Self { crontab, cron, duration, zone };
        match schedule.next(now) {
            Some(_) => Ok(schedule),
            None => Err(NoSchedule::Never(schedule.cron)),
        }
    }

    /// Its fields, with one space between them.
    #[must_use]
    pub fn cron(&self) -> &str {
        &self.cron
    }

    /// Where its clocks stand.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first time it opens after an instant, if that lies within four years.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Span> {
        let utc = |clock: jiff::civil::DateTime| TimeZone::UTC.to_timestamp(clock).ok();
        let mut shown = self.zone.to_datetime(after);
        loop {
            shown = self.crontab.find_next(utc(shown)?).ok()?.datetime();
            // While the clocks show an hour for the second time, what they show has happened before.
            let opens_at = first_instant(&self.zone, shown)?;
            if opens_at > after {
                return Some(Span { opens_at, closes_at: plus(opens_at, self.duration) });
            }
        }
    }

    /// The span an instant lies in, else the next one.
    #[must_use]
    pub fn now_or_next(&self, at: Timestamp) -> Option<Span> {
        self.next(minus(at, self.duration))
    }
}

/// The fields with one space between them, if a cron of any system would read them alike.
fn plain(cron: &str) -> Result<String, NoSchedule> {
    if cron.len() > MAX_CRON || !cron.bytes().all(|b| matches!(b, b' ' | b'\t') || b.is_ascii_graphic()) {
        return Err(NoSchedule::Cron(format!("it has something else, or more than {MAX_CRON} characters")));
    }
    let fields: Vec<&str> = cron.split_ascii_whitespace().collect();
    if fields.len() != FIELDS {
        return Err(NoSchedule::Cron(format!("`{cron}` has {}", fields.len())));
    }
    let words = cron.split(|c: char| !c.is_ascii_alphanumeric());
    let strange = words.filter(|word| !word.bytes().all(|b| b.is_ascii_digit())).find(|word| {
        let word = word.to_ascii_uppercase();
        !NAMES.contains(&word.as_str())
    });
    match strange {
        Some(word) => Err(NoSchedule::Cron(format!("`{word}` is neither a number nor a name"))),
        None if cron.contains('#') => Err(NoSchedule::Cron("`#` is none of these".to_owned())),
        None => Ok(fields.join(" ")),
    }
}
