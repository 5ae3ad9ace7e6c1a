//! The statements: each change held against the revision it came after.

use hashbrown::HashSet;
use novacula_protocol::sync::SyncRequest;
use uuid::Uuid;

use super::{Change, Changed};
use crate::store::column::{Columns, Json, Word};
use crate::store::sql::{Connection, Error, Row, Sql, params, turn};
use crate::store::{events, upgrade_rows};

/// Keeps each unless another change of its executor was faster; of each whether it was kept.
pub(super) fn keep(sql: &Connection, changes: &[&Change]) -> Sql<Vec<bool>> {
    if sql.is_embedded() { one_by_one(sql, changes) } else { together(sql, changes) }
}

fn one_by_one(sql: &Connection, changes: &[&Change]) -> Sql<Vec<bool>> {
    let each = changes.iter().map(|change| {
        let is_kept = match &change.what {
            Changed::Facts(said) => keep_facts(sql, change, said)?,
            Changed::Step(step) => {
                let is_kept = revise(sql, change)?;
                if is_kept {
                    upgrade_rows::update_report(sql, &step.after)?;
                    events::keep(sql, change.events())?;
                }
                is_kept
            }
        };
        Ok(is_kept)
    });
    each.collect()
}

/// The same in a few statements for all, on a database that is a way away.
fn together(sql: &Connection, changes: &[&Change]) -> Sql<Vec<bool>> {
    let mut seen = HashSet::with_capacity(changes.len());
    // Of two of one executor the first was faster.
    let is_first: Vec<_> = changes.iter().map(|change| seen.insert(change.executor_id)).collect();
    let first =
        || changes.iter().zip(&is_first).filter(|(_, is_first)| **is_first).map(|(change, _)| *change);

    if changes.iter().all(|change| change.step().is_none()) {
        sql.whole_with_next();
    }
    let facts = keep_all_facts(sql, first().filter_map(|change| Some((change, change.facts()?))))?;
    let steps = revise_all(sql, first().filter(|change| change.step().is_some()))?;
    let is_kept = |(change, is_first): (&&Change, &bool)| {
        let kept = if change.step().is_some() { &steps } else { &facts };
        *is_first && kept.has(change.executor_id)
    };
    let is_kept: Vec<_> = changes.iter().zip(&is_first).map(is_kept).collect();

    let those = || changes.iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept).map(|(change, _)| *change);
    upgrade_rows::update_reports(sql, those().filter_map(Change::step).map(|step| &step.after))?;
    let events: Vec<_> = those().flat_map(Change::events).collect();
    if !events.is_empty() {
        sql.commit_with_next();
    }
    events::keep_together(sql, events)?;
    Ok(is_kept)
}

/// Of whom nobody was faster.
enum Kept {
    All,
    These(HashSet<Uuid>),
}

impl Kept {
    fn has(&self, executor_id: Uuid) -> bool {
        match self {
            Self::All => true,
            Self::These(ids) => ids.contains(&executor_id),
        }
    }
}

fn keep_all_facts<'a>(
    sql: &Connection,
    changes: impl Iterator<Item = (&'a Change, &'a SyncRequest)>,
) -> Sql<Kept> {
    let (mut columns, mut count) = (Columns::default(), 0);
    for (change, said) in changes {
        let trusted_keys = said.trusted_keys.as_deref().map(serde_json::to_string).transpose();
        columns.add([
            &change.executor_id,
            &change.revision,
            &said.channel,
            &said.target,
            &serde_json::to_string(&said.labels).map_err(unfit)?,
            &trusted_keys.map_err(unfit)?.unwrap_or_default(),
        ]);
        count += 1;
    }
    let Some([ids, revisions, channels, targets, labels, trusted_keys]) = columns.texts() else {
        return Ok(Kept::All);
    };
    // Whoever had the turn before may have changed a row that this statement has seen already: it is looked at again.
    sql.prepare_cached(concat!(
        "WITH kept AS (
           UPDATE executors AS e SET revision = CAST(n.revision AS BIGINT), channel = n.channel, target = n.target,
             labels = n.labels, trusted_keys = n.trusted_keys
           FROM unnest(string_to_array(?2, chr(31)), string_to_array(?3, chr(31)), string_to_array(?4, chr(31)),
               string_to_array(?5, chr(31)), string_to_array(?6, chr(31)), string_to_array(?7, chr(31), ''))
             AS n(id, revision, channel, target, labels, trusted_keys)
           WHERE (SELECT ",
        turn!(),
        ") IS NOT NULL AND e.id = n.id COLLATE \"C\" AND e.revision = CAST(n.revision AS BIGINT) - 1
             AND e.deleted_at IS NULL RETURNING e.id)
         SELECT CASE WHEN count(*) < ?1 THEN coalesce(string_agg(id, ','), '') END FROM kept",
    ))?
    .query_row(params![count, ids, revisions, channels, targets, labels, trusted_keys], kept_of)
}

fn revise_all<'a>(sql: &Connection, changes: impl Iterator<Item = &'a Change>) -> Sql<Kept> {
    let (mut columns, mut count) = (Columns::default(), 0);
    for change in changes {
        columns.add([&change.executor_id, &change.revision]);
        count += 1;
    }
    let Some([ids, revisions]) = columns.texts() else { return Ok(Kept::All) };
    sql.prepare_cached(
        "WITH kept AS (
           UPDATE executors AS e SET revision = CAST(n.revision AS BIGINT)
           FROM unnest(string_to_array(?2, chr(31)), string_to_array(?3, chr(31))) AS n(id, revision)
           WHERE e.id = n.id COLLATE \"C\" AND e.revision = CAST(n.revision AS BIGINT) - 1
             AND e.deleted_at IS NULL RETURNING e.id)
         SELECT CASE WHEN count(*) < ?1 THEN coalesce(string_agg(id, ','), '') END FROM kept",
    )?
    .query_row(params![count, ids, revisions], kept_of)
}

/// In one text, because a row for each would cost more than the ids; nothing comes back where everybody was kept.
fn kept_of(row: &Row<'_>) -> Sql<Kept> {
    let ids: Option<String> = row.get(0)?;
    Ok(ids.map_or(Kept::All, |ids| Kept::These(ids.split(',').flat_map(str::parse).collect())))
}

fn unfit(e: serde_json::Error) -> Error {
    Error::Unfit(e.into())
}

fn keep_facts(sql: &Connection, change: &Change, said: &SyncRequest) -> Sql<bool> {
    let changed = sql
        .prepare_cached(
            "UPDATE executors SET revision = ?2, channel = ?3, target = ?4, labels = ?5, trusted_keys = ?6
             WHERE id = ?1 AND revision = ?2 - 1 AND deleted_at IS NULL",
        )?
        .execute(params![
            Word(&change.executor_id),
            signed(change.revision),
            Word(&said.channel),
            said.target,
            Json(&said.labels),
            said.trusted_keys.as_deref().map(Json),
        ])?;
    Ok(changed == 1)
}

fn revise(sql: &Connection, change: &Change) -> Sql<bool> {
    let changed = sql
        .prepare_cached(
            "UPDATE executors SET revision = ?2 WHERE id = ?1 AND revision = ?2 - 1 AND deleted_at IS NULL",
        )?
        .execute(params![Word(&change.executor_id), signed(change.revision)])?;
    Ok(changed == 1)
}

fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
