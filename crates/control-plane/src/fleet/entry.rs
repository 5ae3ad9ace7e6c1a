//! One executor in as little memory as can be: what most of a fleet has in common is there once.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use jiff::Timestamp;
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{Channel, Held, SyncRequest, UpgradeReport};
use semver::Version;
use uuid::Uuid;

use super::again::Print;
use crate::executor::{Executor, Facts, Snapshot};
use crate::labels::Labels;
use crate::store::{Change, Changed, Step};
use crate::upgrade::{self, Upgrade};

/// What many executors have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Common {
    pub account_id: Uuid,
    pub kind: Kind,
    pub version: Version,
    channel: Channel,
    target: Box<str>,
    trusted_keys: Option<Arc<[String]>>,
}

impl Common {
    fn is_of(&self, executor: &Executor) -> bool {
        self.account_id == executor.account_id
            && self.kind == executor.kind
            && self.version == executor.current_version
            && self.channel == executor.channel
            && *self.target == *executor.target
            && self.trusted_keys == executor.trusted_keys
    }
}

/// Every piece that executors have in common, once.
#[derive(Default)]
pub(super) struct Commons {
    all: HashSet<Arc<Common>>,
    /// There may be so many before it is time to look which of them are left over.
    many: usize,
}

/// What few executors have.
#[derive(Clone, Default, PartialEq, Eq)]
struct Rare {
    held: Option<Held>,
    checks: Vec<String>,
    labels_by_people: Labels,
    /// The report, not about the open upgrade, that the store has taken last: it changes nothing any more.
    settled: Option<u64>,
}

pub(super) struct Entry {
    pub id: Uuid,
    pub key_id: Uuid,
    pub revision: u64,
    pub name: Arc<str>,
    pub common: Arc<Common>,
    host_labels: Labels,
    rare: Option<Box<Rare>>,
    /// One that has ended is the store's.
    pub open: Option<Box<Upgrade>>,
    last_seen_ms: i64,
    stands_since_ms: i64,
    created_ms: i64,
    pub restarts: u32,
    pub was_heard_since_kept: bool,
    /// What it said last, where that was nothing new and nothing has changed since.
    pub said: Option<Print>,
}

impl Commons {
    /// The piece, from now on shared.
    fn share(&mut self, common: Common) -> Arc<Common> {
        if let Some(known) = self.all.get(&common) {
            return Arc::clone(known);
        }
        if self.all.len() > self.many {
            self.all.retain(|common| Arc::strong_count(common) > 1);
            self.many = 2 * self.all.len() + 64;
        }
        let shared = Arc::new(common);
        self.all.insert(Arc::clone(&shared));
        shared
    }
}

impl Entry {
    /// `known` is what it had in common with others before, if it is known.
    pub(super) fn of(
        snapshot: Snapshot,
        stands_since: Timestamp,
        known: Option<Arc<Common>>,
        commons: &mut Commons,
    ) -> Self {
        let Snapshot { executor, upgrade } = snapshot;
        let common = known.filter(|known| known.is_of(&executor)).unwrap_or_else(|| {
            commons.share(Common {
                account_id: executor.account_id,
                kind: executor.kind,
                version: executor.current_version,
                channel: executor.channel,
                target: executor.target.into(),
                trusted_keys: executor.trusted_keys,
            })
        });
        let rare = Rare {
            held: executor.held,
            checks: executor.checks,
            labels_by_people: executor.labels_by_people,
            settled: None,
        };
        Self {
            id: executor.id,
            key_id: executor.key_id,
            revision: executor.revision,
            name: executor.name.into(),
            common,
            host_labels: executor.host_labels,
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
            open: upgrade.filter(Upgrade::is_open).map(Box::new),
            last_seen_ms: executor.last_seen_at.as_millisecond(),
            stands_since_ms: stands_since.as_millisecond(),
            created_ms: executor.created_at.as_millisecond(),
            restarts: executor.restarts,
            was_heard_since_kept: false,
            said: None,
        }
    }

    /// As the rest of the program knows it, without its upgrade.
    pub(super) fn executor(&self) -> Executor {
        let labels_by_people =
            self.rare.as_ref().map(|rare| rare.labels_by_people.clone()).unwrap_or_default();
        Executor {
            id: self.id,
            account_id: self.common.account_id,
            key_id: self.key_id,
            revision: self.revision,
            name: (*self.name).to_owned(),
            kind: self.common.kind,
            current_version: self.common.version.clone(),
            channel: self.common.channel,
            target: (*self.common.target).to_owned(),
            labels: self.host_labels.under(&labels_by_people),
            host_labels: self.host_labels.clone(),
            labels_by_people,
            held: self.rare.as_ref().and_then(|rare| rare.held.clone()),
            trusted_keys: self.common.trusted_keys.clone(),
            checks: self.checks().to_vec(),
            restarts: self.restarts,
            last_seen_at: self.last_seen_at(),
            created_at: at(self.created_ms),
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { executor: self.executor(), upgrade: self.open.as_deref().cloned() }
    }

    /// What becomes true when it is kept.
    pub(super) fn change(&self, what: Changed, restarts: u32, now: Timestamp) -> Change {
        Change { executor_id: self.id, revision: self.revision + 1, restarts, now, what }
    }

    /// Takes over what was kept of what its executor says.
    pub(super) fn take_facts(&mut self, said: &SyncRequest, commons: &mut Commons) {
        self.host_labels = Labels::from(&said.labels);
        let (known, trusted_keys) = (&*self.common, said.trusted_keys.as_deref());
        if known.channel != said.channel
            || *known.target != *said.target
            || known.trusted_keys.as_deref() != trusted_keys
        {
            self.common = commons.share(Common {
                channel: said.channel,
                target: said.target.as_str().into(),
                trusted_keys: trusted_keys.map(Into::into),
                ..known.clone()
            });
        }
    }

    /// Takes over what was kept of how far its upgrade is.
    pub(super) fn take_step(&mut self, Step { mut after, .. }: Step, now: Timestamp) {
        let Some(known) = self.open.as_deref_mut() else { return };
        after.shown.bytes_done = after.shown.bytes_done.max(known.shown.bytes_done);
        after.shown.bytes_total = after.shown.bytes_total.max(known.shown.bytes_total);
        let has_moved = upgrade::has_moved(known, &after);
        *known = after;
        if has_moved {
            self.stands_from(now);
        }
    }

    pub(super) fn checks(&self) -> &[String] {
        self.rare.as_ref().map_or(&[], |rare| &rare.checks)
    }

    /// The sync says nothing new that must be durable, apart from its report.
    pub(super) fn knows(&self, said: &SyncRequest) -> bool {
        let facts = Facts {
            version: &self.common.version,
            channel: self.common.channel,
            target: &self.common.target,
            host_labels: &self.host_labels,
            held: self.rare.as_ref().and_then(|rare| rare.held.as_ref()),
            trusted_keys: self.common.trusted_keys.as_deref(),
        };
        facts.knows(said) && !said.preflight.iter().any(|result| self.checks().contains(&result.check))
    }

    /// What the sync says anew of the executor touches no rule: neither what runs there, nor a hold, nor a check.
    pub(super) fn differs_plainly(&self, said: &SyncRequest) -> bool {
        self.common.version == said.current_version
            && self.rare.as_ref().and_then(|rare| rare.held.as_ref()) == said.held.as_ref()
            && !said.preflight.iter().any(|result| self.checks().contains(&result.check))
    }

    pub(super) fn last_seen_at(&self) -> Timestamp {
        at(self.last_seen_ms)
    }

    pub(super) fn stands_since(&self) -> Timestamp {
        at(self.stands_since_ms)
    }

    pub(super) fn stands_from(&mut self, now: Timestamp) {
        self.stands_since_ms = now.as_millisecond();
    }

    /// It was heard; `true` where that has not been kept since.
    pub(super) fn was_heard(&mut self, restarts: u32, now: Timestamp) -> bool {
        (self.last_seen_ms, self.restarts) = (now.as_millisecond(), restarts);
        !std::mem::replace(&mut self.was_heard_since_kept, true)
    }

    /// It was heard by another control plane, which keeps that.
    pub(super) fn was_heard_elsewhere(&mut self, restarts: u32, at: Timestamp) {
        self.said = self.said.filter(|_| self.restarts == restarts);
        (self.last_seen_ms, self.restarts) = (at.as_millisecond(), restarts);
    }

    /// The report has nothing to tell the store.
    pub(super) fn has_settled(&self, report: &UpgradeReport, hashing: &RandomState) -> bool {
        let settled = self.rare.as_ref().and_then(|rare| rare.settled);
        report.log.is_empty() && settled == Some(fingerprint(report, hashing))
    }

    /// The store has taken the report.
    pub(super) fn settle(&mut self, report: &UpgradeReport, hashing: &RandomState) {
        self.rare.get_or_insert_default().settled = Some(fingerprint(report, hashing));
    }

    /// Takes over what the store does not know, from the entry before.
    pub(super) fn keep_what_lives_here(&mut self, known: &Self) {
        self.last_seen_ms = self.last_seen_ms.max(known.last_seen_ms);
        self.restarts = known.restarts;
        if let Some(settled) = known.rare.as_ref().and_then(|rare| rare.settled) {
            self.rare.get_or_insert_default().settled = Some(settled);
        }
        self.was_heard_since_kept = known.was_heard_since_kept;
        if let (Some(known), Some(new)) = (&known.open, &mut self.open)
            && known.shown.id == new.shown.id
        {
            new.shown.bytes_done = new.shown.bytes_done.max(known.shown.bytes_done);
            new.shown.bytes_total = new.shown.bytes_total.max(known.shown.bytes_total);
        }
    }
}

fn fingerprint(report: &UpgradeReport, hashing: &RandomState) -> u64 {
    let UpgradeReport { upgrade_id, attempt, stage, status, bytes_done, bytes_total, error, log: _ } = report;
    let error = error.as_ref().map(|error| (&error.code, error.stage, &error.message));
    hashing.hash_one((upgrade_id, attempt, stage, status, bytes_done, bytes_total, error))
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}
