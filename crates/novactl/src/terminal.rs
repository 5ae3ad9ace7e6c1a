//! The only home of printing. Whatever is printed for people goes through [`clean`], so that no string that came
//! over the network can move the cursor, colour the screen or hide a line.

#![expect(clippy::disallowed_methods, reason = "the only home of printing")]

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use novacula_protocol::problem::ErrorBody;
use serde::Serialize;

use crate::ending::{Ending, Failure};

/// Where results, notes and bars go.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Results are JSON on stdout and failures are problem JSON on stderr.
    pub json: bool,
    /// A person watches: bars may be drawn.
    pub live: bool,
}

impl Terminal {
    /// A bar is drawn only where a person sees both streams; a script gets plain lines.
    pub fn new(json: bool) -> Self {
        let watched = io::stdout().is_terminal() && io::stderr().is_terminal();
        Self { json, live: watched && !json }
    }

    /// One line for people on stdout.
    pub fn line(&self, text: impl AsRef<str>) -> anyhow::Result<()> {
        self.bytes(format!("{}\n", clean(text.as_ref())).as_bytes())
    }

    /// Several lines for people on stdout, each behind `indent`.
    pub fn lines(&self, indent: &str, text: &str) -> anyhow::Result<()> {
        text.lines().try_for_each(|line| self.line(format!("{indent}{line}")))
    }

    /// That it is done: for machines by its id, for people in a sentence.
    pub fn done(&self, id: &str, sentence: impl AsRef<str>) -> anyhow::Result<()> {
        if self.json { self.json(&serde_json::json!({ "id": id })) } else { self.line(sentence) }
    }

    /// `name` and what it is, aligned with its siblings.
    pub fn fact(&self, name: &str, value: impl AsRef<str>) -> anyhow::Result<()> {
        self.line(format!("  {name:<14} {}", value.as_ref()))
    }

    /// Rows under a head, each column as wide as its widest cell.
    pub fn table<const COLUMNS: usize>(
        &self,
        head: [&str; COLUMNS],
        rows: &[[String; COLUMNS]],
    ) -> anyhow::Result<()> {
        let rows: Vec<[String; COLUMNS]> = std::iter::once(head.map(str::to_owned))
            .chain(rows.iter().cloned())
            .map(|row| row.map(|cell| clean(&cell)))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        for row in &rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    /// A whole table as text for a file; where it is shown instead, it is as harmless as the rest.
    pub fn table_text(&self, text: &str) -> anyhow::Result<()> {
        let harmless = |c: char| if is_unprintable(c) && !matches!(c, '\r' | '\n') { '\u{fffd}' } else { c };
        self.bytes(text.chars().map(harmless).collect::<String>().as_bytes())
    }

    /// A result for machines, laid out for the eye.
    pub fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.bytes(format!("{}\n", escaped(&serde_json::to_string_pretty(value)?)).as_bytes())
    }

    /// One of several results for machines: one line each.
    pub fn json_line(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.bytes(format!("{}\n", escaped(&serde_json::to_string(value)?)).as_bytes())
    }

    /// Bytes made here, for example a completion script.
    pub fn bytes(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write to stdout")
    }

    /// Something a person should know that is no result; under `--json` as `{"note": …}`, so that stderr stays JSON.
    pub fn note(&self, text: impl AsRef<str>) {
        let mut stderr = io::stderr().lock();
        let text = text.as_ref();
        // There is nobody left to tell when stderr is gone.
        let _ = if self.json {
            writeln!(stderr, "{}", escaped(&serde_json::json!({ "note": text }).to_string()))
        } else {
            writeln!(stderr, "novactl: {}", clean(text))
        };
    }

    /// Says why a command did not do what was asked, and how it ends.
    pub fn failure(&self, failure: &Failure) -> Ending {
        let mut stderr = io::stderr().lock();
        let written = if self.json {
            let body = ErrorBody { error: failure.problem.clone() };
            serde_json::to_string(&body)
                .map_err(io::Error::from)
                .and_then(|text| writeln!(stderr, "{}", escaped(&text)))
        } else {
            let start = if failure.ending == Ending::NothingToDo { "nothing to do: " } else { "error: " };
            writeln!(stderr, "{start}{}", clean(&failure.problem.message))
        };
        // The exit code still tells it when stderr is gone.
        let _ = written;
        failure.ending
    }

    /// A bar for bytes that go out or come in; invisible where nobody watches.
    pub fn bar(&self, total: u64) -> ProgressBar {
        if !self.live {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// How a bar looks while bytes move.
pub fn with_bytes(bar: &ProgressBar) {
    style(bar, "{spinner} {msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}");
}

/// How a bar looks while something else is awaited.
pub fn without_bytes(bar: &ProgressBar) {
    style(bar, "{spinner} {msg} {elapsed}");
}

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
}

/// One line that does nothing to a terminal but appear on it: what could move the cursor, start an escape sequence or
/// reverse the reading order is shown as `�`, white space as a space.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if is_unprintable(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// JSON that is as harmless on a terminal: the same value, with the characters that JSON allows but a terminal obeys
/// written as escapes. They can only stand inside strings.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unprintable(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// Control characters (C0, DEL, C1), line and paragraph separators, and the marks that change the reading order.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A string as both JSON and TOML write it, quotes included.
pub fn quoted(text: &str) -> String {
    escaped(&serde_json::Value::from(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        for hostile in [
            "\u{1b}[2J\u{1b}[1;1Hall is well",
            "\u{1b}]0;title\u{7}",
            "\u{9b}31mred",
            "one\rtwo",
            "one\ntwo",
            "\u{202e}desrever",
            "a\u{7f}\u{8}b",
        ] {
            let shown = clean(hostile);
            assert!(!shown.chars().any(is_unprintable), "{shown:?}");
            assert!(shown.contains('\u{fffd}'), "{shown:?}");
        }
        assert_eq!(clean("Grüße,\t1.0 → 1.1"), "Grüße, 1.0 → 1.1");
    }

    #[test]
    fn json_keeps_its_value_and_loses_its_power_over_a_terminal() {
        let hostile = "\u{9b}31m\u{7f}\u{202e}\u{1b}[2J ok";
        let text = escaped(&serde_json::to_string_pretty(&[hostile]).unwrap());
        assert!(!text.chars().any(|c| c != '\n' && is_unprintable(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [hostile]);
    }

    #[test]
    fn a_quoted_string_means_the_same_in_toml() {
        let hostile = "a\"\\\n\u{7f}\u{9b}\u{202e}é";
        let table: toml::Table = format!("name = {}", quoted(hostile)).parse().unwrap();
        assert_eq!(table["name"].as_str(), Some(hostile));
    }
}
