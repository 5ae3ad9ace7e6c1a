//! The live keys: a secret is looked up at every sync.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use jiff::Timestamp;
use uuid::Uuid;

use super::slots::Slots;
use crate::key::ExecutorKey;
use crate::secrets::SecretHash;

#[derive(Default)]
pub(super) struct Keys {
    all: Slots<Key>,
    by_secret: HashTable<u32>,
    by_id: HashTable<u32>,
    /// Few keys have been given a new secret of late.
    by_previous: HashMap<SecretHash, (Uuid, Timestamp)>,
    /// One that was on its way when it was revoked must not come back.
    ended: HashSet<Uuid>,
    hashing: DefaultHashBuilder,
}

pub(super) struct Key {
    pub id: Uuid,
    pub account_id: Uuid,
    pub bound_name: Option<Arc<str>>,
    /// The place of its executor.
    pub executor: Option<u32>,
    secret: SecretHash,
    /// The end of time where it has none.
    until_ms: i64,
}

impl Keys {
    /// The key that a secret opens now, and its place.
    pub(super) fn opened_by(&self, secret: &SecretHash, now: Timestamp) -> Option<(u32, &Key)> {
        let found = |at: &u32| self.all.get(*at).is_some_and(|key| key.secret == *secret);
        if let Some(at) = self.by_secret.find(of_secret(secret), found) {
            let is_not_over = |key: &&Key| now.as_millisecond() < key.until_ms;
            return self.all.get(*at).filter(is_not_over).map(|key| (*at, key));
        }
        let (id, until) = self.by_previous.get(secret)?;
        let at = self.place(*id).filter(|_| now < *until)?;
        Some((at, self.all.get(at)?))
    }

    /// The key of this id, whose place is known.
    pub(super) fn at(&self, at: u32, id: Uuid) -> Option<&Key> {
        self.all.get(at).filter(|key| key.id == id)
    }

    pub(super) fn get(&self, id: Uuid) -> Option<&Key> {
        self.all.get(self.place(id)?)
    }

    pub(super) fn get_mut(&mut self, id: Uuid) -> Option<&mut Key> {
        let at = self.place(id)?;
        self.all.get_mut(at)
    }

    fn place(&self, id: Uuid) -> Option<u32> {
        let found = |at: &u32| self.all.get(*at).is_some_and(|key| key.id == id);
        self.by_id.find(self.hashing.hash_one(id), found).copied()
    }

    /// A new key, or new secrets of a known one.
    pub(super) fn put(&mut self, new: &ExecutorKey) {
        if self.ended.contains(&new.id) {
            return;
        }
        let known = self.remove(new.id);
        let (bound_name, executor) = match known {
            Some(known) => (known.bound_name, known.executor),
            None => (new.bound_name.as_deref().map(Into::into), None),
        };
        let until_ms = new.expires_at.map_or(i64::MAX, Timestamp::as_millisecond);
        let (id, account_id, secret) = (new.id, new.account_id, new.hash);
        let at = self.all.add(Key { id, account_id, bound_name, executor, secret, until_ms });
        let Self { all, by_secret, by_id, by_previous, hashing, ended: _ } = self;
        let of = |at: &u32| all.get(*at).map_or(0, |key| of_secret(&key.secret));
        by_secret.insert_unique(of_secret(&secret), at, of);
        let of = |at: &u32| all.get(*at).map_or(0, |key| hashing.hash_one(key.id));
        by_id.insert_unique(hashing.hash_one(id), at, of);
        by_previous.extend(new.previous.map(|(previous, until)| (previous, (id, until))));
    }

    /// It is not to come back.
    pub(super) fn end(&mut self, id: Uuid) {
        self.ended.insert(id);
        self.remove(id);
    }

    fn remove(&mut self, id: Uuid) -> Option<Key> {
        let at = self.place(id)?;
        let key = self.all.remove(at)?;
        if let Ok(place) = self.by_id.find_entry(self.hashing.hash_one(id), |known| *known == at) {
            place.remove();
        }
        if let Ok(place) = self.by_secret.find_entry(of_secret(&key.secret), |known| *known == at) {
            place.remove();
        }
        self.by_previous.retain(|_, (of, _)| *of != id);
        Some(key)
    }
}

/// A hash already, so its beginning is as good as any.
fn of_secret(secret: &SecretHash) -> u64 {
    let mut beginning = [0; 8];
    beginning.copy_from_slice(&secret.0[..8]);
    u64::from_le_bytes(beginning)
}
