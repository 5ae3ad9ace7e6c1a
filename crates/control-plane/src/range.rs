//! Pure: which bytes of an artifact a request asks for (RFC 9110, section 14).

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// 200 with everything.
    Whole,
    /// 206 with these bytes, both ends included.
    Part {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// 416.
    Unsatisfiable,
}

/// Reads `Range` and `If-Range` against an artifact of `size` bytes that is known as `etag`.
///
/// What a server may ignore is ignored: several ranges, other units, and anything that cannot be read.
#[must_use]
pub fn wanted(range: Option<&str>, if_range: Option<&str>, etag: &str, size: u64) -> Wanted {
    // A date never matches: artifacts are known by their bytes only.
    if if_range.is_some_and(|known| known.trim() != etag) {
        return Wanted::Whole;
    }
    let Some((first, last)) = range.and_then(|range| range.trim().strip_prefix("bytes=")).and_then(ends)
    else {
        return Wanted::Whole;
    };
    let (first, last) = match (first, last) {
        (Some(first), Some(last)) if last < first => return Wanted::Whole,
        (Some(first), last) => (first, last.unwrap_or(u64::MAX)),
        (None, Some(0)) => return Wanted::Unsatisfiable,
        (None, Some(suffix)) => (size.saturating_sub(suffix), u64::MAX),
        (None, None) => return Wanted::Whole,
    };
    match size.checked_sub(1) {
        Some(end) if first <= end => Wanted::Part { first, last: last.min(end) },
        _ => Wanted::Unsatisfiable,
    }
}

fn ends(range: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = range.split_once('-')?;
    Some((number(first)?, number(last)?))
}

fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    if !text.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    // More digits than fit are still a number: one behind every end.
    Some(Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let part = |first, last| Wanted::Part { first, last };
        for (sentence, range, expected) in [
            ("no range", None, Wanted::Whole),
            ("the first byte", Some("bytes=0-0"), part(0, 0)),
            ("from the middle on", Some("bytes=40-"), part(40, 99)),
            ("the last ten", Some("bytes=-10"), part(90, 99)),
            ("more than there is, from the end", Some("bytes=-1000"), part(0, 99)),
            ("an end behind the end", Some("bytes=90-200"), part(90, 99)),
            ("more digits than a number holds", Some("bytes=90-99999999999999999999999"), part(90, 99)),
            ("from behind the end", Some("bytes=100-"), Wanted::Unsatisfiable),
            ("the last none", Some("bytes=-0"), Wanted::Unsatisfiable),
            ("the wrong way round", Some("bytes=9-3"), Wanted::Whole),
            ("two ranges", Some("bytes=0-1,5-6"), Wanted::Whole),
            ("another unit", Some("lines=0-1"), Wanted::Whole),
            ("a sign", Some("bytes=+1-5"), Wanted::Whole),
            ("nothing at all", Some("bytes=-"), Wanted::Whole),
        ] {
            assert_eq!(wanted(range, None, "\"a\"", 100), expected, "{sentence}");
        }
        assert_eq!(wanted(Some("bytes=0-"), None, "\"a\"", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn a_part_of_other_bytes_is_never_given() {
        assert_eq!(wanted(Some("bytes=5-"), Some("\"a\""), "\"a\"", 9), Wanted::Part { first: 5, last: 8 });
        assert_eq!(wanted(Some("bytes=5-"), Some("\"b\""), "\"a\"", 9), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=5-"), Some("W/\"a\""), "\"a\"", 9), Wanted::Whole);
        assert_eq!(
            wanted(Some("bytes=5-"), Some("Wed, 21 Oct 2026 07:28:00 GMT"), "\"a\"", 9),
            Wanted::Whole
        );
    }
}
