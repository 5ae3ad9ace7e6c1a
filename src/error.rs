//! Errors by what the agent does about them.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use novacula_protocol::{Refusal, RefusalCode};

/// Why a step did not go through.
#[derive(Debug)]
pub enum Error {
    /// Nothing is wrong with the spec: ask again at the next sync.
    NotNow(String),
    /// This attempt ends here: report it and remember it.
    Refused(Refusal),
    /// The host failed at something it should be able to do.
    Host(HostError),
    /// A person changed their mind in time.
    Abandoned,
}

/// What the host could not do, and why.
#[derive(Debug)]
pub struct HostError {
    doing: String,
    source: Option<io::Error>,
}

impl Error {
    /// Shorthand for [`Error::Refused`].
    pub fn refused(code: RefusalCode, message: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(code, message))
    }

    /// A failure of the host without an operating system error behind it.
    pub fn host(sentence: impl Into<String>) -> Self {
        Self::Host(HostError { doing: sentence.into(), source: None })
    }
}

impl HostError {
    /// The code and sentence to report.
    #[must_use]
    pub fn into_refusal(self) -> Refusal {
        let code = if self.is_out_of_space() { RefusalCode::DiskFull } else { RefusalCode::HostFailure };
        Refusal::new(code, chain(&self))
    }

    /// The host said that we may not.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.kind() == io::ErrorKind::PermissionDenied)
    }

    fn is_out_of_space(&self) -> bool {
        self.source.as_ref().is_some_and(|source| {
            matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        })
    }
}

/// Says what was being done when an operating system error came back: `.doing(|| format!("write {path}"))`.
pub trait Doing<T> {
    /// `doing` completes the sentence "cannot …".
    ///
    /// # Errors
    /// [`Error::Host`] with the operating system's error as its source.
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| {
            Error::Host(HostError { doing: format!("cannot {}", doing()), source: Some(source.into()) })
        })
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNow(reason) => write!(f, "not now: {reason}"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Host(error) => error.fmt(f),
            Self::Abandoned => f.write_str("abandoned"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Host(error) => error.source(),
            _ => None,
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)
    }
}

impl StdError for HostError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// An error and everything behind it, joined once, in one line.
#[must_use]
pub fn chain(error: &dyn StdError) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        sentence.push_str(": ");
        sentence.push_str(&cause.to_string());
        source = cause.source();
    }
    sentence
}

/// Text that came from outside, safe to show: control characters, and what turns text around, become `?`.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if writes_to_the_terminal(c) { '?' } else { c }).collect()
}

/// JSON that says the same as `value` and is safe to show: what [`printable`] replaces is escaped.
#[must_use]
pub fn printable_json(value: &serde_json::Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        match writes_to_the_terminal(c) {
            // All of these have four digits.
            true => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => text.push(c),
        }
    }
    text
}

fn writes_to_the_terminal(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_joined_once_and_no_error_repeats_its_source() {
        let error = Err::<(), _>(io::Error::from(io::ErrorKind::PermissionDenied))
            .doing(|| "write /etc/x".to_owned())
            .unwrap_err();
        assert_eq!(error.to_string(), "cannot write /etc/x");
        assert_eq!(chain(&error), "cannot write /etc/x: permission denied");
    }

    #[test]
    fn json_that_is_safe_to_show_says_the_same() {
        let value = serde_json::json!({ "id": "\u{9b}2J\u{202e}\u{7f}\n\u{1b} хост" });
        let text = printable_json(&value);
        assert_eq!(printable(&text), text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_full_disk_has_a_code_of_its_own() {
        let code =
            |kind: io::ErrorKind| match Err::<(), _>(io::Error::from(kind)).doing(|| "write x".to_owned()) {
                Err(Error::Host(error)) => error.into_refusal().code,
                other => panic!("{other:?}"),
            };
        assert_eq!(code(io::ErrorKind::StorageFull), RefusalCode::DiskFull);
        assert_eq!(code(io::ErrorKind::Other), RefusalCode::HostFailure);
    }

    #[test]
    fn terminal_escapes_from_outside_are_defused() {
        assert_eq!(printable("a\x1b[31mb\u{202e}c\n"), "a?[31mb?c?");
    }
}
