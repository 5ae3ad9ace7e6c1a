//! Checks of hosts: asked for by people, answered by executors through their syncs.

use jiff::Timestamp;
use novacula_protocol::people::{Action, Checked};
use novacula_protocol::sync::PreflightResult;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Json, Time, Word};
use super::sql::{Connection, params};
use super::{Person, Sql, Store, StoreError, executors};
use crate::executor::{Executor, Snapshot};

impl Store {
    /// Asks an executor for checks, beside those it has not answered yet; `None` when the account has no such executor.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn ask_for_checks(
        &self,
        by: Person,
        id: Uuid,
        checks: Vec<String>,
        now: Timestamp,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.write(move |sql| ask(sql, &by, id, &checks, now)).await
    }

    /// Asks several executors for checks; those that the account does not have are left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn ask_several_for_checks(
        &self,
        by: Person,
        asked: Vec<(Uuid, Vec<String>)>,
        now: Timestamp,
    ) -> Result<Vec<Snapshot>, StoreError> {
        self.write(move |sql| {
            let asked = asked.iter().filter_map(|(id, checks)| ask(sql, &by, *id, checks, now).transpose());
            asked.collect()
        })
        .await
    }

    /// The last answer to each check an executor was asked for, by name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn preflight(&self, executor_id: Uuid) -> Result<Vec<Checked>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT check_name, ok, note, at FROM preflight WHERE executor_id = ?1 ORDER BY check_name",
            )?
            .query_map(params![Word(&executor_id)], |row| {
                let (check, ok, note) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Checked { result: PreflightResult { check, ok, note }, at: row.get::<_, Time>(3)?.0 })
            })?
            .collect()
        })
        .await
    }
}

fn ask(sql: &Connection, by: &Person, id: Uuid, checks: &[String], now: Timestamp) -> Sql<Option<Snapshot>> {
    let Some(executor) = executors::executor(sql, by.account_id, id)? else { return Ok(None) };
    let mut waiting = executor.checks;
    for check in checks {
        if !waiting.contains(check) {
            waiting.push(check.clone());
        }
    }
    sql.prepare_cached("UPDATE executors SET checks = ?2 WHERE id = ?1")?
        .execute(params![Word(&id), Json(&waiting)])?;
    let after = Some(serde_json::json!({"checks": checks}));
    let deed = Deed::by(&by.name, by.account_id, now, Action::PreflightRequested);
    append(sql, Deed { target: &id.to_string(), name: &executor.name, after, ..deed })?;
    executors::revised(sql, id).map(Some)
}

/// Keeps the answers to what was asked; what nobody asked for is not kept, so that no executor can fill the disk.
pub(super) fn absorb_results(
    sql: &Connection,
    executor: &mut Executor,
    results: &[PreflightResult],
    now: Timestamp,
) -> Sql<bool> {
    let mut has_news = false;
    for result in results {
        let Some(place) = executor.checks.iter().position(|check| *check == result.check) else { continue };
        executor.checks.remove(place);
        has_news = true;
        sql.prepare_cached(
            "INSERT INTO preflight (executor_id, check_name, ok, note, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (executor_id, check_name) DO UPDATE
               SET ok = excluded.ok, note = excluded.note, at = excluded.at",
        )?
        .execute(params![Word(&executor.id), result.check, result.ok, result.note, Time(now)])?;
    }
    Ok(has_news)
}
