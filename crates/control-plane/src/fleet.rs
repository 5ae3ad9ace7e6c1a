//! What the control plane remembers of every executor, so that an unchanged sync costs no durable write.
//!
//! A copy of the store that is never ahead of it: changes come in as snapshots after their commit, and the revision
//! tells a late one from a new one. Only four things live here first: when an executor was last heard, how often its
//! service started, how many bytes it has, and since when its upgrade stands where it stands. The last lives nowhere
//! else: a control plane that was down has heard nobody, so with it every deadline begins anew.
//!
//! A large fleet is here whole, so each executor takes as little as can be: what most have in common is there once
//! (`entry`), and everything points by place (`slots`). An upgrade that has ended is read from the store.

mod again;
mod counts;
mod elsewhere;
mod entry;
mod hear;
mod keys;
mod look;
mod slots;
mod versions;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::{DefaultHashBuilder, HashTable};
use jiff::Timestamp;
use novacula_protocol::people;
use uuid::Uuid;

use self::entry::{Commons, Entry};
use self::keys::Keys;
use self::slots::Slots;
use self::versions::Versions;
use crate::executor::Snapshot;
use crate::key::ExecutorKey;
use crate::long_poll::LongPolls;
use crate::secrets::SecretHash;
use crate::store::LastSeen;
use crate::upgrade::{self, Upgrade};

pub use again::Print;
pub use hear::Heard;

/// The memory of the fleet. Its lock is held for a look or a note, never while waiting for anything.
#[derive(Default)]
pub struct Fleet {
    memory: Mutex<Memory>,
    long_polls: LongPolls,
    printing: DefaultHashBuilder,
}

#[derive(Default)]
struct Memory {
    keys: Keys,
    executors: Slots<Entry>,
    by_id: HashTable<u32>,
    by_name: HashMap<Uuid, BTreeMap<Arc<str>, u32>>,
    commons: Commons,
    versions: Versions,
    with_open_upgrade: HashSet<u32>,
    /// Those who were heard since that was kept last.
    heard: Vec<u32>,
    /// Those of them whose turn it is to be kept.
    to_keep: Vec<u32>,
    /// A snapshot that was on its way when its executor was deleted must not bring it back.
    deleted: HashSet<Uuid>,
    placing: DefaultHashBuilder,
    hashing: RandomState,
}

/// A live key, as an executor presents it.
#[derive(Clone, Copy, Debug)]
pub struct KeyHolder {
    /// The key.
    pub key_id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// Where it was found.
    place: u32,
}

impl Memory {
    fn place(&self, id: Uuid) -> Option<u32> {
        let found = |at: &u32| self.executors.get(*at).is_some_and(|known| known.id == id);
        self.by_id.find(self.placing.hash_one(id), found).copied()
    }

    fn entry(&self, id: Uuid) -> Option<&Entry> {
        self.executors.get(self.place(id)?)
    }

    fn executor_of(&self, key_id: Uuid) -> Option<&Entry> {
        self.executors.get(self.keys.get(key_id)?.executor?)
    }

    fn open(&self) -> impl Iterator<Item = (&Entry, &Upgrade)> {
        let with = self.with_open_upgrade.iter().filter_map(|at| self.executors.get(*at));
        with.filter_map(|entry| Some((entry, entry.open.as_deref()?)))
    }

    /// Where a new entry is from now on.
    fn add(&mut self, entry: Entry) -> u32 {
        let (id, common, name) = (entry.id, Arc::clone(&entry.common), Arc::clone(&entry.name));
        let at = self.executors.add(entry);
        let Self { executors, by_id, by_name, versions, placing, .. } = self;
        versions.add(at, &common);
        let of = |at: &u32| executors.get(*at).map_or(0, |known| placing.hash_one(known.id));
        by_id.insert_unique(placing.hash_one(id), at, of);
        by_name.entry(common.account_id).or_default().insert(name, at);
        at
    }
}

impl Fleet {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that this secret stands for now.
    #[must_use]
    pub fn key(&self, secret: SecretHash, now: Timestamp) -> Option<KeyHolder> {
        let memory = self.memory();
        let (place, key) = memory.keys.opened_by(&secret, now)?;
        Some(KeyHolder { key_id: key.id, account_id: key.account_id, place })
    }

    /// The executor of a key has verified an artifact, and may be swapping or on trial.
    #[must_use]
    pub fn is_beyond_verify(&self, key_id: Uuid) -> bool {
        let memory = self.memory();
        let open = memory.executor_of(key_id).and_then(|executor| executor.open.as_deref());
        open.is_some_and(|open| {
            open.is_picked_up() && !open.is_dry_run() && open.shown.stage >= novacula_protocol::Stage::Verify
        })
    }

    /// Whom a live key belongs to, if it has been bound.
    #[must_use]
    pub fn bound_name(&self, key_id: Uuid) -> Option<String> {
        self.memory().keys.get(key_id)?.bound_name.as_deref().map(str::to_owned)
    }

    /// Notes a new key, or new secrets of one that is known.
    pub fn add_key(&self, key: &ExecutorKey) {
        self.memory().keys.put(key);
    }

    /// Those who wait for something new here.
    pub(crate) fn long_polls(&self) -> &LongPolls {
        &self.long_polls
    }

    /// Forgets a key: from now on it is unknown.
    pub fn remove_key(&self, key_id: Uuid) {
        self.memory().keys.end(key_id);
        self.long_polls.ring(key_id);
    }

    /// Takes over what was committed, unless something newer has been already.
    pub fn absorb(&self, snapshot: Snapshot, now: Timestamp) {
        let mut memory = self.memory();
        let id = snapshot.executor.id;
        if memory.deleted.contains(&id) {
            return;
        }
        let known = memory.place(id);
        if known
            .and_then(|at| memory.executors.get(at))
            .is_some_and(|it| it.revision >= snapshot.executor.revision)
        {
            // Its key may have come after it, from another control plane.
            if let Some(key) = memory.keys.get_mut(snapshot.executor.key_id)
                && key.executor.is_none()
            {
                (key.executor, key.bound_name) = (known, Some(snapshot.executor.name.into()));
            }
            return;
        }
        let common = known.and_then(|at| Some(Arc::clone(&memory.executors.get(at)?.common)));
        let mut new = Entry::of(snapshot, now, common, &mut memory.commons);
        let at = match known {
            Some(at) => {
                let Memory { executors, versions, .. } = &mut *memory;
                if let Some(known) = executors.get_mut(at) {
                    new.name = Arc::clone(&known.name);
                    new.keep_what_lives_here(known);
                    if let (Some(before), Some(after)) = (&known.open, &new.open)
                        && !upgrade::has_moved(before, after)
                    {
                        new.stands_from(known.stands_since());
                    }
                    if !Arc::ptr_eq(&known.common, &new.common) {
                        versions.remove(at, &known.common);
                        versions.add(at, &new.common);
                    }
                    *known = new;
                }
                at
            }
            None => memory.add(new),
        };
        let Some(entry) = memory.executors.get(at) else { return };
        let (key_id, name, has_open_upgrade) = (entry.key_id, Arc::clone(&entry.name), entry.open.is_some());
        self.long_polls.ring(key_id);
        if let Some(key) = memory.keys.get_mut(key_id) {
            (key.executor, key.bound_name) = (Some(at), Some(name));
        }
        if has_open_upgrade {
            memory.with_open_upgrade.insert(at);
        } else {
            memory.with_open_upgrade.remove(&at);
        }
    }

    /// Forgets a deleted executor; its key may introduce it anew.
    pub fn forget(&self, id: Uuid) {
        let mut memory = self.memory();
        memory.deleted.insert(id);
        let Some(at) = memory.place(id) else { return };
        let Some(entry) = memory.executors.remove(at) else { return };
        memory.versions.remove(at, &entry.common);
        memory.with_open_upgrade.remove(&at);
        if let Ok(place) = {
            let hash = memory.placing.hash_one(id);
            memory.by_id.find_entry(hash, |known| *known == at)
        } {
            place.remove();
        }
        if let Some(names) = memory.by_name.get_mut(&entry.common.account_id) {
            names.remove(&entry.name);
        }
        self.long_polls.ring(entry.key_id);
        if let Some(key) = memory.keys.get_mut(entry.key_id) {
            key.executor = None;
        }
    }

    /// Lets go of what a start leaves over: names that come in their order leave every piece of the list half empty.
    pub fn tidy(&self) {
        for names in self.memory().by_name.values_mut() {
            *names = std::mem::take(names).into_iter().collect();
        }
    }

    /// One executor of the account.
    #[must_use]
    pub fn executor(&self, account_id: Uuid, id: Uuid) -> Option<Snapshot> {
        let memory = self.memory();
        let entry = memory.entry(id)?;
        (entry.common.account_id == account_id).then(|| entry.snapshot())
    }

    /// Puts the bytes known here over those of an open upgrade read from the store.
    pub fn show_bytes(&self, shown: &mut people::Upgrade) {
        let Ok(executor_id) = shown.executor_id.parse::<Uuid>() else { return };
        let memory = self.memory();
        let known = memory.entry(executor_id).and_then(|entry| entry.open.as_deref());
        if let Some(known) = known.filter(|known| known.shown.id == shown.id) {
            shown.bytes_done = known.shown.bytes_done;
            shown.bytes_total = known.shown.bytes_total;
        }
    }

    /// The upgrades that were not picked up in time or stand still for too long, each as it is and as it ends.
    #[must_use]
    pub fn overdue(&self, sync_interval_ms: u64, now: Timestamp) -> Vec<(Upgrade, Upgrade)> {
        let memory = self.memory();
        let ended = |(entry, open): (&Entry, &Upgrade)| {
            let ended = upgrade::lapse(open, now)
                .or_else(|| upgrade::time_out(open, entry.stands_since(), sync_interval_ms, now))?;
            Some((open.clone(), ended))
        };
        memory.open().filter_map(ended).collect()
    }

    /// Executors whose upgrade was not picked up: it waits for its turn, or is offered.
    #[must_use]
    pub fn not_picked_up(&self) -> Vec<Snapshot> {
        let memory = self.memory();
        let waiting = memory.open().filter(|(_, open)| !open.is_picked_up());
        waiting.map(|(entry, _)| entry.snapshot()).collect()
    }

    /// When the open upgrade of an executor is given up unless there is news of it.
    #[must_use]
    pub fn timeout_at(&self, upgrade: &Upgrade, sync_interval_ms: u64) -> Option<Timestamp> {
        let executor_id = upgrade.shown.executor_id.parse().ok()?;
        let since = self.memory().entry(executor_id)?.stands_since();
        upgrade::timeout_at(upgrade, since, sync_interval_ms)
    }

    /// How many have been heard since that was kept last: from now on they are what [`Self::next_to_keep`] gives.
    pub fn begin_to_keep(&self) -> usize {
        let mut memory = self.memory();
        let mut all = std::mem::take(&mut memory.to_keep);
        all.append(&mut memory.heard);
        drop(memory);
        // In the order in which the fleet was read, which is about that of the rows: who is kept together lies together.
        // Nobody waits meanwhile: a million take a while.
        all.sort_unstable();
        let to_keep = &mut self.memory().to_keep;
        to_keep.append(&mut all);
        to_keep.len()
    }

    /// Some of those whose presence is to be kept; `None` where nobody is left.
    pub fn next_to_keep(&self, at_once: usize) -> Option<Vec<LastSeen>> {
        let mut memory = self.memory();
        let Memory { executors, to_keep, .. } = &mut *memory;
        let first = to_keep.len().saturating_sub(at_once);
        let portion = to_keep.drain(first..).filter_map(|at| {
            let entry = executors.get_mut(at)?;
            std::mem::take(&mut entry.was_heard_since_kept).then_some(LastSeen {
                executor_id: entry.id,
                at: entry.last_seen_at(),
                restarts: entry.restarts,
            })
        });
        let portion: Vec<_> = portion.collect();
        (!portion.is_empty() || !to_keep.is_empty()).then_some(portion)
    }
}
