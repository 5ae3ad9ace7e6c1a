//! What executors say anew, many at once: whatever has come in while the last commit was under way is kept with the next.
//!
//! Each change is held against the revision that the memory of the fleet knows: where another has been faster, nothing of it
//! is kept, and its sync goes the long way (see [`super::Store::sync`]).

mod batch;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use novacula_protocol::sync::{LogLine, SyncRequest};
use uuid::Uuid;

use super::events::{self, Event};
use crate::executor::Asks;
use crate::upgrade::Upgrade;

pub(super) use batch::Changes;

/// What a sync changes that no rule has to be asked about.
#[derive(Debug)]
pub struct Change {
    /// Whose sync.
    pub executor_id: Uuid,
    /// Of the executor, after it.
    pub revision: u64,
    /// As the executor says.
    pub restarts: u32,
    /// When it was heard.
    pub now: Timestamp,
    /// What has changed.
    pub what: Changed,
}

/// What of an executor has changed.
#[derive(Debug)]
pub enum Changed {
    /// What it says of itself that touches no rule: channel, target, labels and release keys.
    Facts(Arc<SyncRequest>),
    /// How far its upgrade is.
    Step(Box<Step>),
}

/// An upgrade between two places of its executor's work.
#[derive(Debug)]
pub struct Step {
    /// It stood there.
    pub before: Upgrade,
    /// It stands here.
    pub after: Upgrade,
    /// What its executor has written about it.
    pub lines: Vec<LogLine>,
}

/// Whoever remembers what was kept, before anybody else hears of it.
pub trait Remembers: Send + Sync + 'static {
    /// Takes it over, and answers what the executor is asked to do.
    fn remember(&self, change: Change) -> Asks;
}

impl Change {
    fn step(&self) -> Option<&Step> {
        match &self.what {
            Changed::Facts(_) => None,
            Changed::Step(step) => Some(step),
        }
    }

    fn facts(&self) -> Option<&SyncRequest> {
        match &self.what {
            Changed::Facts(said) => Some(said),
            Changed::Step(_) => None,
        }
    }

    /// What there is to tell of the upgrade.
    fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.step().into_iter().flat_map(|Step { before, after, lines }| {
            let moved = events::of_move(Some(before), after, self.now);
            moved.into_iter().chain(events::of_lines(after, after.shown.attempt, lines))
        })
    }
}
