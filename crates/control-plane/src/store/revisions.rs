//! The history of each executor: what ran there, and what was tried.

use jiff::Timestamp;
use novacula_protocol::Stage;
use novacula_protocol::people::Revision;
use semver::Version;
use uuid::Uuid;

use super::column::{Count, Time, Word};
use super::sql::{Connection, OptionalExtension, Row, params};
use super::{Sql, Store, StoreError};
use crate::executor::Executor;
use crate::upgrade::Upgrade;

impl Store {
    /// The revisions of an executor, newest first, from below `before`, at most `limit`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn revisions(
        &self,
        executor_id: Uuid,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Revision>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT * FROM revisions WHERE executor_id = ?1 AND (CAST(?2 AS BIGINT) IS NULL OR revision < ?2)
                 ORDER BY revision DESC LIMIT ?3",
            )?
            .query_map(params![Word(&executor_id), before.map(Count), limit], revision_of)?
            .collect()
        })
        .await
    }

    /// One revision of an executor.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn revision(&self, executor_id: Uuid, revision: u64) -> Result<Option<Revision>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached("SELECT * FROM revisions WHERE executor_id = ?1 AND revision = ?2")?
                .query_row(params![Word(&executor_id), Count(revision)], revision_of)
                .optional()
        })
        .await
    }

    /// The newest revision of an executor that completed with another version than `current`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn last_successful(
        &self,
        executor_id: Uuid,
        current: Version,
    ) -> Result<Option<Revision>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT * FROM revisions WHERE executor_id = ?1 AND status = 'COMPLETED' AND version <> ?2
                 ORDER BY revision DESC LIMIT 1",
            )?
            .query_row(params![Word(&executor_id), Word(&current)], revision_of)
            .optional()
        })
        .await
    }
}

/// An attempt has come to its end by the word of its executor.
pub(super) fn note_end(sql: &Connection, executor_id: Uuid, ended: &Upgrade, now: Timestamp) -> Sql<()> {
    let shown = &ended.shown;
    if shown.stage == Stage::Abandoned {
        return Ok(());
    }
    let trouble = shown.error.as_ref().map(|error| error.message.as_str());
    let description =
        if shown.description.is_empty() { trouble.unwrap_or_default() } else { &shown.description };
    let (by, id) = (shown.requested_by.as_str(), Some(shown.id.as_str()));
    append(sql, executor_id, (&shown.target_version, shown.stage), (description, by, id), now)
}

/// What an executor says that it runs, where no upgrade of ours explains it.
pub(super) fn note_version(sql: &Connection, executor: &Executor, now: Timestamp) -> Sql<()> {
    let id = executor.id;
    let known: Option<Word<Version>> = sql
        .prepare_cached(
            "SELECT version FROM revisions WHERE executor_id = ?1 AND status = 'COMPLETED'
             ORDER BY revision DESC LIMIT 1",
        )?
        .query_row(params![Word(&id)], |row| row.get(0))
        .optional()?;
    if known.as_ref().is_some_and(|Word(version)| *version == executor.current_version) {
        return Ok(());
    }
    let description = if known.is_some() { "changed on the host" } else { "first seen" };
    let by = format!("executor {}", executor.name);
    append(sql, id, (&executor.current_version, Stage::Completed), (description, &by, None), now)
}

fn append(
    sql: &Connection,
    executor_id: Uuid,
    (version, status): (&Version, Stage),
    (description, by, upgrade_id): (&str, &str, Option<&str>),
    now: Timestamp,
) -> Sql<()> {
    sql.prepare_cached(
        "INSERT INTO revisions (executor_id, revision, version, status, description, by, upgrade_id, at)
         SELECT ?1, 1 + coalesce(max(revision), 0), ?2, ?3, ?4, ?5, ?6, ?7 FROM revisions WHERE executor_id = ?1",
    )?
    .execute(params![
        Word(&executor_id),
        Word(version),
        Word(&status),
        description,
        by,
        upgrade_id,
        Time(now)
    ])?;
    Ok(())
}

fn revision_of(row: &Row<'_>) -> Sql<Revision> {
    Ok(Revision {
        revision: row.get::<_, Count>("revision")?.0,
        version: row.get::<_, Word<_>>("version")?.0,
        status: row.get::<_, Word<_>>("status")?.0,
        description: row.get("description")?,
        by: row.get("by")?,
        upgrade_id: row.get("upgrade_id")?,
        at: row.get::<_, Time>("at")?.0,
    })
}
