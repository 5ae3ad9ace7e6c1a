//! Zones by their IANA names, from the data that is built in: the same on every host.

use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, civil};

const MAX_NAME: usize = 64;

/// The zone of this name.
///
/// # Errors
/// One sentence: what was expected, what was found.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    static BUNDLED: OnceLock<TimeZoneDatabase> = OnceLock::new();
    let is_plain = name.len() <= MAX_NAME && name.bytes().all(|b| b.is_ascii_graphic());
    let bundled = BUNDLED.get_or_init(TimeZoneDatabase::bundled);
    let found = is_plain.then(|| bundled.get(name).ok()).flatten();
    found.filter(|zone| !zone.is_unknown()).ok_or_else(|| {
        let name: String = name.chars().take(MAX_NAME).collect();
        format!(
            "`zone` must be the IANA name of a time zone, for example Europe/Berlin or UTC, it is {name:?}"
        )
    })
}

/// The name of a zone as IANA writes it.
#[must_use]
pub fn name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

/// When the clocks of a zone show this for the first time; where they jump over it, the first instant after the jump.
#[must_use]
pub fn first_instant(zone: &TimeZone, clock: civil::DateTime) -> Option<Timestamp> {
    use jiff::tz::AmbiguousOffset::{Fold, Gap, Unambiguous};
    match zone.to_ambiguous_timestamp(clock).offset() {
        Unambiguous { offset } => offset.to_timestamp(clock).ok(),
        Fold { before, .. } => before.to_timestamp(clock).ok(),
        Gap { after, .. } => {
            let before_the_jump = after.to_timestamp(clock).ok()?;
            zone.following(before_the_jump).next().map(|jump| jump.timestamp())
        }
    }
}

/// An instant as the clocks of a zone show it, with their distance to UTC.
#[must_use]
pub fn local(zone: &TimeZone, at: Timestamp) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// An instant for people: as the clocks there show it, and in UTC.
#[must_use]
pub fn for_people(zone: &TimeZone, at: Timestamp) -> String {
    // People plan in seconds.
    let at = at.round(jiff::Unit::Second).unwrap_or(at);
    if *zone == TimeZone::UTC {
        at.to_string()
    } else {
        format!("{} in {} ({at})", local(zone, at), name(zone))
    }
}

/// `at` plus `length`, or the end of time.
#[must_use]
pub fn plus(at: Timestamp, length: SignedDuration) -> Timestamp {
    at.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// `at` minus `length`, or the start of time.
#[must_use]
pub fn minus(at: Timestamp, length: SignedDuration) -> Timestamp {
    at.checked_sub(length).unwrap_or(Timestamp::MIN)
}
