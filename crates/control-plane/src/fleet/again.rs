//! Syncs that say to the byte what the one before said: nearly all. Once such a text has been read and found to say
//! nothing new, it is known by its print, and not read again until anything changes.

use std::hash::BuildHasher as _;
use std::num::NonZeroU64;

use jiff::Timestamp;
use semver::Version;

use super::entry::Entry;
use super::{Fleet, KeyHolder, Memory};
use crate::executor::Asks;

/// What tells a text from all others that the same executor sends; in another process it is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print(NonZeroU64);

impl Fleet {
    /// The print of a text.
    pub(crate) fn print(&self, text: &[u8]) -> Option<Print> {
        NonZeroU64::new(self.printing.hash_one(text)).map(Print)
    }

    /// Hears the same as before: what the executor is asked to do, and which version it runs. `None` where the text has
    /// to be read.
    pub(crate) fn hear_again(&self, by: KeyHolder, print: Print, now: Timestamp) -> Option<(Asks, Version)> {
        let mut memory = self.memory();
        let Memory { keys, executors, heard, .. } = &mut *memory;
        let at = keys.at(by.place, by.key_id)?.executor?;
        let entry = executors.get_mut(at)?;
        if entry.key_id != by.key_id || entry.said != Some(print) {
            return None;
        }
        if entry.was_heard(entry.restarts, now) {
            heard.push(at);
        }
        Some((entry.asks(now), entry.common.version.clone()))
    }
}

impl Entry {
    /// What its executor is asked to do.
    pub(super) fn asks(&self, now: Timestamp) -> Asks {
        let upgrade = self.open.as_ref().filter(|open| open.is_offered(now)).cloned();
        Asks { upgrade, checks: self.checks().to_vec() }
    }
}

#[cfg(test)]
mod tests;
