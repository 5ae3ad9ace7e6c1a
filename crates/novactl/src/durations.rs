//! Durations as people write them: `60s`, `24h`, `7d`, `1h 30m`.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// Reads a duration of at least a millisecond; a day has 24 hours here.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a duration like 60s, 30m, 24h or 7d, found `{text}`");
    let span: Span = text.parse().map_err(|_| expected())?;
    let signed: SignedDuration =
        span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| expected())?;
    Duration::try_from(signed).ok().filter(|length| length.as_millis() > 0).ok_or_else(expected)
}

/// Whole milliseconds, as the wire has them.
pub fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("60s", 60),
            ("30m", 1_800),
            ("24h", 86_400),
            ("7d", 604_800),
            ("1h 30m", 5_400),
            ("1h30m", 5_400),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("500ms").map(millis), Ok(500));
    }

    #[test]
    fn what_is_no_length_of_time_is_said_back() {
        for text in ["", "60", "-5s", "0s", "1 month", "soon", "9999999999999999999h"] {
            let refused = duration(text).unwrap_err();
            assert!(refused.contains(&format!("found `{text}`")), "{refused}");
        }
    }
}
