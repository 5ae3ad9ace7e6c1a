//! How many executors of each kind run which version, counted as they come, move and go.

use std::collections::{BTreeMap, HashMap};

use novacula_protocol::spec::Kind;
use semver::Version;
use tokio::task::yield_now;
use uuid::Uuid;

use super::counts::GLANCE;
use super::entry::Common;
use super::{Fleet, Memory};
use crate::recount::Off;

type Counts = HashMap<(Uuid, Kind), BTreeMap<Version, u64>>;

#[derive(Default)]
pub(super) struct Versions {
    kept: Counts,
    anew: Option<Anew>,
}

/// A recount under way. Whoever comes, moves or goes at a place that it has passed is counted in it too, so that it is right
/// however long it takes, also when it is cut short and goes on later.
#[derive(Default)]
struct Anew {
    /// Where it goes on.
    next: usize,
    counts: Counts,
}

impl Versions {
    /// Another one at this place.
    pub(super) fn add(&mut self, at: u32, common: &Common) {
        self.each(at).for_each(|counts| add(counts, common));
    }

    /// One less at this place.
    pub(super) fn remove(&mut self, at: u32, common: &Common) {
        self.each(at).for_each(|counts| remove(counts, common));
    }

    /// Every count that the place is in.
    fn each(&mut self, at: u32) -> impl Iterator<Item = &mut Counts> {
        let anew = self.anew.as_mut().filter(|anew| (at as usize) < anew.next);
        std::iter::once(&mut self.kept).chain(anew.map(|anew| &mut anew.counts))
    }
}

fn add(counts: &mut Counts, common: &Common) {
    let of_kind = counts.entry((common.account_id, common.kind)).or_default();
    match of_kind.get_mut(&common.version) {
        Some(count) => *count += 1,
        None => _ = of_kind.insert(common.version.clone(), 1),
    }
}

fn remove(counts: &mut Counts, common: &Common) {
    let Some(of_kind) = counts.get_mut(&(common.account_id, common.kind)) else { return };
    let Some(count) = of_kind.get_mut(&common.version) else { return };
    *count = count.saturating_sub(1);
    if *count == 0 {
        of_kind.remove(&common.version);
    }
}

impl Memory {
    /// Counts some more anew; at the end what was off, which is right from then on.
    fn recount_some(&mut self) -> Option<Vec<Off>> {
        let Self { executors, versions, .. } = self;
        let mut anew = versions.anew.take().unwrap_or_default();
        let (some, rest) = executors.portion(anew.next, GLANCE);
        some.for_each(|entry| add(&mut anew.counts, &entry.common));
        if let Some(next) = rest {
            anew.next = next;
            versions.anew = Some(anew);
            return None;
        }
        let off = differences(&versions.kept, &anew.counts);
        versions.kept = anew.counts;
        Some(off)
    }
}

impl Fleet {
    /// How many executors of a kind run which version.
    #[must_use]
    pub(crate) fn versions(&self, account_id: Uuid, kind: Kind) -> BTreeMap<Version, u64> {
        self.memory().versions.kept.get(&(account_id, kind)).cloned().unwrap_or_default()
    }

    /// Counts the versions anew, in portions, so that nobody who syncs waits for it, and answers what was off.
    pub(crate) async fn recount_versions(&self) -> Vec<Off> {
        loop {
            let done = self.memory().recount_some();
            if let Some(off) = done {
                return off;
            }
            yield_now().await;
        }
    }
}

fn differences(kept: &Counts, there: &Counts) -> Vec<Off> {
    let says = |counts: &Counts, of: &(Uuid, Kind), version: &Version| {
        let count = counts.get(of).and_then(|versions| versions.get(version)).copied().unwrap_or_default();
        i64::try_from(count).unwrap_or(i64::MAX)
    };
    let of_kept = kept.iter().flat_map(|(of, versions)| versions.keys().map(move |version| (of, version)));
    let only_there =
        there.iter().flat_map(|(of, versions)| versions.keys().map(move |version| (of, version)));
    let only_there = only_there
        .filter(|(of, version)| !kept.get(of).is_some_and(|versions| versions.contains_key(version)));
    let both = of_kept.chain(only_there).map(|(of, version)| Off {
        what: format!("account {} {} {version}", of.0, of.1),
        kept: says(kept, of, version),
        there: says(there, of, version),
    });
    both.filter(|off| off.kept != off.there).collect()
}

#[cfg(test)]
mod tests;
