//! Pure: how things are said on a page.

mod told;

pub(crate) use told::told;

use std::fmt::{self, Display, Formatter};

use askama::filters::HtmlSafe;
use jiff::{SignedDuration, Timestamp};
use novacula_protocol::Stage;

/// A time as people read it: how long ago or how soon, with the exact time on hover.
pub(crate) struct When {
    at: Timestamp,
    now: Timestamp,
}

/// See [`When`].
pub(crate) fn when(now: &Timestamp, at: &Timestamp) -> When {
    When { at: *at, now: *now }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (at, exact) = (self.at, exact(&self.at));
        let said = relative(self.now, self.at);
        write!(f, r#"<time datetime="{at}" title="{exact}">{said}</time>"#)
    }
}

/// It writes its own markup around what needs no escaping.
impl HtmlSafe for When {}

/// `21 Nov 2026, 20:47:34 UTC`
pub(crate) fn exact(at: &Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M:%S UTC").to_string()
}

/// `21 Nov 2026, 20:47 UTC`
pub(crate) fn to_the_minute(at: &Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// As a field of date and time wants it, in UTC.
pub(crate) fn as_field(at: &Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Coarse on purpose: a page that nothing happens to stays as it is.
fn relative(now: Timestamp, at: Timestamp) -> String {
    let span = at.duration_since(now);
    let seconds = span.abs().as_secs();
    if seconds < 60 {
        return if span.is_positive() { "in a moment" } else { "just now" }.to_owned();
    }
    let said = rough(seconds);
    if span.is_positive() { format!("in {said}") } else { format!("{said} ago") }
}

fn rough(seconds: i64) -> String {
    match seconds {
        0..120 => "1 min".to_owned(),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `90 s`, `15 min`, `36 h`, `14 days`
pub(crate) fn span(ms: &u64) -> String {
    let seconds = i64::try_from(*ms / 1_000).unwrap_or(i64::MAX);
    if seconds < 120 { format!("{seconds} s") } else { rough(seconds) }
}

/// From then to then.
pub(crate) fn took(from: &Timestamp, to: &Timestamp) -> String {
    let took = to.duration_since(*from).max(SignedDuration::ZERO);
    span(&u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

/// `2.9 MB`: as tools for people say it, with a comma of thousands nowhere.
pub(crate) fn bytes(count: &u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match UNITS.into_iter().find(|(_, unit)| count >= unit) {
        Some((name, unit)) => {
            let tenths = u128::from(*count) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{count} bytes"),
    }
}

/// `12,345`
pub(crate) fn count(number: &u64) -> String {
    let digits = number.to_string();
    let mut said = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    said
}

/// `1 executor`, `12 executors`
pub(crate) fn counted(number: &u64, one: &str, many: &str) -> String {
    if *number == 1 { format!("1 {one}") } else { format!("{} {many}", count(number)) }
}

/// `one of us must do it` as a sentence stands: with a capital, and a full stop.
pub(crate) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    // What begins with a name in quotes keeps it as it is written.
    let head: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let said = format!("{head}{}", letters.as_str());
    if said.is_empty() || said.ends_with(['.', '!', '?', '…']) { said } else { said + "." }
}

/// A stage as people say it.
pub(crate) fn stage(stage: &Stage) -> &'static str {
    match stage {
        Stage::ConfirmStart => "Waiting to start",
        Stage::Preflight => "Checking the host",
        Stage::Download => "Downloading",
        Stage::Verify => "Verifying",
        Stage::Swap => "Swapping",
        Stage::Restart => "Restarting",
        Stage::CheckHealth => "On trial",
        Stage::ConfirmCompletion => "Waiting for a person",
        Stage::Completed => "Completed",
        Stage::RolledBack => "Rolled back",
        Stage::Abandoned => "Abandoned",
        Stage::Failed => "Failed",
    }
}

/// The query of a link, escaped.
pub(crate) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_says_how_long_ago_it_was_and_exactly_when() {
        let now: Timestamp = "2026-11-21T20:47:34Z".parse().unwrap();
        for (at, expected) in [
            ("2026-11-21T20:47:34Z", "just now"),
            ("2026-11-21T20:46:35Z", "just now"),
            ("2026-11-21T20:46:34Z", "1 min ago"),
            ("2026-11-21T20:47:40Z", "in a moment"),
            ("2026-11-21T18:48:00Z", "119 min ago"),
            ("2026-11-21T23:47:34Z", "in 3 h"),
            ("2026-11-01T00:00:00Z", "20 days ago"),
        ] {
            assert_eq!(relative(now, at.parse().unwrap()), expected, "{at}");
        }
        assert_eq!(
            when(&now, &"2026-11-21T20:46:34Z".parse().unwrap()).to_string(),
            r#"<time datetime="2026-11-21T20:46:34Z" title="21 Nov 2026, 20:46:34 UTC">1 min ago</time>"#
        );
    }

    #[test]
    fn numbers_are_said_as_people_read_them() {
        assert_eq!(
            [0, 999, 1_000, 2_899_968, 1_250_000_000].map(|n| bytes(&n)).join(" · "),
            "0 bytes · 999 bytes · 1.0 kB · 2.8 MB · 1.2 GB"
        );
        assert_eq!([0, 999, 1_000, 1_234_567].map(|n| count(&n)).join(" · "), "0 · 999 · 1,000 · 1,234,567");
        assert_eq!(
            [5_000, 90_000, 900_000, 129_600_000, 1_209_600_000].map(|ms| span(&ms)).join(" · "),
            "5 s · 90 s · 15 min · 36 h · 14 days"
        );
        assert_eq!(counted(&1, "executor", "executors"), "1 executor");
        assert_eq!(counted(&0, "executor", "executors"), "0 executors");
    }

    #[test]
    fn a_refusal_stands_on_a_page_as_a_sentence() {
        assert_eq!(sentence("there is no such upgrade"), "There is no such upgrade.");
        assert_eq!(sentence("wait 3 s, then try again."), "Wait 3 s, then try again.");
        assert_eq!(sentence("`version` must be `1.2.3`"), "`version` must be `1.2.3`.");
    }

    #[test]
    fn a_query_cannot_break_out_of_its_link() {
        assert_eq!(query([("label", "a=b&c"), ("q", "\"><script>")]), "label=a%3Db%26c&q=%22%3E%3Cscript%3E");
    }
}
