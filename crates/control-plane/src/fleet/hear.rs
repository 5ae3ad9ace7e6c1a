//! A sync, held against the memory.

use jiff::Timestamp;
use novacula_protocol::sync::{SyncRequest, UpgradeReport};
use uuid::Uuid;

use super::{Fleet, KeyHolder, Memory};
use crate::executor::{Asks, IdentityRefused};
use crate::store::Change;
use crate::upgrade;

/// What a sync means to the memory.
#[derive(Debug)]
pub enum Heard {
    /// Nothing new; what it is asked to do.
    Known(Asks),
    /// Something that only has to be durable: it is true as soon as it is kept.
    Changed(Box<Change>),
    /// Something the store has to hear first.
    News,
}

impl Fleet {
    /// Holds a sync against the memory, and notes what is not durable of it.
    ///
    /// # Errors
    /// When key, name or kind do not fit.
    pub fn hear(&self, by: KeyHolder, said: &SyncRequest, now: Timestamp) -> Result<Heard, IdentityRefused> {
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
            let mut after = entry.snapshot();
            after.executor.hear(said);
            (after.executor.revision, after.executor.restarts) = (entry.revision + 1, said.restarts);
            return Ok(Heard::Changed(Box::new(Change { after, before: None, lines: Vec::new(), now })));
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
                        let before = Some(Box::new(known.clone()));
                        let mut after = entry.snapshot();
                        after.upgrade = Some(moved);
                        (after.executor.revision, after.executor.restarts) =
                            (entry.revision + 1, said.restarts);
                        let lines = report.log.clone();
                        return Ok(Heard::Changed(Box::new(Change { after, before, lines, now })));
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
        let upgrade = entry.open.as_ref().filter(|open| open.is_offered(now)).cloned();
        Ok(Heard::Known(Asks { upgrade, checks: entry.checks().to_vec() }))
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
