//! Pictures that are drawn on the server: values that render themselves, each with what is to be seen in words, a legend
//! with the numbers, and the same numbers in a table. Colours never stand alone.
//!
//! ```text
//! Bars::new("waves", "How far each wave is", Unit("executor", "executors")).bar(Bar::new("canary", parts))
//! ```
//!
//! Only boxes are stretched to the room there is; letters keep their size on every screen.

mod bars;
mod share;
mod timeline;

pub(crate) use bars::{Bar, Bars, Part, folded};
pub(crate) use timeline::{Series, Timeline};

use super::words;

/// What is counted: one of it and many of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit(pub &'static str, pub &'static str);

impl Unit {
    /// `1 executor`, `12 executors`
    fn of(self, number: u64) -> String {
        words::counted(&number, self.0, self.1)
    }
}

/// A colour that stands for nothing but its place in a list; the eighth and all behind it share one.
pub(crate) fn colour(place: usize) -> &'static str {
    const CLASSES: [&str; 8] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];
    CLASSES[place.min(CLASSES.len() - 1)]
}

#[cfg(test)]
mod tests;
