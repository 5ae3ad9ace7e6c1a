//! What the control plane remembers of every executor, so that an unchanged sync costs no durable write.
//!
//! A copy of the store that is never ahead of it: changes come in as snapshots after their commit, and the revision
//! tells a late one from a new one. Only four things live here first: when an executor was last heard, how often its
//! service started, how many bytes it has, and since when its upgrade stands where it stands. The last lives nowhere
//! else: a control plane that was down has heard nobody, so with it every deadline begins anew.

mod look;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use novacula_protocol::Stage;
use novacula_protocol::people::{self, Presence};
use novacula_protocol::sync::SyncRequest;
use uuid::Uuid;

use crate::executor::{Asks, Executor, IdentityRefused, Snapshot};
use crate::key::ExecutorKey;
use crate::metrics::Census;
use crate::presence::presence;
use crate::secrets::SecretHash;
use crate::store::LastSeen;
use crate::upgrade::{self, Upgrade};

/// The memory of the fleet. Its lock is held for a look or a note, never while waiting for anything.
#[derive(Default)]
pub struct Fleet(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// Which key a secret stands for, and until when.
    secrets: HashMap<SecretHash, (Uuid, Option<Timestamp>)>,
    keys: HashMap<Uuid, Key>,
    executors: HashMap<Uuid, Entry>,
    names: BTreeMap<(Uuid, String), Uuid>,
    with_open_upgrade: HashSet<Uuid>,
    /// A snapshot that was on its way when its executor was deleted must not bring it back.
    deleted: HashSet<Uuid>,
}

struct Key {
    account_id: Uuid,
    bound_name: Option<String>,
    executor_id: Option<Uuid>,
    secrets: Vec<SecretHash>,
}

struct Entry {
    snapshot: Snapshot,
    was_heard_since_kept: bool,
    stands_since: Timestamp,
}

/// A live key, as an executor presents it.
#[derive(Clone, Copy, Debug)]
pub struct KeyHolder {
    /// The key.
    pub key_id: Uuid,
    /// Whose.
    pub account_id: Uuid,
}

/// What a sync means to the memory.
#[derive(Debug)]
pub enum Heard {
    /// Nothing new; what it is asked to do.
    Known(Asks),
    /// Something the store has to hear first.
    News,
}

impl Fleet {
    /// Starts from what the store holds.
    #[must_use]
    pub fn remembering(keys: Vec<ExecutorKey>, snapshots: Vec<Snapshot>, now: Timestamp) -> Self {
        let fleet = Self::default();
        for key in keys {
            fleet.add_key(&key);
        }
        for snapshot in snapshots {
            fleet.absorb(snapshot, now);
        }
        fleet
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that this secret stands for now.
    #[must_use]
    pub fn key(&self, secret: SecretHash, now: Timestamp) -> Option<KeyHolder> {
        let memory = self.memory();
        let (key_id, until) = *memory.secrets.get(&secret)?;
        let key = memory.keys.get(&key_id).filter(|_| until.is_none_or(|until| now < until))?;
        Some(KeyHolder { key_id, account_id: key.account_id })
    }

    /// The executor of a key has verified an artifact, and may be swapping or on trial.
    #[must_use]
    pub fn is_beyond_verify(&self, key_id: Uuid) -> bool {
        let memory = self.memory();
        let executor = memory.keys.get(&key_id).and_then(|key| memory.executors.get(&key.executor_id?));
        let open = executor.and_then(|executor| executor.snapshot.open_upgrade());
        open.is_some_and(|open| {
            open.is_picked_up() && !open.is_dry_run() && open.shown.stage >= Stage::Verify
        })
    }

    /// Whom a live key belongs to, if it has been bound.
    #[must_use]
    pub fn bound_name(&self, key_id: Uuid) -> Option<String> {
        self.memory().keys.get(&key_id)?.bound_name.clone()
    }

    /// Notes a new key, or new secrets of one that is known.
    pub fn add_key(&self, key: &ExecutorKey) {
        let mut memory = self.memory();
        let secrets = key.secrets();
        let known = memory.keys.entry(key.id).or_insert_with(|| Key {
            account_id: key.account_id,
            bound_name: key.bound_name.clone(),
            executor_id: None,
            secrets: Vec::new(),
        });
        let outdated = std::mem::replace(&mut known.secrets, secrets.iter().map(|(hash, _)| *hash).collect());
        for hash in outdated {
            memory.secrets.remove(&hash);
        }
        memory.secrets.extend(secrets.into_iter().map(|(hash, until)| (hash, (key.id, until))));
    }

    /// Forgets a key: from now on it is unknown.
    pub fn remove_key(&self, key_id: Uuid) {
        let mut memory = self.memory();
        for hash in memory.keys.remove(&key_id).map(|key| key.secrets).unwrap_or_default() {
            memory.secrets.remove(&hash);
        }
    }

    /// Holds a sync against the memory, and notes what is not durable of it.
    ///
    /// # Errors
    /// When key, name or kind do not fit.
    pub fn hear(&self, by: KeyHolder, said: &SyncRequest, now: Timestamp) -> Result<Heard, IdentityRefused> {
        let mut memory = self.memory();
        let key = memory.keys.get(&by.key_id).ok_or(IdentityRefused::UnknownKey)?;
        if let Some(bound) = key.bound_name.as_ref().filter(|bound| **bound != said.name) {
            return Err(IdentityRefused::KeyBound { bound: bound.clone(), asked: said.name.clone() });
        }
        let Some(executor_id) = key.executor_id else { return Ok(Heard::News) };
        let Some(entry) = memory.executors.get_mut(&executor_id) else { return Ok(Heard::News) };
        let executor = &mut entry.snapshot.executor;
        if executor.kind != said.kind {
            let name = said.name.clone();
            return Err(IdentityRefused::KindMismatch { name, fixed: executor.kind, said: said.kind });
        }
        if executor.key_id != by.key_id || !executor.knows(said) || executor.is_answered_by(said) {
            return Ok(Heard::News);
        }
        if let Some(report) = &said.upgrade {
            match &mut entry.snapshot.upgrade {
                Some(known) if upgrade::is_about(report, known) => {
                    let moved = upgrade::absorb(known, report, now);
                    if upgrade::is_durable_change(known, &moved) || !report.log.is_empty() {
                        return Ok(Heard::News);
                    }
                    if upgrade::has_moved(known, &moved) {
                        entry.stands_since = now;
                    }
                    *known = moved;
                }
                // The end of an upgrade before the latest still belongs into its history.
                _ if report.stage.is_end() => return Ok(Heard::News),
                _ => {}
            }
        }
        executor.last_seen_at = now;
        executor.restarts = said.restarts;
        entry.was_heard_since_kept = true;
        Ok(Heard::Known(entry.snapshot.asks(now)))
    }

    /// Takes over what was committed, unless something newer has been already.
    pub fn absorb(&self, mut snapshot: Snapshot, now: Timestamp) {
        let mut memory = self.memory();
        let id = snapshot.executor.id;
        if memory.deleted.contains(&id) {
            return;
        }
        if let Some(known) = memory.executors.get(&id) {
            if known.snapshot.executor.revision >= snapshot.executor.revision {
                return;
            }
            keep_what_lives_here(&known.snapshot, &mut snapshot);
        }
        let executor = &snapshot.executor;
        memory.names.insert((executor.account_id, executor.name.clone()), id);
        if let Some(key) = memory.keys.get_mut(&executor.key_id) {
            key.executor_id = Some(id);
            key.bound_name = Some(executor.name.clone());
        }
        if snapshot.open_upgrade().is_some() {
            memory.with_open_upgrade.insert(id);
        } else {
            memory.with_open_upgrade.remove(&id);
        }
        let known = memory.executors.get(&id);
        let was_heard_since_kept = known.is_some_and(|known| known.was_heard_since_kept);
        let stands_since = known
            .filter(|known| match (&known.snapshot.upgrade, &snapshot.upgrade) {
                (Some(before), Some(after)) => !upgrade::has_moved(before, after),
                _ => false,
            })
            .map_or(now, |known| known.stands_since);
        memory.executors.insert(id, Entry { snapshot, was_heard_since_kept, stands_since });
    }

    /// Notes that an executor was heard.
    pub fn seen(&self, id: Uuid, restarts: u32, now: Timestamp) {
        if let Some(entry) = self.memory().executors.get_mut(&id) {
            entry.snapshot.executor.last_seen_at = now;
            entry.snapshot.executor.restarts = restarts;
            entry.was_heard_since_kept = true;
        }
    }

    /// Forgets a deleted executor; its key may introduce it anew.
    pub fn forget(&self, id: Uuid) {
        let mut memory = self.memory();
        memory.deleted.insert(id);
        memory.with_open_upgrade.remove(&id);
        let Some(entry) = memory.executors.remove(&id) else { return };
        let executor = entry.snapshot.executor;
        memory.names.remove(&(executor.account_id, executor.name));
        if let Some(key) = memory.keys.get_mut(&executor.key_id) {
            key.executor_id = None;
        }
    }

    /// One executor of the account.
    #[must_use]
    pub fn executor(&self, account_id: Uuid, id: Uuid) -> Option<Snapshot> {
        let memory = self.memory();
        let snapshot = &memory.executors.get(&id)?.snapshot;
        (snapshot.executor.account_id == account_id).then(|| snapshot.clone())
    }

    /// What `look` makes of every executor of the account.
    pub fn map_all<T>(&self, account_id: Uuid, look: impl Fn(&Executor) -> T) -> Vec<T> {
        let memory = self.memory();
        let all = memory.executors.values().map(|entry| &entry.snapshot.executor);
        all.filter(|executor| executor.account_id == account_id).map(look).collect()
    }

    /// Puts the bytes known here over those of an upgrade read from the store.
    pub fn show_bytes(&self, shown: &mut people::Upgrade) {
        let Ok(executor_id) = shown.executor_id.parse::<Uuid>() else { return };
        let memory = self.memory();
        let known = memory.executors.get(&executor_id).and_then(|entry| entry.snapshot.upgrade.as_ref());
        if let Some(known) = known.filter(|known| known.shown.id == shown.id) {
            shown.bytes_done = known.shown.bytes_done;
            shown.bytes_total = known.shown.bytes_total;
        }
    }

    /// The upgrades that were not picked up in time or stand still for too long, each as it is and as it ends.
    #[must_use]
    pub fn overdue(&self, sync_interval_ms: u64, now: Timestamp) -> Vec<(Upgrade, Upgrade)> {
        let memory = self.memory();
        let open = memory.with_open_upgrade.iter().filter_map(|id| memory.executors.get(id));
        open.filter_map(|entry| {
            let open = entry.snapshot.open_upgrade()?;
            let ended = upgrade::lapse(open, now)
                .or_else(|| upgrade::time_out(open, entry.stands_since, sync_interval_ms, now))?;
            Some((open.clone(), ended))
        })
        .collect()
    }

    /// Executors whose upgrade was not picked up: it waits for its turn, or is offered.
    #[must_use]
    pub fn not_picked_up(&self) -> Vec<Snapshot> {
        let memory = self.memory();
        let open = memory.with_open_upgrade.iter().filter_map(|id| memory.executors.get(id));
        let waiting =
            open.filter(|entry| entry.snapshot.open_upgrade().is_some_and(|open| !open.is_picked_up()));
        waiting.map(|entry| entry.snapshot.clone()).collect()
    }

    /// When the open upgrade of an executor is given up unless there is news of it.
    #[must_use]
    pub fn timeout_at(&self, upgrade: &Upgrade, sync_interval_ms: u64) -> Option<Timestamp> {
        let executor_id = upgrade.shown.executor_id.parse().ok()?;
        let since = self.memory().executors.get(&executor_id)?.stands_since;
        upgrade::timeout_at(upgrade, since, sync_interval_ms)
    }

    /// The fleet as a whole.
    #[must_use]
    pub(crate) fn census(&self, now: Timestamp, heartbeat_timeout_ms: u64) -> Census {
        let memory = self.memory();
        let mut census = Census::default();
        for entry in memory.executors.values() {
            match presence(entry.snapshot.executor.last_seen_at, now, heartbeat_timeout_ms) {
                Presence::Online => census.online += 1,
                Presence::Offline => census.offline += 1,
            }
        }
        let open = memory.with_open_upgrade.iter();
        let open = open.filter_map(|id| memory.executors.get(id)?.snapshot.open_upgrade());
        let due = open.filter(|open| !open.is_picked_up() && open.shown.scheduled_at <= now);
        census.oldest_pending = due.map(|open| open.shown.scheduled_at.max(open.shown.created_at)).min();
        census
    }

    /// Whom we have heard since this was last asked.
    #[must_use]
    pub fn take_heard(&self) -> Vec<LastSeen> {
        self.memory()
            .executors
            .values_mut()
            .filter_map(|entry| {
                let executor = &entry.snapshot.executor;
                std::mem::take(&mut entry.was_heard_since_kept).then_some(LastSeen {
                    executor_id: executor.id,
                    at: executor.last_seen_at,
                    restarts: executor.restarts,
                })
            })
            .collect()
    }
}

fn keep_what_lives_here(known: &Snapshot, new: &mut Snapshot) {
    new.executor.last_seen_at = new.executor.last_seen_at.max(known.executor.last_seen_at);
    new.executor.restarts = known.executor.restarts;
    if let (Some(known), Some(new)) = (&known.upgrade, &mut new.upgrade)
        && known.shown.id == new.shown.id
    {
        new.shown.bytes_done = new.shown.bytes_done.max(known.shown.bytes_done);
        new.shown.bytes_total = new.shown.bytes_total.max(known.shown.bytes_total);
    }
}
