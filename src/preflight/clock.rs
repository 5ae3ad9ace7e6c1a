//! The clock of this host against the control plane's. No upgrade is judged by it; TLS is.

use jiff::{SignedDuration, Timestamp};

use super::Looking;
use crate::error::Error;

/// A clock that is off by less is good enough for every certificate.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// An answer of the control plane, and what the clock of this host said around it.
pub(super) struct Answer {
    pub before: Timestamp,
    /// The `Date` of the answer.
    pub date: Option<Timestamp>,
    pub after: Timestamp,
}

pub(super) fn right(looking: &Looking<'_>) -> Result<String, Error> {
    let Ok(answer) = looking.health() else {
        return Err(Error::host(
            "the clock cannot be compared, the control plane does not answer; TLS fails under a wrong clock, so look at \
             it yourself: date",
        ));
    };
    let Some(date) = answer.date else {
        return Err(Error::host("the clock cannot be compared, the control plane's answer bears no date"));
    };
    let off = off_by(answer.before, date, answer.after);
    let seconds = off.as_secs().abs();
    let direction = if off.is_negative() { "slow" } else { "fast" };
    match off.abs() <= TOLERANCE {
        true => Ok("the clock agrees with the control plane's to within five minutes".to_owned()),
        false => Err(Error::host(format!(
            "the clock must agree with the control plane's to within five minutes, it is {seconds} s {direction}; TLS \
             fails under a wrong clock, while upgrades are judged by the control plane's"
        ))),
    }
}

/// How far the clock of this host is ahead of `date`, at least: the answer was dated somewhere between the two looks.
fn off_by(before: Timestamp, date: Timestamp, after: Timestamp) -> SignedDuration {
    if date < before {
        return before.duration_since(date);
    }
    if date > after {
        return after.duration_since(date);
    }
    SignedDuration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_the_time_the_answer_took_counts_as_a_difference() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (before, date, after, expected) in
            [(100, 105, 110, 0), (100, 90, 110, 10), (100, 130, 110, -20), (110, 105, 100, 5)]
        {
            assert_eq!(off_by(at(before), at(date), at(after)), SignedDuration::from_secs(expected));
        }
    }
}
