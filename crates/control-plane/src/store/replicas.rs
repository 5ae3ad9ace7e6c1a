//! What a control plane asks the database about the work of the others on it.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::column::{Columns, Count, Time, Word};
use super::sql::{Connection, News, Sql, listen, params};
use super::{Database, Store, StoreError, executors, keys, upgrades};
use crate::executor::{Executor, Snapshot};
use crate::key::ExecutorKey;

/// The ids of a list, as a table.
pub(super) const THESE_IDS: &str =
    "(SELECT * FROM json_array_elements_text(CAST(CAST(?1 AS TEXT) AS json)) AS each(id)) AS these";

/// How far an upgrade at work is, and since when it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtWork {
    /// Which.
    pub upgrade_id: Uuid,
    /// Of whom.
    pub executor_id: Uuid,
    /// How many bytes it has.
    pub bytes_done: u64,
    /// Of how many.
    pub bytes_total: u64,
    /// Since when.
    pub stands_since: Timestamp,
}

impl Store {
    /// Other control planes may use the database too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.database, Database::Postgresql(_))
    }

    /// From now on all that is changed is told; `None` where nobody else can change anything.
    #[must_use]
    pub fn listen(&self) -> Option<mpsc::UnboundedReceiver<News>> {
        let Database::Postgresql(address) = &self.database else { return None };
        let (to, news) = mpsc::unbounded_channel();
        tokio::spawn(listen(address.as_ref().clone(), self.id.to_string(), to));
        Some(news)
    }

    /// Wakes whoever watches the commits, for one of another control plane; ours were told when they happened.
    pub fn note_commit_elsewhere(&self) {
        self.count.send_modify(|count| *count += 1);
    }

    /// These executors with their open upgrades; whoever was deleted is left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn snapshots_of(&self, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Snapshot>, StoreError> {
        self.read(move |sql| {
            let mut open = upgrades::open_of(sql, &ids)?;
            let executors = executors::these(sql, &ids)?.into_iter();
            let with_upgrade =
                |executor: Executor| (executor.id, Snapshot { upgrade: open.remove(&executor.id), executor });
            Ok(executors.map(with_upgrade).collect())
        })
        .await
    }

    /// These keys as they are, also those that were revoked.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn keys_of(&self, ids: Vec<Uuid>) -> Result<Vec<ExecutorKey>, StoreError> {
        self.read(move |sql| ids.into_iter().filter_map(|id| keys::by_id(sql, id).transpose()).collect())
            .await
    }

    /// The executors that were deleted and the keys that were revoked.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn gone(&self) -> Result<(Vec<Uuid>, Vec<Uuid>), StoreError> {
        self.read(|sql| {
            let executors = ids(sql, "SELECT id FROM executors WHERE deleted_at IS NOT NULL")?;
            Ok((executors, ids(sql, "SELECT id FROM executor_keys WHERE revoked_at IS NOT NULL")?))
        })
        .await
    }

    /// How far the upgrades at work are, as those say who hear their executors.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn at_work(&self) -> Result<Vec<AtWork>, StoreError> {
        self.read(|sql| {
            sql.prepare_cached(
                "SELECT id, executor_id, bytes_done, bytes_total, stands_since FROM upgrades
                 WHERE ended_at IS NULL AND started_at IS NOT NULL AND stands_since IS NOT NULL",
            )?
            .query_map([], |row| {
                Ok(AtWork {
                    upgrade_id: row.get::<_, Word<_>>(0)?.0,
                    executor_id: row.get::<_, Word<_>>(1)?.0,
                    bytes_done: row.get::<_, Count>(2)?.0,
                    bytes_total: row.get::<_, Count>(3)?.0,
                    stands_since: row.get::<_, Time>(4)?.0,
                })
            })?
            .collect()
        })
        .await
    }
}

/// Keeps how far upgrades at work are, for the others: in one statement, on the database that others use too.
pub(super) fn keep_at_work(sql: &Connection, all: &[AtWork]) -> Sql<()> {
    let mut columns = Columns::default();
    for AtWork { upgrade_id, executor_id: _, bytes_done, bytes_total, stands_since } in all {
        columns.add([upgrade_id, bytes_done, bytes_total, &stands_since.as_millisecond()]);
    }
    let Some([ids, done, total, since]) = columns.texts() else { return Ok(()) };
    sql.commit_with_next();
    sql.prepare_cached(
        "UPDATE upgrades AS u SET bytes_done = CAST(n.done AS BIGINT), bytes_total = CAST(n.total AS BIGINT),
           stands_since = CAST(n.since AS BIGINT)
         FROM unnest(string_to_array(?1, chr(31)), string_to_array(?2, chr(31)), string_to_array(?3, chr(31)),
             string_to_array(?4, chr(31))) AS n(id, done, total, since)
         WHERE u.id = n.id COLLATE \"C\" AND u.ended_at IS NULL
           AND coalesce(u.stands_since, 0) < CAST(n.since AS BIGINT)",
    )?
    .execute(params![ids, done, total, since])?;
    Ok(())
}

fn ids(sql: &Connection, question: &str) -> Sql<Vec<Uuid>> {
    sql.prepare(question)?.query_map([], |row| Ok(row.get::<_, Word<_>>(0)?.0))?.collect()
}
