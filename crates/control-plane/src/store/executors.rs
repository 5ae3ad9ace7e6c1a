//! Executors: their syncs, their presence, their end.

use jiff::Timestamp;
use novacula_protocol::people::Action;
use novacula_protocol::sync::SyncRequest;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Json, Time, Word};
use super::replicas::THESE_IDS;
use super::sql::{Connection, OptionalExtension, Row, params};
use super::{Person, Sql, Store, StoreError, keys, preflight, presence, requests, revisions, upgrades};
use crate::executor::{Executor, IdentityRefused, Snapshot, claim_name};
use crate::labels::Labels;

/// Executors as they are known, with when they were last heard.
const KNOWN: &str =
    "SELECT e.*, p.last_seen_at, p.restarts FROM executors e JOIN presence p ON p.executor_id = e.id";

impl Store {
    /// Gives every executor with its open upgrade, in the order of their ids, from behind `after` on, to `take`, and answers
    /// which was the last. One after the other: many at once would leave much memory behind that nobody needs again.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn each_snapshot(
        &self,
        after: Uuid,
        limit: u32,
        mut take: impl FnMut(Snapshot) + Send + 'static,
    ) -> Result<Option<Uuid>, StoreError> {
        self.read(move |sql| {
            let last: Option<Word<Uuid>> = sql
                .prepare_cached(
                    "SELECT max(id) FROM (SELECT id FROM executors WHERE id > ?1 AND deleted_at IS NULL
                       ORDER BY id LIMIT ?2) AS portion",
                )?
                .query_row(params![Word(&after), limit], |row| row.get(0))?;
            let Some(Word(last)) = last else { return Ok(None) };
            let mut open = upgrades::open_between(sql, after, last)?;
            let mut rows = sql.prepare_cached(&format!(
                "{KNOWN} WHERE e.id > ?1 AND e.id <= ?2 AND e.deleted_at IS NULL ORDER BY e.id"
            ))?;
            for executor in rows.query_map(params![Word(&after), Word(&last)], executor_of)? {
                let executor = executor?;
                take(Snapshot { upgrade: open.remove(&executor.id), executor });
            }
            Ok(Some(last))
        })
        .await
    }

    /// Makes durable what a sync says; `new_id` is for an executor seen for the first time.
    ///
    /// # Errors
    /// When the store does not answer; inside, when key, name or kind do not fit.
    pub async fn sync(
        &self,
        key_id: Uuid,
        new_id: Uuid,
        said: SyncRequest,
        now: Timestamp,
    ) -> Result<Result<Snapshot, IdentityRefused>, StoreError> {
        self.write_or_refuse(move |sql| sync(sql, key_id, new_id, &said, now)).await
    }

    /// Ends an executor that has no open upgrade and frees its name. Inside: the open upgrade, if there is one;
    /// `false` when the account has no such executor.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn delete_executor(
        &self,
        by: Person,
        id: Uuid,
        reason: String,
        now: Timestamp,
    ) -> Result<Result<bool, Uuid>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(known) = executor(sql, by.account_id, id)? else { return Ok(Ok(false)) };
            if let Some(open) = upgrades::open_id(sql, id)? {
                return Ok(Err(open));
            }
            sql.execute("UPDATE executors SET deleted_at = ?2 WHERE id = ?1", params![Word(&id), Time(now)])?;
            let before = Some(serde_json::json!({"currentVersion": known.current_version}));
            let deed = Deed::by(&by.name, by.account_id, now, Action::ExecutorDeleted);
            append(
                sql,
                Deed { target: &id.to_string(), name: &known.name, reason: &reason, before, ..deed },
            )?;
            Ok(Ok(true))
        })
        .await
    }
}

fn sync(
    sql: &Connection,
    key_id: Uuid,
    new_id: Uuid,
    said: &SyncRequest,
    now: Timestamp,
) -> Sql<Result<Snapshot, IdentityRefused>> {
    let Some(key) = keys::live_key(sql, key_id)? else {
        return Ok(Err(IdentityRefused::UnknownKey));
    };
    let holder = keys::holder(sql, key.account_id, &said.name, key_id, now)?;
    if let Err(refused) = claim_name(key.bound_name.as_deref(), &said.name, holder) {
        return Ok(Err(refused));
    }
    let known = sql
        .prepare_cached(&format!("{KNOWN} WHERE e.account_id = ?1 AND e.name = ?2 AND e.deleted_at IS NULL"))?
        .query_row(params![Word(&key.account_id), said.name], executor_of)
        .optional()?;
    if let Some(known) = known.as_ref().filter(|known| known.kind != said.kind) {
        let name = said.name.clone();
        return Ok(Err(IdentityRefused::KindMismatch { name, fixed: known.kind, said: said.kind }));
    }
    if key.bound_name.is_none() {
        keys::bind(sql, key_id, &said.name)?;
    }

    let mut executor = match known {
        Some(executor) => executor,
        None => {
            let executor = Executor::introduced(new_id, key.account_id, key_id, said, now);
            insert(sql, &executor)?;
            let after = Some(serde_json::json!({
                "kind": said.kind, "currentVersion": said.current_version, "target": said.target, "key": key_id,
            }));
            by_itself(sql, &executor, now, Action::ExecutorCreated, Changed { after, ..Changed::default() })?;
            executor
        }
    };
    let has_open_upgrade = upgrades::open_id(sql, executor.id)?.is_some();
    let news = match &said.upgrade {
        Some(report) => upgrades::absorb_report(sql, &executor, report, now)?,
        None => upgrades::News::default(),
    };
    let has_results = preflight::absorb_results(sql, &mut executor, &said.preflight, now)?;
    if news.has_moved
        || has_results
        || executor.key_id != key_id
        || !executor.knows(said)
        || executor.revision == 0
    {
        note_hold(sql, &executor, said, now)?;
        executor.hear(said);
        executor.key_id = key_id;
        executor.revision += 1;
        update(sql, &executor)?;
        // On trial the new version runs already, and nobody knows yet whether it stays.
        if !has_open_upgrade {
            revisions::note_version(sql, &executor, now)?;
        }
        if let Some(done) = &news.ended {
            requests::next_hop(sql, done, &executor, new_id, now)?;
        }
    }
    let upgrade = upgrades::latest(sql, executor.id)?;
    Ok(Ok(Snapshot { executor, upgrade }))
}

/// What a deed of an executor itself changed, and why.
#[derive(Default)]
struct Changed<'a> {
    reason: &'a str,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
}

fn by_itself(
    sql: &Connection,
    executor: &Executor,
    now: Timestamp,
    action: Action,
    Changed { reason, before, after }: Changed<'_>,
) -> Sql<()> {
    let (actor, target) = (format!("executor {}", executor.name), executor.id.to_string());
    let deed = Deed::by(&actor, executor.account_id, now, action);
    append(sql, Deed { target: &target, name: &executor.name, reason, before, after, ..deed })
}

fn note_hold(sql: &Connection, executor: &Executor, said: &SyncRequest, now: Timestamp) -> Sql<()> {
    // An executor seen for the first time has the hold from this very sync.
    let known = executor.held.as_ref().filter(|_| executor.revision > 0);
    if known == said.held.as_ref() {
        return Ok(());
    }
    let action = if said.held.is_some() { Action::ExecutorHeld } else { Action::ExecutorUnheld };
    let reason = said.held.as_ref().map_or("", |held| &held.reason);
    let json = |held: &novacula_protocol::sync::Held| serde_json::json!(held);
    let (before, after) = (known.map(json), said.held.as_ref().map(json));
    by_itself(sql, executor, now, action, Changed { reason, before, after })
}

/// An executor of the account that was not deleted.
pub(super) fn executor(sql: &Connection, account_id: Uuid, id: Uuid) -> Sql<Option<Executor>> {
    sql.prepare_cached(&format!("{KNOWN} WHERE e.id = ?1 AND e.account_id = ?2 AND e.deleted_at IS NULL"))?
        .query_row(params![Word(&id), Word(&account_id)], executor_of)
        .optional()
}

/// Those of these executors that were not deleted, on a database that control planes share.
pub(super) fn these(sql: &Connection, ids: &[Uuid]) -> Sql<Vec<Executor>> {
    sql.prepare_cached(&format!("{KNOWN} JOIN {THESE_IDS} ON e.id = these.id WHERE e.deleted_at IS NULL"))?
        .query_map(params![Json(ids)], executor_of)?
        .collect()
}

/// Counts a change of the executor's upgrades, and reads both anew.
pub(super) fn revised(sql: &Connection, id: Uuid) -> Sql<Snapshot> {
    sql.prepare_cached("UPDATE executors SET revision = revision + 1 WHERE id = ?1")?
        .execute(params![Word(&id)])?;
    let executor = sql
        .prepare_cached(&format!("{KNOWN} WHERE e.id = ?1"))?
        .query_row(params![Word(&id)], executor_of)?;
    let upgrade = upgrades::latest(sql, id)?;
    Ok(Snapshot { executor, upgrade })
}

fn insert(sql: &Connection, executor: &Executor) -> Sql<()> {
    sql.prepare_cached(
        "INSERT INTO executors (id, account_id, key_id, revision, name, kind, current_version, channel, target, labels,
           held, created_at)
         VALUES (?1, ?2, ?3, 0, ?4, ?5, '', '', '', '', NULL, ?6)",
    )?
    .execute(params![
        Word(&executor.id),
        Word(&executor.account_id),
        Word(&executor.key_id),
        executor.name,
        Word(&executor.kind),
        Time(executor.created_at),
    ])?;
    presence::insert(sql, executor)
}

fn update(sql: &Connection, executor: &Executor) -> Sql<()> {
    let revision = i64::try_from(executor.revision).unwrap_or(i64::MAX);
    sql.prepare_cached(
        "UPDATE executors SET key_id = ?2, revision = ?3, current_version = ?4, channel = ?5, target = ?6, labels = ?7,
           held = ?8, checks = ?9, trusted_keys = ?10 WHERE id = ?1",
    )?
    .execute(params![
        Word(&executor.id),
        Word(&executor.key_id),
        revision,
        Word(&executor.current_version),
        Word(&executor.channel),
        executor.target,
        Json(&executor.host_labels),
        executor.held.as_ref().map(Json),
        Json(&executor.checks),
        executor.trusted_keys.as_deref().map(Json),
    ])?;
    Ok(())
}

fn executor_of(row: &Row<'_>) -> Sql<Executor> {
    let host_labels: Labels = row.get::<_, Json<_>>("labels")?.0;
    let labels_by_people = row.get::<_, Json<_>>("labels_by_people")?.0;
    Ok(Executor {
        id: row.get::<_, Word<_>>("id")?.0,
        account_id: row.get::<_, Word<_>>("account_id")?.0,
        key_id: row.get::<_, Word<_>>("key_id")?.0,
        revision: row.get::<_, super::column::Count>("revision")?.0,
        name: row.get("name")?,
        kind: row.get::<_, Word<_>>("kind")?.0,
        current_version: row.get::<_, Word<_>>("current_version")?.0,
        channel: row.get::<_, Word<_>>("channel")?.0,
        target: row.get("target")?,
        labels: host_labels.under(&labels_by_people),
        host_labels,
        labels_by_people,
        held: row.get::<_, Option<Json<_>>>("held")?.map(|Json(held)| held),
        trusted_keys: row
            .get::<_, Option<Json<_>>>("trusted_keys")?
            .map(|Json(keys): Json<Vec<String>>| keys.into()),
        checks: row.get::<_, Json<_>>("checks")?.0,
        restarts: row.get("restarts")?,
        last_seen_at: row.get::<_, Time>("last_seen_at")?.0,
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}
