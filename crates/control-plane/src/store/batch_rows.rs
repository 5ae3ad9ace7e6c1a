//! A batch and its executors as rows.

use novacula_protocol::people::{Action, Batch, BatchItem};
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Time, Word};
use super::sql::{Connection, OptionalExtension, Row, named_params, params};
use super::{Person, Sql};

pub(super) fn insert(sql: &Connection, by: &Person, batch: &Batch) -> Sql<()> {
    sql.execute(
        "INSERT INTO batches (id, account_id, kind, target_version, concurrency, stop_on_failure, hops, confirm,
           description, requested_by, created_at)
         VALUES (:id, :account, :kind, :target, :concurrency, :stop, :hops, :confirm, :description, :by, :at)",
        named_params! {
            ":id": batch.id,
            ":account": Word(&by.account_id),
            ":kind": Word(&batch.kind),
            ":target": Word(&batch.target_version),
            ":concurrency": batch.concurrency,
            ":stop": batch.stop_on_failure,
            ":hops": batch.hops,
            ":confirm": Word(&batch.confirm),
            ":description": batch.description,
            ":by": batch.requested_by,
            ":at": Time(batch.created_at),
        },
    )?;
    let name = batch.target_version.to_string();
    let after = serde_json::json!({
        "kind": batch.kind, "concurrency": batch.concurrency, "stopOnFailure": batch.stop_on_failure,
        "hops": batch.hops,
    });
    let deed = Deed::by(&by.name, by.account_id, batch.created_at, Action::BatchRequested);
    append(
        sql,
        Deed { target: &batch.id, name: &name, reason: &batch.description, after: Some(after), ..deed },
    )
}

pub(super) fn keep(sql: &Connection, id: Uuid, position: i64, item: &BatchItem) -> Sql<()> {
    sql.prepare_cached(
        "UPDATE batch_items SET outcome = ?3, reason = ?4, upgrade_id = ?5 WHERE batch_id = ?1 AND position = ?2
           AND (outcome, reason, coalesce(upgrade_id, '')) IS DISTINCT FROM (?3, ?4, coalesce(?5, ''))",
    )?
    .execute(params![Word(&id), position, Word(&item.outcome), item.reason, item.upgrade_id])?;
    Ok(())
}

pub(super) fn items(sql: &Connection, id: Uuid) -> Sql<Vec<(i64, BatchItem)>> {
    sql.prepare_cached("SELECT * FROM batch_items WHERE batch_id = ?1 ORDER BY position")?
        .query_map(params![Word(&id)], |row| {
            Ok((
                row.get("position")?,
                BatchItem {
                    executor_id: row.get("executor_id")?,
                    executor_name: row.get("executor_name")?,
                    outcome: row.get::<_, Word<_>>("outcome")?.0,
                    reason: row.get("reason")?,
                    upgrade_id: row.get("upgrade_id")?,
                },
            ))
        })?
        .collect()
}

pub(super) fn find(sql: &Connection, account_id: Uuid, id: Uuid) -> Sql<Option<Batch>> {
    sql.prepare_cached("SELECT * FROM batches WHERE id = ?1 AND account_id = ?2")?
        .query_row(params![Word(&id), Word(&account_id)], batch_of)
        .optional()
}

pub(super) fn batch_of(row: &Row<'_>) -> Sql<Batch> {
    Ok(Batch {
        id: row.get("id")?,
        kind: row.get::<_, Word<_>>("kind")?.0,
        target_version: row.get::<_, Word<_>>("target_version")?.0,
        concurrency: row.get("concurrency")?,
        stop_on_failure: row.get("stop_on_failure")?,
        hops: row.get("hops")?,
        confirm: row.get::<_, Word<_>>("confirm")?.0,
        description: row.get("description")?,
        requested_by: row.get("requested_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        ended_at: row.get::<_, Option<Time>>("ended_at")?.map(|Time(at)| at),
        stopped_because: row.get("stopped_because")?,
        items: Vec::new(),
    })
}
