//! Upgrades: requested as compare-and-swap, moved by reports, ended by the clock.

use std::collections::HashMap;

use jiff::Timestamp;
use novacula_protocol::Stage;
use novacula_protocol::people::Action;
use novacula_protocol::sync::{LogLine, UpgradeReport};
use uuid::Uuid;

use super::activity::{CONTROL_PLANE, Deed, append};
use super::column::{Count, Json, Time, Word};
use super::replicas::THESE_IDS;
use super::sql::{Connection, OptionalExtension, named_params, params};
use super::{Sql, Store, StoreError, events, executors, revisions, upgrade_rows as rows};
use crate::executor::{Executor, Snapshot};
use crate::upgrade::{self, Upgrade};

/// Read from two indexes and from no row.
const COUNT: &str = "SELECT stage, count(*) FROM upgrades
     WHERE account_id = ?1 AND ended_at IS NULL GROUP BY stage
     UNION ALL
     SELECT stage, count(*) FROM upgrades
     WHERE account_id = ?1 AND stage IN ('COMPLETED', 'ROLLEDBACK', 'ABANDONED', 'FAILED') AND ended_at >= ?2
     GROUP BY stage";

/// Which upgrades are listed.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Only of this executor.
    pub executor_id: Option<Uuid>,
    /// Only in one of these stages.
    pub stages: Vec<Stage>,
    /// Only those requested before this one.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// Puts `after` in the place of `before`; `None` when there is something else by now.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn swap_upgrade(
        &self,
        before: Upgrade,
        after: Upgrade,
        now: Timestamp,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.write(move |sql| {
            let known = sql
                .prepare_cached("SELECT * FROM upgrades WHERE id = ?1")?
                .query_row(params![before.shown.id], |row| {
                    Ok((rows::read(row)?, row.get::<_, Word<Uuid>>("executor_id")?.0))
                })
                .optional()?;
            let Some((known, executor_id)) = known else { return Ok(None) };
            if upgrade::is_durable_change(&known, &before) {
                return Ok(None);
            }
            rows::update(sql, &after)?;
            events::keep(sql, events::of_move(Some(&known), &after, now))?;
            if let Some(action) = ended(&known, &after) {
                note(sql, CONTROL_PLANE, action, (Some(&known), &after), None, now)?;
            }
            executors::revised(sql, executor_id).map(Some)
        })
        .await
    }

    /// Upgrades of an account, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn upgrades(&self, account_id: Uuid, listed: Listed) -> Result<Vec<Upgrade>, StoreError> {
        self.read(move |sql| {
            let stages: Vec<&str> = listed.stages.iter().map(|stage| stage.as_str()).collect();
            let mut rows = sql.prepare_cached(
                "SELECT * FROM upgrades WHERE account_id = :account
                   AND (CAST(:executor AS TEXT) IS NULL OR executor_id = :executor)
                   AND (CAST(:before AS TEXT) IS NULL OR id < :before)
                   AND stage IN (SELECT value FROM json_each(:stages))
                 ORDER BY id DESC LIMIT :limit",
            )?;
            rows.query_map(
                named_params! {
                    ":account": Word(&account_id),
                    ":executor": listed.executor_id.as_ref().map(Word),
                    ":before": listed.before.as_ref().map(Word),
                    ":stages": Json(&stages),
                    ":limit": listed.limit,
                },
                rows::read,
            )?
            .collect()
        })
        .await
    }

    /// How many upgrades of all accounts have ended at each stage; a stage with none is left out. Those that are open the
    /// memory of the fleet knows.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn ended_upgrades_by_stage(&self) -> Result<Vec<(Stage, u64)>, StoreError> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached(
                "SELECT stage, CAST(sum(count) AS BIGINT) FROM upgrade_counts WHERE count > 0 GROUP BY stage",
            )?;
            rows.query_map([], |row| Ok((row.get::<_, Word<_>>(0)?.0, row.get::<_, Count>(1)?.0)))?.collect()
        })
        .await
    }

    /// How many upgrades of an account stand at each stage, of those that are open or have ended since then; a stage
    /// with none is left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn count_upgrades(
        &self,
        account_id: Uuid,
        since: Timestamp,
    ) -> Result<Vec<(Stage, u64)>, StoreError> {
        self.read(move |sql| {
            let mut rows = sql.prepare_cached(COUNT)?;
            rows.query_map(params![Word(&account_id), Time(since)], |row| {
                Ok((row.get::<_, Word<_>>(0)?.0, row.get::<_, Count>(1)?.0))
            })?
            .collect()
        })
        .await
    }

    /// The open upgrade of an executor, else the one that was requested last.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn latest_upgrade(&self, executor_id: Uuid) -> Result<Option<Upgrade>, StoreError> {
        self.read(move |sql| latest(sql, executor_id)).await
    }

    /// One upgrade of an account, with its log.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn upgrade(&self, account_id: Uuid, id: Uuid) -> Result<Option<Upgrade>, StoreError> {
        self.read(move |sql| {
            let found = sql
                .prepare_cached("SELECT * FROM upgrades WHERE id = ?1 AND account_id = ?2")?
                .query_row(params![Word(&id), Word(&account_id)], rows::read)
                .optional()?;
            let Some(mut upgrade) = found else { return Ok(None) };
            let mut lines = sql.prepare_cached(
                "SELECT at, level, message FROM upgrade_log WHERE upgrade_id = ?1 AND status IS NULL ORDER BY seq",
            )?;
            upgrade.shown.log = lines
                .query_map(params![Word(&id)], |row| {
                    Ok(LogLine {
                        at: row.get::<_, Word<_>>(0)?.0,
                        level: row.get::<_, Word<_>>(1)?.0,
                        message: row.get(2)?,
                    })
                })?
                .collect::<Sql<_>>()?;
            Ok(Some(upgrade))
        })
        .await
    }
}

/// What a report has changed.
#[derive(Default)]
pub(super) struct News {
    /// Something has to be kept.
    pub has_moved: bool,
    /// The upgrade that came to its end by it.
    pub ended: Option<Upgrade>,
}

/// Moves the upgrade a report is about, and keeps the lines it brings.
pub(super) fn absorb_report(
    sql: &Connection,
    executor: &Executor,
    report: &UpgradeReport,
    now: Timestamp,
) -> Sql<News> {
    let known = sql
        .prepare_cached("SELECT * FROM upgrades WHERE id = ?1 AND executor_id = ?2")?
        .query_row(params![report.upgrade_id, Word(&executor.id)], rows::read)
        .optional()?;
    let Some(known) = known.filter(|known| upgrade::is_about(report, known)) else {
        return Ok(News::default());
    };
    let mut news = News::default();
    let mut moved = upgrade::absorb(&known, report, now);
    // One at a time: what was given up comes back only while nothing has taken its place.
    if !known.is_open() && moved.is_open() && open_id(sql, executor.id)?.is_some() {
        moved = known.clone();
    }
    news.has_moved = upgrade::is_durable_change(&known, &moved);
    if news.has_moved {
        rows::update(sql, &moved)?;
        events::keep(sql, events::of_move(Some(&known), &moved, now))?;
        let actor = format!("executor {}", executor.name);
        let is_dry_run = known.is_dry_run();
        if !known.is_picked_up() && moved.is_picked_up() && !is_dry_run {
            note(sql, &actor, Action::UpgradeStarted, (Some(&known), &moved), None, now)?;
        }
        if let Some(action) = ended(&known, &moved) {
            note(sql, &actor, action, (Some(&known), &moved), None, now)?;
            if action == Action::UpgradeEnded {
                revisions::note_end(sql, executor.id, &moved, now)?;
                news.ended = Some(moved.clone());
            }
        }
    }
    events::keep(sql, events::of_lines(&moved, report.attempt, &report.log))?;
    Ok(news)
}

/// What came to its end between the two, if anything did.
fn ended(before: &Upgrade, after: &Upgrade) -> Option<Action> {
    if before.is_dry_run() && !after.is_dry_run() && after.is_open() {
        return Some(Action::UpgradeValidated);
    }
    let has_ended = before.is_open() && !after.is_open() || before.ended_by_server && !after.ended_by_server;
    has_ended.then_some(Action::UpgradeEnded)
}

/// Tells of an upgrade under the id of the upgrade and the name of its executor.
pub(super) fn note(
    sql: &Connection,
    actor: &str,
    action: Action,
    (before, after): (Option<&Upgrade>, &Upgrade),
    said: Option<&str>,
    now: Timestamp,
) -> Sql<()> {
    let json = |upgrade: &Upgrade| {
        let shown = &upgrade.shown;
        serde_json::json!({
            "executorId": shown.executor_id, "fromVersion": shown.from_version,
            "targetVersion": shown.target_version, "stage": shown.stage, "status": shown.status,
            "attempt": shown.attempt, "intent": shown.intent, "scheduledAt": shown.scheduled_at,
            "forced": shown.forced, "error": shown.error.as_ref().map(|error| &error.code),
        })
    };
    let trouble = match action {
        Action::UpgradeValidated => after.shown.validation.as_ref().and_then(|it| it.error.as_ref()),
        _ => after.shown.error.as_ref(),
    };
    let reason = match (action, said) {
        (Action::UpgradeRequested, _) => &after.shown.description,
        (_, Some(reason)) => reason,
        (_, None) => trouble.map_or("", |error| &error.message),
    };
    let (before, json_after) = (before.map(json), Some(json(after)));
    let deed = Deed::by(actor, after.account_id, now, action);
    let (target, name) = (after.shown.id.as_str(), after.shown.executor_name.as_str());
    append(sql, Deed { target, name, reason, before, after: json_after, ..deed })
}

/// The open one of an executor, else the one that was requested last: an older one may have been tried again.
pub(super) fn latest(sql: &Connection, executor_id: Uuid) -> Sql<Option<Upgrade>> {
    sql.prepare_cached(
        "SELECT * FROM upgrades WHERE id = coalesce(
           (SELECT id FROM upgrades WHERE executor_id = ?1 AND ended_at IS NULL),
           (SELECT id FROM upgrades WHERE executor_id = ?1 ORDER BY id DESC LIMIT 1))",
    )?
    .query_row(params![Word(&executor_id)], rows::read)
    .optional()
}

/// The open upgrades of executors with ids behind `after`, up to `last`.
pub(super) fn open_between(sql: &Connection, after: Uuid, last: Uuid) -> Sql<HashMap<Uuid, Upgrade>> {
    sql.prepare_cached(
        "SELECT * FROM upgrades WHERE executor_id > ?1 AND executor_id <= ?2 AND ended_at IS NULL",
    )?
    .query_map(params![Word(&after), Word(&last)], |row| {
        Ok((row.get::<_, Word<_>>("executor_id")?.0, rows::read(row)?))
    })?
    .collect()
}

/// The open upgrades of these executors, on a database that control planes share.
pub(super) fn open_of(sql: &Connection, executors: &[Uuid]) -> Sql<HashMap<Uuid, Upgrade>> {
    sql.prepare_cached(&format!(
        "SELECT u.* FROM upgrades u JOIN {THESE_IDS} ON u.executor_id = these.id WHERE u.ended_at IS NULL"
    ))?
    .query_map(params![Json(executors)], |row| {
        Ok((row.get::<_, Word<_>>("executor_id")?.0, rows::read(row)?))
    })?
    .collect()
}

pub(super) fn open_id(sql: &Connection, executor_id: Uuid) -> Sql<Option<Uuid>> {
    let open: Option<Word<Uuid>> = sql
        .prepare_cached("SELECT id FROM upgrades WHERE executor_id = ?1 AND ended_at IS NULL")?
        .query_row(params![Word(&executor_id)], |row| row.get(0))
        .optional()?;
    Ok(open.map(|Word(id)| id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::sqlite::open;

    #[test]
    fn upgrades_are_counted_from_indexes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let sql = open(&folder.path().join("novacula.sqlite")).unwrap();
        let sql = Connection::from(sql);
        let mut plan = sql.prepare(&format!("EXPLAIN QUERY PLAN {COUNT}")).unwrap();
        let steps: Vec<String> =
            plan.query_map(params!["a", 0], |row| row.get("detail")).unwrap().collect::<Sql<_>>().unwrap();
        let touches: Vec<_> = steps.iter().filter(|step| step.contains("upgrades")).collect();
        assert!(
            touches.len() == 2 && touches.iter().all(|step| step.contains("USING COVERING INDEX upgrades_")),
            "{steps:?}"
        );
    }
}
