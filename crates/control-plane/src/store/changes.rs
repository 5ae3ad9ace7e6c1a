//! What executors say anew, many at once: whatever has come in while the last commit was under way is kept with the next.
//!
//! Each change is held against the revision that the memory of the fleet knows: where another has been faster, nothing of it
//! is kept, and its sync goes the long way (see [`super::Store::sync`]).

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

use hashbrown::HashSet;
use jiff::Timestamp;
use novacula_protocol::sync::{Channel, LogLine, SyncRequest};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::column::{Columns, Json, Word};
use super::events::{self, Event};
use super::sql::{Connection, Error, Row, params};
use super::{Sql, Store, StoreError, upgrade_rows};
use crate::executor::Asks;
use crate::labels::Labels;
use crate::upgrade::Upgrade;

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
    /// What it says of itself.
    Facts(HostFacts),
    /// How far its upgrade is.
    Step(Box<Step>),
}

/// What an executor says of itself that touches no rule.
#[derive(Debug)]
pub struct HostFacts {
    /// What it follows.
    pub channel: Channel,
    /// Rust target triple.
    pub target: String,
    /// From its config.
    pub host_labels: Labels,
    /// The ids of the release keys that are built into it.
    pub trusted_keys: Option<Arc<[String]>>,
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

impl From<&SyncRequest> for HostFacts {
    fn from(said: &SyncRequest) -> Self {
        Self {
            channel: said.channel,
            target: said.target.clone(),
            host_labels: Labels::from(&said.labels),
            trusted_keys: said.trusted_keys.as_deref().map(Into::into),
        }
    }
}

impl Change {
    fn step(&self) -> Option<&Step> {
        match &self.what {
            Changed::Facts(_) => None,
            Changed::Step(step) => Some(step),
        }
    }

    fn facts(&self) -> Option<&HostFacts> {
        match &self.what {
            Changed::Facts(facts) => Some(facts),
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

/// Who waits for a change; `None` where another change was faster.
type Reply = oneshot::Sender<Result<Option<Asks>, StoreError>>;

/// What waits for the next commit on one thread.
struct Waiting {
    thread: ThreadId,
    on: Handle,
    changes: Vec<Change>,
    replies: Vec<Reply>,
}

/// All that waits for the next commit.
#[derive(Clone, Default)]
pub(super) struct Changes(Arc<Mutex<Vec<Waiting>>>);

impl Changes {
    /// Answers whether it is the first.
    fn add(&self, change: Change, reply: Reply) -> bool {
        let thread = std::thread::current().id();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = all.is_empty();
        if !all.iter().any(|waiting| waiting.thread == thread) {
            all.push(Waiting { thread, on: Handle::current(), changes: Vec::new(), replies: Vec::new() });
        }
        if let Some(here) = all.iter_mut().find(|waiting| waiting.thread == thread) {
            here.changes.push(change);
            here.replies.push(reply);
        }
        is_first
    }

    fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store {
    /// Makes a change durable together with all that wait, has it remembered, and answers what the executor is asked to
    /// do. `None` where another change of the executor was faster: then nothing of this one is kept.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn keep_change<R: Remembers>(
        &self,
        change: Change,
        by: &Arc<R>,
    ) -> Result<Option<Asks>, StoreError> {
        let (reply, answer) = oneshot::channel();
        if self.changes.add(change, reply) {
            // Others wait for this one too, whatever becomes of who came first.
            let (store, by) = (self.clone(), Arc::clone(by));
            tokio::spawn(async move { store.keep_what_waits(by).await });
        }
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    async fn keep_what_waits(&self, by: Arc<impl Remembers>) {
        let (changes, taken) = (self.changes.clone(), Arc::new(Mutex::new(Vec::new())));
        let held = Arc::clone(&taken);
        let kept = self
            .write(move |sql| {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                *held = changes.take();
                let all: Vec<_> = held.iter().flat_map(|waiting| &waiting.changes).collect();
                if sql.is_embedded() { one_by_one(sql, &all) } else { together(sql, &all) }
            })
            .await;
        let taken = std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner));
        match kept {
            Ok(kept) => answer(kept, taken, &by),
            Err(e) => {
                // Nothing was tried for those who still wait either.
                let taken = if taken.is_empty() { self.changes.take() } else { taken };
                let replies = taken.into_iter().flat_map(|waiting| waiting.replies);
                replies.for_each(|reply| drop(reply.send(Err(e.clone()))));
            }
        }
    }
}

/// Each on the thread on which it waits: to wake a thread for each of a thousand would cost more than what they wait for.
fn answer(kept: Vec<bool>, taken: Vec<Waiting>, by: &Arc<impl Remembers>) {
    let mut kept = kept.into_iter();
    for Waiting { on, changes, replies, .. } in taken {
        let kept: Vec<_> = kept.by_ref().take(changes.len()).collect();
        let by = Arc::clone(by);
        on.spawn(async move {
            for ((change, reply), is_kept) in changes.into_iter().zip(replies).zip(kept) {
                let asks = is_kept.then(|| by.remember(change));
                // Whoever asked may have gone; what was committed stays.
                let _ = reply.send(Ok(asks));
            }
        });
    }
}

/// Of each change whether nobody was faster.
fn one_by_one(sql: &Connection, changes: &[&Change]) -> Sql<Vec<bool>> {
    let each = changes.iter().map(|change| {
        let is_kept = match &change.what {
            Changed::Facts(facts) => keep_facts(sql, change, facts)?,
            Changed::Step(step) => {
                let is_kept = revise(sql, change)?;
                if is_kept {
                    upgrade_rows::update_report(sql, &step.after)?;
                    events::keep(sql, change.events())?;
                }
                is_kept
            }
        };
        Ok(is_kept)
    });
    each.collect()
}

/// The same in a few statements for all, on a database that is a way away.
fn together(sql: &Connection, changes: &[&Change]) -> Sql<Vec<bool>> {
    let mut seen = HashSet::with_capacity(changes.len());
    // Of two of one executor the first was faster.
    let is_first: Vec<_> = changes.iter().map(|change| seen.insert(change.executor_id)).collect();
    let first =
        || changes.iter().zip(&is_first).filter(|(_, is_first)| **is_first).map(|(change, _)| *change);

    if changes.iter().all(|change| change.step().is_none()) {
        sql.commit_with_next();
    }
    let facts = keep_all_facts(sql, first().filter_map(|change| Some((change, change.facts()?))))?;
    let steps = revise_all(sql, first().filter(|change| change.step().is_some()))?;
    let is_kept = |(change, is_first): (&&Change, &bool)| {
        let kept = if change.step().is_some() { &steps } else { &facts };
        *is_first && kept.has(change.executor_id)
    };
    let is_kept: Vec<_> = changes.iter().zip(&is_first).map(is_kept).collect();

    let those = || changes.iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept).map(|(change, _)| *change);
    upgrade_rows::update_reports(sql, those().filter_map(Change::step).map(|step| &step.after))?;
    let events: Vec<_> = those().flat_map(Change::events).collect();
    if !events.is_empty() {
        sql.commit_with_next();
    }
    events::keep_together(sql, events)?;
    Ok(is_kept)
}

/// Of whom nobody was faster.
enum Kept {
    All,
    These(HashSet<Uuid>),
}

impl Kept {
    fn has(&self, executor_id: Uuid) -> bool {
        match self {
            Self::All => true,
            Self::These(ids) => ids.contains(&executor_id),
        }
    }
}

fn keep_all_facts<'a>(
    sql: &Connection,
    changes: impl Iterator<Item = (&'a Change, &'a HostFacts)>,
) -> Sql<Kept> {
    let (mut columns, mut count) = (Columns::default(), 0);
    for (change, facts) in changes {
        let trusted_keys = facts.trusted_keys.as_deref().map(serde_json::to_string).transpose();
        columns.add([
            &change.executor_id,
            &change.revision,
            &facts.channel,
            &facts.target,
            &serde_json::to_string(&facts.host_labels).map_err(unfit)?,
            &trusted_keys.map_err(unfit)?.unwrap_or_default(),
        ]);
        count += 1;
    }
    let Some([ids, revisions, channels, targets, labels, trusted_keys]) = columns.texts() else {
        return Ok(Kept::All);
    };
    sql.prepare_cached(
        "WITH kept AS (
           UPDATE executors AS e SET revision = CAST(n.revision AS BIGINT), channel = n.channel, target = n.target,
             labels = n.labels, trusted_keys = n.trusted_keys
           FROM unnest(string_to_array(?2, chr(31)), string_to_array(?3, chr(31)), string_to_array(?4, chr(31)),
               string_to_array(?5, chr(31)), string_to_array(?6, chr(31)), string_to_array(?7, chr(31), ''))
             AS n(id, revision, channel, target, labels, trusted_keys)
           WHERE e.id = n.id COLLATE \"C\" AND e.revision = CAST(n.revision AS BIGINT) - 1
             AND e.deleted_at IS NULL RETURNING e.id)
         SELECT CASE WHEN count(*) < ?1 THEN coalesce(string_agg(id, ','), '') END FROM kept",
    )?
    .query_row(params![count, ids, revisions, channels, targets, labels, trusted_keys], kept_of)
}

fn revise_all<'a>(sql: &Connection, changes: impl Iterator<Item = &'a Change>) -> Sql<Kept> {
    let (mut columns, mut count) = (Columns::default(), 0);
    for change in changes {
        columns.add([&change.executor_id, &change.revision]);
        count += 1;
    }
    let Some([ids, revisions]) = columns.texts() else { return Ok(Kept::All) };
    sql.prepare_cached(
        "WITH kept AS (
           UPDATE executors AS e SET revision = CAST(n.revision AS BIGINT)
           FROM unnest(string_to_array(?2, chr(31)), string_to_array(?3, chr(31))) AS n(id, revision)
           WHERE e.id = n.id COLLATE \"C\" AND e.revision = CAST(n.revision AS BIGINT) - 1
             AND e.deleted_at IS NULL RETURNING e.id)
         SELECT CASE WHEN count(*) < ?1 THEN coalesce(string_agg(id, ','), '') END FROM kept",
    )?
    .query_row(params![count, ids, revisions], kept_of)
}

/// In one text, because a row for each would cost more than the ids; nothing comes back where everybody was kept.
fn kept_of(row: &Row<'_>) -> Sql<Kept> {
    let ids: Option<String> = row.get(0)?;
    Ok(ids.map_or(Kept::All, |ids| Kept::These(ids.split(',').flat_map(str::parse).collect())))
}

fn unfit(e: serde_json::Error) -> Error {
    Error::Unfit(e.into())
}

fn keep_facts(sql: &Connection, change: &Change, facts: &HostFacts) -> Sql<bool> {
    let changed = sql
        .prepare_cached(
            "UPDATE executors SET revision = ?2, channel = ?3, target = ?4, labels = ?5, trusted_keys = ?6
             WHERE id = ?1 AND revision = ?2 - 1 AND deleted_at IS NULL",
        )?
        .execute(params![
            Word(&change.executor_id),
            signed(change.revision),
            Word(&facts.channel),
            facts.target,
            Json(&facts.host_labels),
            facts.trusted_keys.as_deref().map(Json),
        ])?;
    Ok(changed == 1)
}

fn revise(sql: &Connection, change: &Change) -> Sql<bool> {
    let changed = sql
        .prepare_cached(
            "UPDATE executors SET revision = ?2 WHERE id = ?1 AND revision = ?2 - 1 AND deleted_at IS NULL",
        )?
        .execute(params![Word(&change.executor_id), signed(change.revision)])?;
    Ok(changed == 1)
}

fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {

    use novacula_protocol::sync::SyncRequest;
    use serde_json::json;

    use crate::fleet::Heard;
    use crate::in_process::{ControlPlane, said};
    use crate::secrets::SecretHash;

    #[tokio::test]
    async fn of_two_changes_of_one_executor_in_one_commit_the_first_is_kept_and_the_second_hears_of_it() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        let app = &control_plane.app;
        let now = app.clock.now();
        let change = |rack: &str| {
            let mut said = said("host-1", "1.0.0");
            said["labels"] = json!({"rack": rack});
            let said: SyncRequest = serde_json::from_value(said).unwrap();
            let by = app.fleet.key(SecretHash::of(&key), now).unwrap();
            match app.fleet.hear(by, &said, None, now) {
                Ok(Heard::Changed(change)) => change,
                heard => panic!("{heard:?}"),
            }
        };
        let commits = app.store.commits();
        let (first, second) =
            tokio::join!(app.store.keep_change(change("1"), app), app.store.keep_change(change("2"), app),);
        assert_eq!(app.store.commits(), commits + 1);
        assert!(matches!((first, second), (Ok(Some(_)), Ok(None))));
        let path = format!("/api/v1/executors/{id}");
        assert_eq!(control_plane.get(&path).await.ok()["labels"], json!({"rack": "1"}));
        assert_eq!(control_plane.restart().await.get(&path).await.ok()["labels"], json!({"rack": "1"}));
    }
}
