//! When executors were last heard: kept every few seconds for all who were.

use jiff::Timestamp;
use uuid::Uuid;

use super::column::{Columns, Time, Word};
use super::replicas::{self, AtWork};
use super::sql::{Connection, params};
use super::{Sql, Store, StoreError};
use crate::executor::Executor;

/// Whoever has something to keep waits behind no more upgrades at once: a hundredth of a second.
const AT_WORK_AT_ONCE: usize = 512;

/// When an executor was last heard, and how often its service had started since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// Who.
    pub executor_id: Uuid,
    /// When.
    pub at: Timestamp,
    /// How often.
    pub restarts: u32,
}

impl Store {
    /// Keeps how far upgrades at work are.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn keep_at_work(&self, all: &[AtWork]) -> Result<(), StoreError> {
        for some in all.chunks(AT_WORK_AT_ONCE) {
            let some = some.to_vec();
            self.write(move |sql| replicas::keep_at_work(sql, &some)).await?;
        }
        Ok(())
    }

    /// Keeps when executors were last heard. Nobody who has something to keep waits behind it where the database can
    /// do both at once.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn keep_presence(&self, seen: Vec<LastSeen>) -> Result<(), StoreError> {
        let by = self.id;
        self.write_aside(move |sql| {
            if !sql.is_embedded() {
                sql.commit_with_next();
                return keep_together(sql, &seen, by);
            }
            let mut update = sql.prepare_cached(
                "UPDATE presence SET last_seen_at = ?2, restarts = ?3 WHERE executor_id = ?1",
            )?;
            for LastSeen { executor_id, at, restarts } in seen {
                update.execute(params![Word(&executor_id), Time(at), restarts])?;
            }
            Ok(())
        })
        .await
    }

    /// Whom other control planes have heard since then.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn heard_since(&self, since: Timestamp) -> Result<Vec<LastSeen>, StoreError> {
        let by = self.id;
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT executor_id, last_seen_at, restarts FROM presence
                 WHERE last_seen_at >= ?1 AND heard_by <> ?2",
            )?
            .query_map(params![Time(since), Word(&by)], |row| {
                let (executor_id, at) = (row.get::<_, Word<_>>(0)?.0, row.get::<_, Time>(1)?.0);
                Ok(LastSeen { executor_id, at, restarts: row.get(2)? })
            })?
            .collect()
        })
        .await
    }
}

pub(super) fn insert(sql: &Connection, executor: &Executor) -> Sql<()> {
    sql.prepare_cached("INSERT INTO presence (executor_id, last_seen_at, restarts) VALUES (?1, ?2, ?3)")?
        .execute(params![Word(&executor.id), Time(executor.last_seen_at), executor.restarts])?;
    Ok(())
}

/// In one statement for all.
fn keep_together(sql: &Connection, seen: &[LastSeen], by: Uuid) -> Sql<()> {
    let mut columns = Columns::default();
    for LastSeen { executor_id, at, restarts } in seen {
        columns.add([executor_id, &at.as_millisecond(), restarts]);
    }
    let Some([ids, times, restarts]) = columns.texts() else { return Ok(()) };
    sql.prepare_cached(
        "UPDATE presence AS p SET last_seen_at = CAST(n.at AS BIGINT), restarts = CAST(n.restarts AS BIGINT), heard_by = ?4
         FROM unnest(string_to_array(?1, chr(31)), string_to_array(?2, chr(31)), string_to_array(?3, chr(31)))
           AS n(id, at, restarts)
         WHERE p.executor_id = n.id COLLATE \"C\"",
    )?
    .execute(params![ids, times, restarts, Word(&by)])?;
    Ok(())
}
