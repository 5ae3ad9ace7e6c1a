//! Upgrades of many executors: a batch asks one after the other, or some at once, until each had its turn.

use std::collections::HashMap;

use jiff::Timestamp;
use novacula_protocol::people::{Action, Batch, BatchItem, Outcome, Wait};
use novacula_protocol::reach;
use novacula_protocol::spec::DEFAULT_HEALTH_WINDOW_MS;
use uuid::Uuid;

use super::activity::{CONTROL_PLANE, Deed, append};
use super::column::{Time, Word};
use super::requests::{RequestRefused, UpgradeOrder, request};
use super::sql::{Connection, OptionalExtension, params};
use super::{Person, Sql, Store, StoreError, batch_rows as rows, executors, release_rows, upgrade_rows};
use crate::executor::Snapshot;
use crate::hops;

/// What is known of an executor beside what the store holds.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// It syncs.
    pub is_online: bool,
    /// The freeze or window that stops it.
    pub calendar: Option<Wait>,
    /// For its upgrade.
    pub new_id: Uuid,
}

impl Store {
    /// Keeps a batch and sorts its executors: whose turn comes, who is there, who cannot go.
    ///
    /// # Errors
    /// When the store does not answer; inside, the executor that the account does not have.
    pub async fn add_batch(
        &self,
        by: Person,
        batch: Batch,
        executor_ids: Vec<Uuid>,
    ) -> Result<Result<(), Uuid>, StoreError> {
        self.write_or_refuse(move |sql| {
            rows::insert(sql, &by, &batch)?;
            for (position, id) in executor_ids.into_iter().enumerate() {
                let Some(item) = sorted(sql, &by, &batch, id)? else { return Ok(Err(id)) };
                let position = i64::try_from(position).unwrap_or(i64::MAX);
                sql.prepare_cached(
                    "INSERT INTO batch_items (batch_id, position, executor_id, executor_name, outcome, reason)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    batch.id,
                    position,
                    item.executor_id,
                    item.executor_name,
                    Word(&item.outcome),
                    item.reason
                ])?;
            }
            Ok(Ok(()))
        })
        .await
    }

    /// Batches that have not ended: whose turn may come in each, by account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn batches_under_way(&self) -> Result<Vec<(Uuid, Uuid, Vec<Uuid>)>, StoreError> {
        self.read(|sql| {
            let mut batches = sql.prepare_cached("SELECT id, account_id FROM batches WHERE ended_at IS NULL")?;
            let mut waiting = sql.prepare_cached(
                "SELECT executor_id FROM batch_items WHERE batch_id = ?1 AND outcome = 'waiting' ORDER BY position
                 LIMIT 1000",
            )?;
            batches
                .query_map([], |row| Ok((row.get::<_, Word<Uuid>>(0)?.0, row.get::<_, Word<Uuid>>(1)?.0)))?
                .map(|batch| {
                    let (id, account_id) = batch?;
                    let turns = waiting.query_map(params![Word(&id)], |row| Ok(row.get::<_, Word<_>>(0)?.0))?;
                    Ok((id, account_id, turns.collect::<Sql<_>>()?))
                })
                .collect()
        })
        .await
    }

    /// Takes a batch as far as it can go now. Answers the executors that have a new upgrade.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn advance_batch(
        &self,
        id: Uuid,
        turns: HashMap<Uuid, Turn>,
        ttl_ms: u64,
        now: Timestamp,
    ) -> Result<Vec<Snapshot>, StoreError> {
        self.write(move |sql| advance(sql, id, &turns, ttl_ms, now)).await
    }

    /// Ends a batch before those whose turn has not come; `None` when the account has no such batch, `false` when it
    /// has ended.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn stop_batch(
        &self,
        by: Person,
        id: Uuid,
        reason: String,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        self.write(move |sql| {
            let Some(batch) = rows::find(sql, by.account_id, id)? else { return Ok(None) };
            if batch.ended_at.is_some() {
                return Ok(Some(false));
            }
            stop(sql, by.account_id, &batch, &by.name, &reason, now)?;
            end_if_done(sql, id, now)?;
            Ok(Some(true))
        })
        .await
    }

    /// Batches of an account, newest first, from below `before`, at most `limit`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn batches(
        &self,
        account_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Batch>, StoreError> {
        self.newest("batches", rows::batch_of, account_id, (before, limit)).await
    }

    /// One batch of an account, with its executors.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn batch(&self, account_id: Uuid, id: Uuid) -> Result<Option<Batch>, StoreError> {
        self.read(move |sql| {
            let Some(mut batch) = rows::find(sql, account_id, id)? else { return Ok(None) };
            batch.items = rows::items(sql, id)?.into_iter().map(|(_, item)| item).collect();
            Ok(Some(batch))
        })
        .await
    }
}

/// Where an executor of a batch stands before its turn.
fn sorted(sql: &Connection, by: &Person, batch: &Batch, id: Uuid) -> Sql<Option<BatchItem>> {
    let Some(executor) = executors::executor(sql, by.account_id, id)? else { return Ok(None) };
    let (from, to) = (&executor.current_version, &batch.target_version);
    let (outcome, reason) = if from == to {
        (Outcome::AlreadyThere, String::new())
    } else if executor.kind != batch.kind {
        (Outcome::Refused, format!("it is an executor of kind {}", executor.kind))
    } else if let Some(hop) = reach::hop_between(from, to) {
        let releases = release_rows::of_kind(sql, by.account_id, batch.kind)?;
        match (batch.hops, hops::route(executor.standpoint(), to, &releases)) {
            (false, _) => (Outcome::NeedsHop, hop.to_string()),
            (true, Ok(_)) => (Outcome::Waiting, String::new()),
            (true, Err(no_route)) => (Outcome::Refused, no_route.to_string()),
        }
    } else {
        (Outcome::Waiting, String::new())
    };
    let executor_name = executor.name;
    Ok(Some(BatchItem { executor_id: id.to_string(), executor_name, outcome, reason, upgrade_id: None }))
}

fn advance(
    sql: &Connection,
    id: Uuid,
    turns: &HashMap<Uuid, Turn>,
    ttl_ms: u64,
    now: Timestamp,
) -> Sql<Vec<Snapshot>> {
    let found = sql
        .prepare_cached("SELECT * FROM batches WHERE id = ?1 AND ended_at IS NULL")?
        .query_row(params![Word(&id)], |row| {
            Ok((rows::batch_of(row)?, row.get::<_, Word<Uuid>>("account_id")?.0))
        })
        .optional()?;
    let Some((batch, account_id)) = found else { return Ok(Vec::new()) };
    let mut changed = Vec::new();
    let mut under_way = 0;
    for (position, mut item) in rows::items(sql, id)? {
        if item.outcome == Outcome::Started {
            look(sql, &batch, &mut item)?;
            rows::keep(sql, id, position, &item)?;
            under_way += u32::from(item.outcome == Outcome::Started);
        }
        if batch.stop_on_failure && item.outcome == Outcome::Failed {
            let why = format!("`{}` did not complete: {}", item.executor_name, item.reason);
            stop(sql, account_id, &batch, CONTROL_PLANE, &why, now)?;
            break;
        }
    }
    let is_stopped = batch_is_stopped(sql, id)?;
    let mut waiting = rows::items(sql, id)?.into_iter().filter(|(_, item)| item.outcome == Outcome::Waiting);
    while !is_stopped && under_way < batch.concurrency {
        let Some((position, mut item)) = waiting.next() else { break };
        let Some(turn) = item.executor_id.parse().ok().and_then(|id: Uuid| turns.get(&id)) else { break };
        match ask(sql, &batch, account_id, &item, turn, (ttl_ms, now))? {
            Ok(snapshot) => {
                item.upgrade_id = snapshot.upgrade.as_ref().map(|upgrade| upgrade.shown.id.clone());
                item.outcome = Outcome::Started;
                under_way += 1;
                changed.push(snapshot);
            }
            Err(why) => {
                (item.outcome, item.reason) = (Outcome::Refused, why);
                if batch.stop_on_failure {
                    rows::keep(sql, id, position, &item)?;
                    let why = format!("`{}` was refused: {}", item.executor_name, item.reason);
                    stop(sql, account_id, &batch, CONTROL_PLANE, &why, now)?;
                    break;
                }
            }
        }
        rows::keep(sql, id, position, &item)?;
    }
    end_if_done(sql, id, now)?;
    Ok(changed)
}

/// Asks one executor, as a person would.
fn ask(
    sql: &Connection,
    batch: &Batch,
    account_id: Uuid,
    item: &BatchItem,
    turn: &Turn,
    (ttl_ms, now): (u64, Timestamp),
) -> Sql<Result<Snapshot, String>> {
    if !turn.is_online {
        return Ok(Err("the executor is offline; look after its host, then request its upgrade".to_owned()));
    }
    let Ok(executor_id) = item.executor_id.parse() else {
        return Ok(Err("its id cannot be read".to_owned()));
    };
    let order = UpgradeOrder {
        id: turn.new_id,
        account_id,
        requested_by: batch.requested_by.clone(),
        executor_id,
        target_version: batch.target_version.clone(),
        hops: batch.hops,
        scheduled_at: now,
        deadline: None,
        ttl_ms,
        expires_at: now,
        confirm_start: novacula_protocol::spec::Confirm::Auto,
        confirm: batch.confirm,
        description: batch.description.clone(),
        health_window_ms: DEFAULT_HEALTH_WINDOW_MS,
        calendar: turn.calendar.clone(),
        plan: None,
        now,
    };
    Ok(request(sql, &order)?.map_err(|refused: RequestRefused| refused.to_string()))
}

/// How an upgrade of the batch is doing; after a hop the next one takes its place.
fn look(sql: &Connection, batch: &Batch, item: &mut BatchItem) -> Sql<()> {
    let last = sql
        .prepare_cached(
            "SELECT * FROM upgrades WHERE executor_id = ?1 AND id >= ?2
               AND (target_version = ?3 OR hops_to = ?3) ORDER BY id DESC LIMIT 1",
        )?
        .query_row(
            params![item.executor_id, item.upgrade_id, Word(&batch.target_version)],
            upgrade_rows::read,
        )
        .optional()?;
    let Some(last) = last else { return Ok(()) };
    item.upgrade_id = Some(last.shown.id.clone());
    if last.is_open() {
        return Ok(());
    }
    if last.shown.stage == novacula_protocol::Stage::Completed
        && last.shown.target_version == batch.target_version
    {
        item.outcome = Outcome::Completed;
        return Ok(());
    }
    item.outcome = Outcome::Failed;
    let trouble = last.shown.error.map(|error| format!(": {}", error.message)).unwrap_or_default();
    item.reason = format!("its upgrade ended {}{trouble}", last.shown.stage);
    Ok(())
}

fn stop(sql: &Connection, account_id: Uuid, batch: &Batch, by: &str, why: &str, now: Timestamp) -> Sql<()> {
    sql.execute(
        "UPDATE batch_items SET outcome = ?2, reason = ?3 WHERE batch_id = ?1 AND outcome = ?4",
        params![batch.id, Word(&Outcome::Skipped), "the batch was stopped", Word(&Outcome::Waiting)],
    )?;
    sql.execute("UPDATE batches SET stopped_because = ?2 WHERE id = ?1", params![batch.id, why])?;
    let name = batch.target_version.to_string();
    let deed = Deed::by(by, account_id, now, Action::BatchStopped);
    append(sql, Deed { target: &batch.id, name: &name, reason: why, ..deed })
}

fn batch_is_stopped(sql: &Connection, id: Uuid) -> Sql<bool> {
    sql.prepare_cached("SELECT 1 FROM batches WHERE id = ?1 AND stopped_because IS NOT NULL")?
        .exists(params![Word(&id)])
}

fn end_if_done(sql: &Connection, id: Uuid, now: Timestamp) -> Sql<()> {
    sql.prepare_cached(
        "UPDATE batches SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL AND NOT EXISTS
           (SELECT 1 FROM batch_items WHERE batch_id = ?1 AND outcome IN ('waiting', 'started'))",
    )?
    .execute(params![Word(&id), Time(now)])?;
    Ok(())
}
