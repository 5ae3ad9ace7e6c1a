//! What happened to an upgrade, line by line: the news of its stages, and what its executor wrote.

use std::borrow::Cow;

use jiff::Timestamp;
use novacula_protocol::people::UpgradeEvent;
use novacula_protocol::sync::LogLine;
use novacula_protocol::{LogLevel, Stage, Status};
use serde::Serialize;
use uuid::Uuid;

use super::column::{Count, JsonList, Word};
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

/// What is kept of an upgrade: the news of a stage has a status, a line of its executor has none.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    upgrade_id: &'a str,
    attempt: u32,
    at: Timestamp,
    level: LogLevel,
    message: Cow<'a, str>,
    stage: Stage,
    status: Option<Status>,
    /// Of the lines that were said at once.
    place: usize,
}

/// That the upgrade stands elsewhere than before, if it does.
pub(super) fn of_move<'a>(before: Option<&Upgrade>, after: &'a Upgrade, now: Timestamp) -> Option<Event<'a>> {
    let place = |upgrade: &Upgrade| (upgrade.shown.attempt, upgrade.shown.stage, upgrade.shown.status);
    if before.is_some_and(|before| place(before) == place(after)) {
        return None;
    }
    let shown = &after.shown;
    let (level, message) = match (&shown.error, shown.stage) {
        (Some(error), _) => (LogLevel::Error, format!("{} {}: {}", shown.stage, shown.status, error.message)),
        (None, Stage::Completed) => (LogLevel::Success, format!("{} {}", shown.stage, shown.status)),
        (None, _) => (LogLevel::Info, format!("{} {}", shown.stage, shown.status)),
    };
    Some(Event {
        upgrade_id: &shown.id,
        attempt: shown.attempt,
        at: now,
        level,
        message: message.into(),
        stage: shown.stage,
        status: Some(shown.status),
        place: 0,
    })
}

/// Lines that were said about an upgrade, where it stands now.
pub(super) fn of_lines<'a>(
    upgrade: &'a Upgrade,
    attempt: u32,
    lines: &'a [LogLine],
) -> impl Iterator<Item = Event<'a>> {
    lines.iter().enumerate().map(move |(place, line)| Event {
        upgrade_id: &upgrade.shown.id,
        attempt,
        at: line.at,
        level: line.level,
        message: (&line.message).into(),
        stage: upgrade.shown.stage,
        status: None,
        place,
    })
}

/// Keeps each of them, once.
pub(super) fn keep<'a>(sql: &Connection, events: impl IntoIterator<Item = Event<'a>>) -> Sql<()> {
    for event in events {
        sql.prepare_cached(
            "INSERT INTO upgrade_log (upgrade_id, attempt, at, level, message, stage, status)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
             WHERE CAST(?7 AS TEXT) IS NOT NULL OR (SELECT count(*) FROM upgrade_log WHERE upgrade_id = ?1) < ?8
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            event.upgrade_id,
            event.attempt,
            Word(&event.at),
            Word(&event.level),
            event.message,
            Word(&event.stage),
            event.status.as_ref().map(Word),
            LOG_LINES_KEPT,
        ])?;
    }
    Ok(())
}

/// The same in one statement for all, on a database that is a way away.
pub(super) fn keep_together(sql: &Connection, mut events: Vec<Event<'_>>) -> Sql<()> {
    if events.is_empty() {
        return Ok(());
    }
    for event in &mut events {
        // As where each is kept by itself: the engine takes no NUL.
        if event.message.contains('\0') {
            event.message = event.message.replace('\0', "\u{fffd}").into();
        }
    }
    sql.prepare_cached(
        "INSERT INTO upgrade_log (upgrade_id, attempt, at, level, message, stage, status)
         SELECT n.upgrade_id, n.attempt, n.at, n.level, n.message, n.stage, n.status
         FROM json_to_recordset(CAST(CAST(?1 AS TEXT) AS json)) AS n(upgrade_id TEXT COLLATE \"C\", attempt BIGINT,
           at TEXT, level TEXT, message TEXT, stage TEXT, status TEXT, place BIGINT)
         WHERE n.status IS NOT NULL
           OR (SELECT count(*) FROM upgrade_log l WHERE l.upgrade_id = n.upgrade_id) + n.place < ?2
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![JsonList(&events), LOG_LINES_KEPT])?;
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
