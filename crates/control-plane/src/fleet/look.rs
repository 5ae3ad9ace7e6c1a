//! How many executors are looked at without holding up those who sync.

use std::ops::Bound;

use jiff::Timestamp;
use novacula_protocol::sync::SyncRequest;
use uuid::Uuid;

use super::entry::Entry;
use super::{Fleet, KeyHolder};
use crate::executor::{Asks, Executor, Snapshot};

/// How many executors are looked at with the memory locked.
const GLANCE: usize = 1_000;
/// How many of them are copied.
const HANDFUL: usize = 64;

impl Fleet {
    /// A sync says nothing that the store would have to hear.
    #[must_use]
    pub fn knows(&self, by: KeyHolder, said: &SyncRequest) -> bool {
        self.memory().executor_of(by.key_id).is_some_and(|executor| executor.knows(said))
    }

    /// What an executor is asked to do that has said something else since it said this; `None` where this is the last that
    /// is known of it.
    #[must_use]
    pub fn asked_since(&self, by: KeyHolder, said: &SyncRequest, now: Timestamp) -> Option<Asks> {
        let memory = self.memory();
        let executor = memory.executor_of(by.key_id)?;
        let is_the_last = executor.knows(said) && executor.restarts == said.restarts;
        (!is_the_last).then(|| executor.asks(now))
    }

    /// The executor of a key has an upgrade that has not ended.
    #[must_use]
    pub fn has_open_upgrade(&self, key_id: Uuid) -> bool {
        self.memory().executor_of(key_id).is_some_and(|executor| executor.open.is_some())
    }

    /// Every executor of the account behind a name that `fits`, in the order of names. Only those are copied, a few at
    /// a time: whoever wants a page pays for a page. The lock is taken anew for each portion.
    pub fn each<'f>(
        &'f self,
        account_id: Uuid,
        after: Option<String>,
        mut fits: impl FnMut(&Snapshot) -> bool + 'f,
    ) -> impl Iterator<Item = Snapshot> + 'f {
        let mut after = Some(after);
        std::iter::from_fn(move || {
            let (portion, last) = self.portion(account_id, after.take()?.as_deref(), &mut fits);
            after = last.map(Some);
            Some(portion)
        })
        .flatten()
    }

    /// Has `look` see every executor of the account, in the order of names, and copies none.
    pub fn visit(&self, account_id: Uuid, mut look: impl FnMut(&Executor)) {
        let nobody = |one: &Snapshot| {
            look(&one.executor);
            false
        };
        self.each(account_id, None, nobody).for_each(drop);
    }

    /// What `look` makes of every executor of the account, in the order of names.
    pub fn map_all<T>(&self, account_id: Uuid, look: impl Fn(&Executor) -> T) -> Vec<T> {
        let mut all = Vec::new();
        self.visit(account_id, |executor| all.push(look(executor)));
        all
    }

    /// Those who fit among the next by name, and whom to look behind for more; nobody at the end.
    fn portion(
        &self,
        account_id: Uuid,
        after: Option<&str>,
        fits: &mut impl FnMut(&Snapshot) -> bool,
    ) -> (Vec<Snapshot>, Option<String>) {
        let memory = self.memory();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        let Some(names) = memory.by_name.get(&account_id) else { return (found, None) };
        for (looked_at, (name, at)) in names.range::<str, _>((start, Bound::Unbounded)).enumerate() {
            let known = memory.executors.get(*at).map(Entry::snapshot);
            found.extend(known.filter(|known| fits(known)));
            if looked_at + 1 == GLANCE || found.len() == HANDFUL {
                return (found, Some((**name).to_owned()));
            }
        }
        (found, None)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    const OURS: Uuid = Uuid::from_u128(1);
    const THEIRS: Uuid = Uuid::from_u128(2);

    /// So many executors of ours, by name and by restarts from 0 on, between those of others.
    fn fleet(number: u32) -> Fleet {
        let one = |account_id: Uuid, number: u32| {
            let said = serde_json::from_value(json!({
                "name": format!("host-{number:05}"), "kind": "agent", "currentVersion": "1.0.0", "target": "t",
                "restarts": number,
            }));
            let id = Uuid::from_u128(account_id.as_u128() << 64 | u128::from(number));
            let executor =
                Executor::introduced(id, account_id, Uuid::nil(), &said.unwrap(), Timestamp::UNIX_EPOCH);
            Snapshot { executor, upgrade: None }
        };
        let theirs = (0..10).map(|number| one(THEIRS, number));
        let snapshots = (0..number).map(|number| one(OURS, number)).chain(theirs);
        let fleet = Fleet::default();
        for snapshot in snapshots {
            fleet.absorb(snapshot, Timestamp::UNIX_EPOCH);
        }
        fleet
    }

    fn found(fleet: &Fleet, after: Option<u32>, fits: impl Fn(u32) -> bool) -> Vec<u32> {
        let after = after.map(|number| format!("host-{number:05}"));
        let fits = |one: &Snapshot| fits(one.executor.restarts);
        fleet.each(OURS, after, fits).map(|one| one.executor.restarts).collect()
    }

    #[test]
    fn everyone_is_looked_at_once_however_many_fit() {
        let many = fleet(2_500);
        assert_eq!(found(&many, None, |_| true), (0..2_500).collect::<Vec<_>>());
        assert_eq!(found(&many, Some(2_000), |_| true), (2_001..2_500).collect::<Vec<_>>());
        let last_of_each = |number: u32| number % 1_000 == 999 || number == 2_499;
        assert_eq!(found(&many, None, last_of_each), [999, 1_999, 2_499]);
        assert_eq!(found(&many, None, |_| false), [0; 0]);
        for number in [0, 63, 64, 65, 128, 999, 1_000, 1_001] {
            assert_eq!(found(&fleet(number), None, |_| true).len(), number as usize, "of {number}");
        }
        let mut seen = Vec::new();
        many.visit(OURS, |one| seen.push(one.restarts));
        assert_eq!(seen, (0..2_500).collect::<Vec<_>>());
    }

    #[test]
    fn a_page_is_all_that_is_copied_of_a_fleet() {
        let (many, looked_at) = (fleet(2_500), std::cell::Cell::new(0));
        let fits = |_: &Snapshot| {
            looked_at.set(looked_at.get() + 1);
            true
        };
        assert_eq!(many.each(OURS, None, fits).take(51).count(), 51);
        assert_eq!(looked_at.get(), HANDFUL, "not the whole fleet");
    }
}
