//! What happened to an upgrade, line by line: the news of its stages, and what its executor wrote.

use jiff::Timestamp;
use novacula_protocol::people::UpgradeEvent;
use novacula_protocol::sync::LogLine;
use novacula_protocol::{LogLevel, Stage};
use uuid::Uuid;

use super::column::{Count, Word};
use super::sql::{Connection, Row, params};
use super::{Sql, Store, StoreError};
use crate::upgrade::Upgrade;

/// The most log lines that are kept of one upgrade: an executor gone mad must not fill the disk.
const LOG_LINES_KEPT: u32 = 2_000;

impl Store {
    /// Events of an upgrade behind the one with id `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn events(
        &self,
        upgrade_id: Uuid,
        after: u64,
        limit: u32,
    ) -> Result<Vec<UpgradeEvent>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT seq, attempt, at, stage, status, level, message FROM upgrade_log
                 WHERE upgrade_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?
            .query_map(params![Word(&upgrade_id), Count(after), limit], event_of)?
            .collect()
        })
        .await
    }
}

/// Writes down that the upgrade stands elsewhere than before, if it does.
pub(super) fn note_move(
    sql: &Connection,
    before: Option<&Upgrade>,
    after: &Upgrade,
    now: Timestamp,
) -> Sql<()> {
    let place = |upgrade: &Upgrade| (upgrade.shown.attempt, upgrade.shown.stage, upgrade.shown.status);
    if before.is_some_and(|before| place(before) == place(after)) {
        return Ok(());
    }
    let shown = &after.shown;
    let (level, message) = match (&shown.error, shown.stage) {
        (Some(error), _) => (LogLevel::Error, format!("{} {}: {}", shown.stage, shown.status, error.message)),
        (None, Stage::Completed) => (LogLevel::Success, format!("{} {}", shown.stage, shown.status)),
        (None, _) => (LogLevel::Info, format!("{} {}", shown.stage, shown.status)),
    };
    sql.prepare_cached(
        "INSERT INTO upgrade_log (upgrade_id, attempt, at, level, message, stage, status)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        shown.id,
        shown.attempt,
        Word(&now),
        Word(&level),
        message,
        Word(&shown.stage),
        Word(&shown.status),
    ])?;
    Ok(())
}

/// Keeps lines that were said about an upgrade, where it stands now.
pub(super) fn keep_lines(sql: &Connection, upgrade: &Upgrade, attempt: u32, lines: &[LogLine]) -> Sql<()> {
    for line in lines {
        sql.prepare_cached(
            "INSERT INTO upgrade_log (upgrade_id, attempt, at, level, message, stage)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE (SELECT count(*) FROM upgrade_log WHERE upgrade_id = ?1) < ?7
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            upgrade.shown.id,
            attempt,
            Word(&line.at),
            Word(&line.level),
            line.message,
            Word(&upgrade.shown.stage),
            LOG_LINES_KEPT,
        ])?;
    }
    Ok(())
}

fn event_of(row: &Row<'_>) -> Sql<UpgradeEvent> {
    Ok(UpgradeEvent {
        id: row.get::<_, Count>(0)?.0,
        attempt: row.get(1)?,
        at: row.get::<_, Word<_>>(2)?.0,
        stage: row.get::<_, Word<_>>(3)?.0,
        status: row.get::<_, Option<Word<_>>>(4)?.map(|Word(status)| status),
        level: row.get::<_, Word<_>>(5)?.0,
        message: row.get(6)?,
    })
}
