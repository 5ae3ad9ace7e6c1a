//! Pure: a sentence of the API as a page shows it. What stands in backticks for a terminal is a name here, and a time that
//! a program can read is one that a person can.

use std::fmt::{self, Display, Formatter, Write as _};

use askama::filters::HtmlSafe;
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::{sentence, to_the_minute};

/// See [`told`].
pub(crate) struct Told(String);

/// A message as a sentence with names and times; everything in it is escaped.
pub(crate) fn told(message: impl AsRef<str>) -> Told {
    Told(sentence(message.as_ref()))
}

/// Everything that is not markup of ours went through [`escape`].
impl HtmlSafe for Told {}

impl Display for Told {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_str();
        while let Some((before, name, after)) = name_in(rest) {
            plain(f, before)?;
            f.write_str("<code>")?;
            escape(f, name)?;
            f.write_str("</code>")?;
            rest = after;
        }
        plain(f, rest)
    }
}

/// The next name between backticks, and what stands before and after it.
fn name_in(text: &str) -> Option<(&str, &str, &str)> {
    let (before, opened) = text.split_once('`')?;
    let (name, after) = opened.split_once('`')?;
    (!name.is_empty()).then_some((before, name, after))
}

/// Words between names: those that are times are said as people say them.
fn plain(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let core = word.trim_matches(['(', ')', ',', ';', ':', '.']);
        match time(core) {
            Some(said) => {
                let at = word.find(core).unwrap_or_default();
                escape(f, &word[..at])?;
                escape(f, &said)?;
                escape(f, &piece[at + core.len()..])?;
            }
            None => escape(f, piece)?,
        }
    }
    Ok(())
}

/// A moment in UTC says so; one on a wall somewhere is followed by where.
fn time(word: &str) -> Option<String> {
    if !word.contains('T') {
        return None;
    }
    let at: Timestamp = word.parse().ok()?;
    if word.ends_with('Z') {
        return Some(to_the_minute(&at));
    }
    let wall: DateTime = word.get(..19)?.parse().ok()?;
    Some(wall.strftime("%-d %b %Y, %H:%M").to_string())
}

fn escape(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '<' => f.write_str("&lt;")?,
            '>' => f.write_str("&gt;")?,
            '&' => f.write_str("&amp;")?,
            '"' => f.write_str("&quot;")?,
            '\'' => f.write_str("&#39;")?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_as_a_sentence_with_names_and_times() {
        for (message, expected) in [
            ("there is no such upgrade", "There is no such upgrade."),
            ("wave `canary` is under way", "Wave <code>canary</code> is under way."),
            ("`a` and `b`, not ``", "<code>a</code> and <code>b</code>, not ``."),
            ("an open ` stays", "An open ` stays."),
            ("it soaks until 2026-09-21T14:16:00Z", "It soaks until 21 Sep 2026, 14:16 UTC."),
            (
                "frozen until 2100-01-01T01:00:00+01:00 in Europe/Berlin (2100-01-01T00:00:00Z): the roof leaks",
                "Frozen until 1 Jan 2100, 01:00 in Europe/Berlin (1 Jan 2100, 00:00 UTC): the roof leaks.",
            ),
            ("2026-99-99T99:99:99Z is no time", "2026-99-99T99:99:99Z is no time."),
            ("", ""),
        ] {
            assert_eq!(told(message).to_string(), expected, "{message}");
        }
    }

    #[test]
    fn nothing_in_a_message_is_markup() {
        let hostile = "\"><script>alert(1)</script>&'";
        let escaped = "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;";
        let message = format!("x {hostile} `{hostile}` {hostile}");
        let expected = format!("X {escaped} <code>{escaped}</code> {escaped}.");
        assert_eq!(told(message).to_string(), expected);
    }
}
