//! A sync, held against the memory.

use std::sync::Arc;

use jiff::Timestamp;
use novacula_protocol::sync::{SyncRequest, UpgradeReport};
use uuid::Uuid;

use super::{Fleet, KeyHolder, Memory, Print};
use crate::executor::{Asks, IdentityRefused};
use crate::store::{Change, Changed, Step};
use crate::upgrade;

/// What a sync means to the memory.
#[derive(Debug)]
pub enum Heard {
    /// Nothing new; what it is asked to do.
    Known(Asks),
    /// Something that only has to be durable: it is true as soon as it is kept.
    Changed(Change),
    /// Something the store has to hear first.
    News,
}

impl Fleet {
    /// Holds a sync against the memory, and notes what is not durable of it; where it says nothing new, also its print.
    ///
    /// # Errors
    /// When key, name or kind do not fit.
    pub fn hear(
        &self,
        by: KeyHolder,
        said: &Arc<SyncRequest>,
        print: Option<Print>,
        now: Timestamp,
    ) -> Result<Heard, IdentityRefused> {
        let mut memory = self.memory();
        let Memory { keys, executors, heard, hashing, .. } = &mut *memory;
        let key = keys.at(by.place, by.key_id).ok_or(IdentityRefused::UnknownKey)?;
        if let Some(bound) = key.bound_name.as_deref().filter(|bound| **bound != said.name) {
            return Err(IdentityRefused::KeyBound { bound: bound.to_owned(), asked: said.name.clone() });
        }
        let Some(at) = key.executor else { return Ok(Heard::News) };
        let Some(entry) = executors.get_mut(at) else { return Ok(Heard::News) };
        if entry.common.kind != said.kind {
            let name = said.name.clone();
            return Err(IdentityRefused::KindMismatch { name, fixed: entry.common.kind, said: said.kind });
        }
        if entry.key_id != by.key_id {
            return Ok(Heard::News);
        }
        if !entry.knows(said) {
            if said.upgrade.is_some() || !entry.differs_plainly(said) {
                return Ok(Heard::News);
            }
            return Ok(Heard::Changed(entry.change(Changed::Facts(Arc::clone(said)), said.restarts, now)));
        }
        if let Some(report) = &said.upgrade {
            let has_settled = entry.has_settled(report, hashing);
            match entry.open.as_deref_mut() {
                Some(known) if upgrade::is_about(report, known) => {
                    let moved = upgrade::absorb(known, report, now);
                    if upgrade::is_durable_change(known, &moved) || !report.log.is_empty() {
                        if !upgrade::is_step(known, &moved) {
                            return Ok(Heard::News);
                        }
                        let step = Step { before: known.clone(), after: moved, lines: report.log.clone() };
                        let what = Changed::Step(Box::new(step));
                        return Ok(Heard::Changed(entry.change(what, said.restarts, now)));
                    }
                    let has_moved = upgrade::has_moved(known, &moved);
                    *known = moved;
                    if has_moved {
                        entry.stands_from(now);
                    }
                }
                // One that has ended may come back to life, and its history may lack its end: the store decides.
                _ if !has_settled => return Ok(Heard::News),
                _ => {}
            }
        }
        if entry.was_heard(said.restarts, now) {
            heard.push(at);
        }
        // What has a report is read each time: what it means depends on more than on the text.
        entry.said = print.filter(|_| said.upgrade.is_none() && said.preflight.is_empty());
        Ok(Heard::Known(entry.asks(now)))
    }

    /// Takes over a change that was kept, unless something newer has been already, and answers what its executor is asked
    /// to do.
    pub fn take_over(&self, change: Change) -> Asks {
        let Change { executor_id, revision, restarts, now, what } = change;
        let mut memory = self.memory();
        let nothing = Asks { upgrade: None, checks: Vec::new() };
        let Some(at) = memory.place(executor_id) else { return nothing };
        let Memory { executors, heard, commons, .. } = &mut *memory;
        let Some(entry) = executors.get_mut(at) else { return nothing };
        if entry.revision < revision {
            (entry.revision, entry.said) = (revision, None);
            match what {
                Changed::Facts(said) => entry.take_facts(&said, commons),
                Changed::Step(step) => entry.take_step(*step, now),
            }
            self.long_polls.ring(entry.key_id);
        }
        if entry.was_heard(restarts, now) {
            heard.push(at);
        }
        entry.asks(now)
    }

    /// Notes that an executor was heard, and that the store has taken its report.
    pub fn seen(&self, id: Uuid, restarts: u32, report: Option<&UpgradeReport>, now: Timestamp) {
        let mut memory = self.memory();
        let Some(at) = memory.place(id) else { return };
        let Memory { executors, heard, hashing, .. } = &mut *memory;
        let Some(entry) = executors.get_mut(at) else { return };
        if entry.was_heard(restarts, now) {
            heard.push(at);
        }
        if let Some(report) = report {
            entry.settle(report, hashing);
        }
    }
}

#[cfg(test)]
mod tests;
