//! What executors say anew, many at once: whatever has come in while the last commit was under way is kept with the next.
//!
//! Each change is held against the revision that the memory of the fleet knows: where another has been faster, nothing of it
//! is kept, and its sync goes the long way (see [`super::Store::sync`]).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use novacula_protocol::sync::LogLine;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::column::{Json, Word};
use super::sql::{Connection, params};
use super::{Sql, Store, StoreError, events, upgrade_rows};
use crate::executor::{Executor, Snapshot};
use crate::upgrade::Upgrade;

/// What a sync changes that no rule has to be asked about: what the executor says of itself, or how far its upgrade is.
#[derive(Debug)]
pub struct Change {
    /// The executor and its open upgrade after it, at the revision after it.
    pub after: Snapshot,
    /// Its upgrade before it, where that has moved.
    pub before: Option<Box<Upgrade>>,
    /// What its executor has written about it.
    pub lines: Vec<LogLine>,
    /// When it was heard.
    pub now: Timestamp,
}

/// Who waits for a change; `None` where another change was faster.
type Reply = oneshot::Sender<Result<Option<Snapshot>, StoreError>>;

/// The changes that wait for the next commit.
#[derive(Clone, Default)]
pub(super) struct Changes(Arc<Mutex<Vec<(Change, Reply)>>>);

impl Changes {
    fn waiting(&self) -> MutexGuard<'_, Vec<(Change, Reply)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those who wait and for whom nothing will be tried.
    fn give_up(&self) -> Vec<Reply> {
        std::mem::take(&mut *self.waiting()).into_iter().map(|(_, reply)| reply).collect()
    }
}

impl Store {
    /// Makes a change durable together with all that wait, and has `remember` hear what was kept before anybody else
    /// does. `None` where another change of the executor was faster: then nothing of this one is kept.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn keep_change(
        &self,
        change: Change,
        remember: impl Fn(Snapshot) + Send + 'static,
    ) -> Result<Option<Snapshot>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let is_first = {
            let mut waiting = self.changes.waiting();
            waiting.push((change, reply));
            waiting.len() == 1
        };
        if is_first {
            // Others wait for this one too, whatever becomes of who came first.
            let store = self.clone();
            tokio::spawn(async move { store.keep_what_waits(remember).await });
        }
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    async fn keep_what_waits(&self, remember: impl Fn(Snapshot)) {
        let (changes, taken) = (self.changes.clone(), Arc::new(Mutex::new(Vec::new())));
        let replies = Arc::clone(&taken);
        let kept = self
            .write(move |sql| {
                let waiting = std::mem::take(&mut *changes.waiting());
                let (waiting, those): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
                *replies.lock().unwrap_or_else(PoisonError::into_inner) = those;
                let is_kept =
                    if sql.is_embedded() { one_by_one(sql, &waiting) } else { together(sql, &waiting) };
                let kept = waiting.into_iter().zip(is_kept?);
                Ok(kept.map(|(change, is_kept)| is_kept.then_some(change.after)).collect::<Vec<_>>())
            })
            .await;
        let replies: Vec<Reply> = std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner));
        // Whoever asked may have gone; what was committed stays.
        match kept {
            Ok(kept) => {
                for (after, reply) in kept.into_iter().zip(replies) {
                    after.iter().cloned().for_each(&remember);
                    let _ = reply.send(Ok(after));
                }
            }
            Err(e) => {
                let replies = if replies.is_empty() { self.changes.give_up() } else { replies };
                replies.into_iter().for_each(|reply| drop(reply.send(Err(e.clone()))));
            }
        }
    }
}

/// Of each change whether nobody was faster.
fn one_by_one(sql: &Connection, changes: &[Change]) -> Sql<Vec<bool>> {
    let each = changes.iter().map(|change| {
        let is_kept = revise(sql, &change.after.executor)?;
        if is_kept {
            keep_move(sql, change)?;
        }
        Ok(is_kept)
    });
    each.collect()
}

/// The same in one statement for all executors.
fn together(sql: &Connection, changes: &[Change]) -> Sql<Vec<bool>> {
    let mut seen = HashSet::new();
    let first = changes.iter().filter(|change| seen.insert(change.after.executor.id));
    let news: Vec<_> = first
        .map(|Change { after: Snapshot { executor, .. }, .. }| {
            // In columns these two are text.
            let labels = serde_json::json!(executor.host_labels).to_string();
            let trusted_keys =
                executor.trusted_keys.as_deref().map(|keys| serde_json::json!(keys).to_string());
            serde_json::json!({
                "id": executor.id, "revision": executor.revision, "channel": executor.channel,
                "target": executor.target, "labels": labels, "trusted_keys": trusted_keys,
            })
        })
        .collect();
    let mut kept: HashSet<Uuid> = sql
        .prepare_cached(
            "UPDATE executors AS e SET revision = n.revision, channel = n.channel, target = n.target,
               labels = n.labels, trusted_keys = n.trusted_keys
             FROM json_to_recordset(CAST(CAST(?1 AS TEXT) AS json)) AS n(id TEXT COLLATE \"C\", revision BIGINT,
               channel TEXT, target TEXT, labels TEXT, trusted_keys TEXT)
             WHERE e.id = n.id AND e.revision = n.revision - 1 AND e.deleted_at IS NULL RETURNING e.id",
        )?
        .query_map(params![Json(&news)], |row| Ok(row.get::<_, Word<_>>(0)?.0))?
        .collect::<Sql<_>>()?;
    let each = changes.iter().map(|change| {
        // Of two of one executor the first was faster.
        let is_kept = kept.remove(&change.after.executor.id);
        if is_kept {
            keep_move(sql, change)?;
        }
        Ok(is_kept)
    });
    each.collect()
}

/// How far the upgrade has come, and what its executor writes about it.
fn keep_move(sql: &Connection, change: &Change) -> Sql<()> {
    if let Some(upgrade) = &change.after.upgrade {
        if let Some(before) = &change.before {
            upgrade_rows::update_report(sql, upgrade)?;
            events::note_move(sql, Some(before), upgrade, change.now)?;
        }
        events::keep_lines(sql, upgrade, upgrade.shown.attempt, &change.lines)?;
    }
    Ok(())
}

fn revise(sql: &Connection, executor: &Executor) -> Sql<bool> {
    let revision = i64::try_from(executor.revision).unwrap_or(i64::MAX);
    let changed = sql
        .prepare_cached(
            "UPDATE executors SET revision = ?2, channel = ?3, target = ?4, labels = ?5, trusted_keys = ?6
             WHERE id = ?1 AND revision = ?2 - 1 AND deleted_at IS NULL",
        )?
        .execute(params![
            Word(&executor.id),
            revision,
            Word(&executor.channel),
            executor.target,
            Json(&executor.host_labels),
            executor.trusted_keys.as_deref().map(Json),
        ])?;
    Ok(changed == 1)
}
