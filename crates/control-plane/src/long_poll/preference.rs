//! Pure: the preference `wait` of RFC 7240, in whole seconds. What cannot be read is no preference.

use axum::http::HeaderMap;

use super::{MOST_S, PREFER};

/// How long the caller prefers to wait, at most as long as we let anybody; `None` where it does not.
pub(super) fn wait_s(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all(PREFER).iter().filter_map(|line| line.to_str().ok());
    // Of a preference that stands more than once the first one counts.
    let value = lines.flat_map(|line| line.split(',')).find_map(wait)?;
    let is_number = !value.is_empty() && value.bytes().all(|c| c.is_ascii_digit());
    // A number too long to be read is long in any case.
    let seconds = is_number.then(|| value.parse().unwrap_or(u64::MAX).min(MOST_S))?;
    (seconds > 0).then_some(seconds)
}

/// What stands behind `wait=`; parameters of a preference begin with a semicolon.
fn wait(preference: &str) -> Option<&str> {
    let (token, value) = preference.split(';').next()?.split_once('=')?;
    let value = value.trim();
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    token.trim().eq_ignore_ascii_case("wait").then_some(unquoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preference_is_read_as_the_rfc_writes_it_and_anything_else_is_none() {
        for (lines, expected) in [
            (&["wait=25"][..], Some(25)),
            (&["Wait = \"25\""], Some(25)),
            (&["respond-async, wait=10; foo=bar"], Some(10)),
            (&["return=minimal", "wait=7"], Some(7)),
            (&["wait=5, wait=30"], Some(5)),
            (&["wait=61"], Some(60)),
            (&["wait=99999999999999999999999"], Some(60)),
            (&["wait=0"], None),
            (&["wait=-1"], None),
            (&["wait=1.5"], None),
            (&["wait=x, wait=30"], None),
            (&["wait"], None),
            (&["wait="], None),
            (&["await=10"], None),
            (&["foo;wait=10"], None),
            (&[""], None),
            (&[], None),
        ] {
            let headers = lines.iter().map(|line| (PREFER, line.parse().unwrap())).collect();
            assert_eq!(wait_s(&headers), expected, "{lines:?}");
        }
    }
}
