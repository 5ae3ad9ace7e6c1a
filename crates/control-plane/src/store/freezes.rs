//! Freezes. Whatever changes one answers with the calendar as it is after the change.

use jiff::Timestamp;
use novacula_protocol::people::Action;
use serde_json::Value;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Json, Time, Word};
use super::sql::{Connection, OptionalExtension, Row, params};
use super::windows::entries;
use super::{Person, Sql, Store, StoreError};
use crate::calendar::Entries;
use crate::freeze::Freeze;

/// So many that are not over an account may have: all of them are looked at for every upgrade that waits.
const MOST: u32 = 200;

/// Why a freeze is not kept, ended or removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FreezeRefused {
    /// The account has no such freeze.
    #[error("there is no such freeze")]
    NotFound,
    /// It ends by itself or with a reason.
    #[error("the freeze is in force until {0}; end it with a reason (POST …/end) instead of deleting it")]
    InForce(Timestamp),
    /// It has not begun, or is over.
    #[error("the freeze is not in force: it is from {0} to {1}; only one that is in force can be ended")]
    NotInForce(Timestamp, Timestamp),
    /// Enough.
    #[error("the account has {MOST} freezes that are not over, which is the most; end or delete one first")]
    TooMany,
}

impl Store {
    /// Freezes of an account, newest first, from below `before`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn freezes(
        &self,
        account_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Freeze>, StoreError> {
        self.newest("freezes", freeze_of, account_id, (before, limit)).await
    }

    /// One freeze of an account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn freeze(&self, account_id: Uuid, id: Uuid) -> Result<Option<Freeze>, StoreError> {
        self.read(move |sql| by_id(sql, account_id, id)).await
    }

    /// Keeps a new freeze.
    ///
    /// # Errors
    /// When the store does not answer; inside, when it is refused.
    pub async fn add_freeze(
        &self,
        by: Person,
        freeze: Freeze,
    ) -> Result<Result<(Freeze, Entries), FreezeRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let count: u32 = sql
                .prepare_cached("SELECT count(*) FROM freezes WHERE account_id = ?1 AND ends_at > ?2")?
                .query_row(params![Word(&freeze.account_id), Time(freeze.created_at)], |row| row.get(0))?;
            if count >= MOST {
                return Ok(Err(FreezeRefused::TooMany));
            }
            insert(sql, &freeze)?;
            let (after, now) = (Some(json(&freeze)), freeze.created_at);
            note(sql, &by, Action::FreezeCreated, &freeze.id, &freeze.reason, (None, after), now)?;
            Ok(Ok((freeze, entries(sql, now)?)))
        })
        .await
    }

    /// Ends a freeze before its time.
    ///
    /// # Errors
    /// When the store does not answer; inside, when it is refused.
    pub async fn end_freeze(
        &self,
        by: Person,
        id: Uuid,
        reason: String,
        now: Timestamp,
    ) -> Result<Result<(Freeze, Entries), FreezeRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(known) = by_id(sql, by.account_id, id)? else { return Ok(Err(FreezeRefused::NotFound)) };
            if !known.is_in_force(now) {
                return Ok(Err(FreezeRefused::NotInForce(known.starts_at, known.ends_at)));
            }
            sql.prepare_cached(
                "UPDATE freezes SET ends_at = ?2, ended_by = ?3, end_reason = ?4 WHERE id = ?1",
            )?
            .execute(params![Word(&id), Time(now), by.name, reason])?;
            let ended =
                Freeze { ends_at: now, ended: Some((by.name.clone(), reason.clone())), ..known.clone() };
            let change = (Some(json(&known)), Some(json(&ended)));
            note(sql, &by, Action::FreezeEnded, &id, &reason, change, now)?;
            Ok(Ok((ended, entries(sql, now)?)))
        })
        .await
    }

    /// Removes a freeze that is not in force.
    ///
    /// # Errors
    /// When the store does not answer; inside, when it is refused.
    pub async fn delete_freeze(
        &self,
        by: Person,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Result<((), Entries), FreezeRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(known) = by_id(sql, by.account_id, id)? else { return Ok(Err(FreezeRefused::NotFound)) };
            if known.is_in_force(now) {
                return Ok(Err(FreezeRefused::InForce(known.ends_at)));
            }
            sql.prepare_cached("DELETE FROM freezes WHERE id = ?1")?.execute(params![Word(&id)])?;
            note(sql, &by, Action::FreezeDeleted, &id, "", (Some(json(&known)), None), now)?;
            Ok(Ok(((), entries(sql, now)?)))
        })
        .await
    }
}

/// Those of all accounts that are not over.
pub(super) fn ahead(sql: &Connection, now: Timestamp) -> Sql<Vec<Freeze>> {
    sql.prepare_cached("SELECT * FROM freezes WHERE ends_at > ?1")?
        .query_map(params![Time(now)], freeze_of)?
        .collect()
}

fn insert(sql: &Connection, freeze: &Freeze) -> Sql<()> {
    sql.prepare_cached(
        "INSERT INTO freezes (id, account_id, reason, starts_at, ends_at, selector, zone, created_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        Word(&freeze.id),
        Word(&freeze.account_id),
        freeze.reason,
        Time(freeze.starts_at),
        Time(freeze.ends_at),
        Json(&freeze.selector),
        freeze.zone,
        freeze.created_by,
        Time(freeze.created_at),
    ])?;
    Ok(())
}

fn note(
    sql: &Connection,
    by: &Person,
    action: Action,
    id: &Uuid,
    reason: &str,
    (before, after): (Option<Value>, Option<Value>),
    now: Timestamp,
) -> Sql<()> {
    let deed = Deed::by(&by.name, by.account_id, now, action);
    append(sql, Deed { target: &id.to_string(), reason, before, after, ..deed })
}

fn json(freeze: &Freeze) -> Value {
    serde_json::json!({
        "reason": freeze.reason, "startsAt": freeze.starts_at, "endsAt": freeze.ends_at,
        "selector": freeze.selector, "zone": freeze.zone,
    })
}

fn by_id(sql: &Connection, account_id: Uuid, id: Uuid) -> Sql<Option<Freeze>> {
    sql.prepare_cached("SELECT * FROM freezes WHERE id = ?1 AND account_id = ?2")?
        .query_row(params![Word(&id), Word(&account_id)], freeze_of)
        .optional()
}

fn freeze_of(row: &Row<'_>) -> Sql<Freeze> {
    let ended_by: Option<String> = row.get("ended_by")?;
    let end_reason: Option<String> = row.get("end_reason")?;
    Ok(Freeze {
        id: row.get::<_, Word<_>>("id")?.0,
        account_id: row.get::<_, Word<_>>("account_id")?.0,
        reason: row.get("reason")?,
        starts_at: row.get::<_, Time>("starts_at")?.0,
        ends_at: row.get::<_, Time>("ends_at")?.0,
        selector: row.get::<_, Json<_>>("selector")?.0,
        zone: row.get("zone")?,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        ended: ended_by.zip(end_reason),
    })
}
