//! Executor keys and the enrolment that issues them.

use jiff::Timestamp;
use novacula_protocol::people::Action;
use novacula_protocol::spec::Kind;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Time, Word};
use super::sql::{Connection, OptionalExtension, Row, params};
use super::{Person, Sql, Store, StoreError};
use crate::executor::{Holder, IdentityRefused, claim_name};
use crate::key::{ExecutorKey, NewKey, Rotation, RotationRefused};
use crate::secrets::SecretHash;

impl Store {
    /// Keys that are not revoked, in the order of their ids, from behind `after` on.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn live_keys(&self, after: Uuid, limit: u32) -> Result<Vec<ExecutorKey>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT * FROM executor_keys WHERE id > ?1 AND revoked_at IS NULL ORDER BY id LIMIT ?2",
            )?
            .query_map(params![Word(&after), limit], key_of)?
            .collect()
        })
        .await
    }

    /// The keys of an account, newest first, from below `before`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn keys(
        &self,
        account_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<ExecutorKey>, StoreError> {
        self.newest("executor_keys", key_of, account_id, (before, limit)).await
    }

    /// Keeps a key that a person made.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn add_key(&self, new: NewKey) -> Result<ExecutorKey, StoreError> {
        self.write(move |sql| {
            let key = insert_key(sql, &new)?;
            let (target, name) = (key.id.to_string(), key.bound_name.as_deref().unwrap_or_default());
            let after = new.expires_at.map(|at| serde_json::json!({"expiresAt": at}));
            let deed = Deed::by(&new.created_by, new.account_id, new.created_at, Action::KeyIssued);
            append(sql, Deed { target: &target, name, after, ..deed })?;
            Ok(key)
        })
        .await
    }

    /// Ends a key; `false` when the account has no such key.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn revoke_key(
        &self,
        by: Person,
        id: Uuid,
        reason: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |sql| {
            let known = sql
                .prepare_cached("SELECT * FROM executor_keys WHERE id = ?1 AND account_id = ?2")?
                .query_row(params![Word(&id), Word(&by.account_id)], key_of)
                .optional()?;
            let Some(known) = known else { return Ok(false) };
            if known.revoked_at.is_none() {
                revoke(sql, id, now)?;
                let (target, name) = (id.to_string(), known.bound_name.as_deref().unwrap_or_default());
                let deed = Deed::by(&by.name, by.account_id, now, Action::KeyRevoked);
                append(sql, Deed { target: &target, name, reason: &reason, ..deed })?;
            }
            Ok(true)
        })
        .await
    }

    /// Gives a key a new secret; the one before goes on working for as long as the rotation says.
    ///
    /// # Errors
    /// When the store does not answer; inside, when the key gets none.
    pub async fn rotate_key(
        &self,
        by: Person,
        id: Uuid,
        new: Rotation,
        now: Timestamp,
    ) -> Result<Result<ExecutorKey, RotationRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let known = sql
                .prepare_cached("SELECT * FROM executor_keys WHERE id = ?1 AND account_id = ?2")?
                .query_row(params![Word(&id), Word(&by.account_id)], key_of)
                .optional()?;
            let Some(known) = known else { return Ok(Err(RotationRefused::NotFound)) };
            if known.revoked_at.is_some() {
                return Ok(Err(RotationRefused::Revoked));
            }
            let expires_at = new.expires_at.or(known.expires_at);
            if expires_at.is_some_and(|at| at <= now) {
                return Ok(Err(RotationRefused::Expired));
            }
            // A rotation never lets the old secret live for longer than it would have.
            let until = |until: Timestamp| known.expires_at.map_or(until, |ends| ends.min(until));
            let previous = new.previous_until.map(until).filter(|at| *at > now).map(|until| (known.hash, until));
            sql.prepare_cached(
                "UPDATE executor_keys SET hash = ?2, expires_at = ?3, previous_hash = ?4, previous_until = ?5
                 WHERE id = ?1",
            )?
            .execute(params![
                Word(&id),
                new.hash,
                expires_at.map(Time),
                previous.map(|(hash, _)| hash),
                previous.map(|(_, until)| Time(until)),
            ])?;
            let (target, name) = (id.to_string(), known.bound_name.as_deref().unwrap_or_default());
            let before = known.expires_at.map(|at| serde_json::json!({"expiresAt": at}));
            let after = serde_json::json!({"expiresAt": expires_at, "previousUntil": previous.map(|(_, until)| until)});
            let deed = Deed::by(&by.name, by.account_id, now, Action::KeyRotated);
            append(sql, Deed { target: &target, name, before, after: Some(after), ..deed })?;
            Ok(Ok(ExecutorKey { hash: new.hash, expires_at, previous, ..known }))
        })
        .await
    }

    /// Exchanges an enrolment token for a key bound to a name. Answers the new key and the one it replaces.
    ///
    /// # Errors
    /// When the store does not answer; inside, when the token or the name is refused.
    pub async fn enroll(
        &self,
        token: SecretHash,
        kind: Kind,
        name: String,
        key: (Uuid, SecretHash),
        now: Timestamp,
    ) -> Result<Result<(ExecutorKey, Option<Uuid>), IdentityRefused>, StoreError> {
        self.write_or_refuse(move |sql| enroll(sql, token, kind, &name, key, now)).await
    }
}

type Enrolled = Result<(ExecutorKey, Option<Uuid>), IdentityRefused>;

fn enroll(
    sql: &Connection,
    token: SecretHash,
    kind: Kind,
    name: &str,
    (id, hash): (Uuid, SecretHash),
    now: Timestamp,
) -> Sql<Enrolled> {
    let found: Option<(Word<Uuid>, Word<Uuid>, bool, bool)> = sql
        .prepare_cached(
            "SELECT t.id, t.account_id, t.uses < t.max_uses, a.suspended_at IS NOT NULL
             FROM enrolment_tokens t JOIN accounts a ON a.id = t.account_id
             WHERE t.hash = ?1 AND t.revoked_at IS NULL AND t.expires_at > ?2",
        )?
        .query_row(params![token, Time(now)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((Word(token_id), Word(account_id), has_uses_left, is_suspended)) = found else {
        return Ok(Err(IdentityRefused::UnknownKey));
    };
    if is_suspended {
        return Ok(Err(IdentityRefused::AccountSuspended));
    }

    // The answer to an enrolment can be lost on its way. Asking again with the same token replaces the key that
    // nobody has used yet, and does not count as another use.
    let unused: Option<Word<Uuid>> = sql
        .prepare_cached(
            "SELECT id FROM executor_keys k WHERE account_id = ?1 AND bound_name = ?2 AND enrolment_token_id = ?3
               AND revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM executors e WHERE e.key_id = k.id)",
        )?
        .query_row(params![Word(&account_id), name, Word(&token_id)], |row| row.get(0))
        .optional()?;
    let replaced = unused.map(|Word(unused)| unused);
    match replaced {
        Some(unused) => revoke(sql, unused, now)?,
        None if !has_uses_left => return Ok(Err(IdentityRefused::UnknownKey)),
        None => {
            sql.prepare_cached("UPDATE enrolment_tokens SET uses = uses + 1 WHERE id = ?1")?
                .execute(params![Word(&token_id)])?;
        }
    }

    if let Err(refused) = claim_name(None, name, holder(sql, account_id, name, id, now)?) {
        return Ok(Err(refused));
    }
    let fixed: Option<Word<Kind>> = sql
        .prepare_cached(
            "SELECT kind FROM executors WHERE account_id = ?1 AND name = ?2 AND deleted_at IS NULL",
        )?
        .query_row(params![Word(&account_id), name], |row| row.get(0))
        .optional()?;
    if let Some(Word(fixed)) = fixed.filter(|Word(fixed)| *fixed != kind) {
        return Ok(Err(IdentityRefused::KindMismatch { name: name.to_owned(), fixed, said: kind }));
    }
    let new = NewKey {
        id,
        account_id,
        hash,
        bound_name: Some(name.to_owned()),
        expires_at: None,
        enrolment_token_id: Some(token_id),
        created_by: format!("enrolment token {token_id}"),
        created_at: now,
    };
    let target = id.to_string();
    let deed = Deed::by(&new.created_by, account_id, now, Action::ExecutorEnrolled);
    let before = replaced.map(|replaced| serde_json::json!({"key": replaced}));
    append(sql, Deed { target: &target, name, before, ..deed })?;
    Ok(Ok((insert_key(sql, &new)?, replaced)))
}

/// Who holds `name`, as seen by the key `claimant`.
pub(super) fn holder(
    sql: &Connection,
    account_id: Uuid,
    name: &str,
    claimant: Uuid,
    now: Timestamp,
) -> Sql<Holder> {
    let of_row: Option<(Word<Uuid>, bool)> = sql
        .prepare_cached(
            "SELECT e.key_id, k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?3)
             FROM executors e JOIN executor_keys k ON k.id = e.key_id
             WHERE e.account_id = ?1 AND e.name = ?2 AND e.deleted_at IS NULL",
        )?
        .query_row(params![Word(&account_id), name, Time(now)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match of_row {
        Some((Word(key), true)) if key != claimant => return Ok(Holder::AnotherLiveKey),
        Some((Word(key), _)) if key == claimant => return Ok(Holder::Claimant),
        _ => {}
    }
    let is_waited_for = sql
        .prepare_cached(
            "SELECT 1 FROM executor_keys
             WHERE account_id = ?1 AND bound_name = ?2 AND id <> ?3 AND revoked_at IS NULL
               AND (expires_at IS NULL OR expires_at > ?4)",
        )?
        .exists(params![Word(&account_id), name, Word(&claimant), Time(now)])?;
    Ok(match (is_waited_for, of_row) {
        (true, _) => Holder::AnotherKeyInWaiting,
        (false, Some(_)) => Holder::RevokedKey,
        (false, None) => Holder::Nobody,
    })
}

/// A key, also one that was revoked.
pub(super) fn by_id(sql: &Connection, id: Uuid) -> Sql<Option<ExecutorKey>> {
    sql.prepare_cached("SELECT * FROM executor_keys WHERE id = ?1")?
        .query_row(params![Word(&id)], key_of)
        .optional()
}

/// A key that is not revoked.
pub(super) fn live_key(sql: &Connection, id: Uuid) -> Sql<Option<ExecutorKey>> {
    sql.prepare_cached("SELECT * FROM executor_keys WHERE id = ?1 AND revoked_at IS NULL")?
        .query_row(params![Word(&id)], key_of)
        .optional()
}

pub(super) fn bind(sql: &Connection, id: Uuid, name: &str) -> Sql<()> {
    sql.prepare_cached("UPDATE executor_keys SET bound_name = ?2 WHERE id = ?1")?
        .execute(params![Word(&id), name])?;
    Ok(())
}

fn revoke(sql: &Connection, id: Uuid, now: Timestamp) -> Sql<()> {
    sql.prepare_cached("UPDATE executor_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL")?
        .execute(params![Word(&id), Time(now)])?;
    Ok(())
}

fn insert_key(sql: &Connection, new: &NewKey) -> Sql<ExecutorKey> {
    sql.prepare_cached(
        "INSERT INTO executor_keys
           (id, account_id, hash, bound_name, enrolment_token_id, created_by, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        Word(&new.id),
        Word(&new.account_id),
        new.hash,
        new.bound_name,
        new.enrolment_token_id.as_ref().map(Word),
        new.created_by,
        Time(new.created_at),
        new.expires_at.map(Time),
    ])?;
    Ok(ExecutorKey {
        id: new.id,
        account_id: new.account_id,
        hash: new.hash,
        bound_name: new.bound_name.clone(),
        created_by: new.created_by.clone(),
        created_at: new.created_at,
        expires_at: new.expires_at,
        previous: None,
        revoked_at: None,
    })
}

fn key_of(row: &Row<'_>) -> Sql<ExecutorKey> {
    let previous: Option<SecretHash> = row.get("previous_hash")?;
    let until: Option<Time> = row.get("previous_until")?;
    Ok(ExecutorKey {
        expires_at: row.get::<_, Option<Time>>("expires_at")?.map(|Time(at)| at),
        previous: previous.zip(until.map(|Time(at)| at)),
        id: row.get::<_, Word<_>>("id")?.0,
        account_id: row.get::<_, Word<_>>("account_id")?.0,
        hash: row.get("hash")?,
        bound_name: row.get("bound_name")?,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        revoked_at: row.get::<_, Option<Time>>("revoked_at")?.map(|Time(at)| at),
    })
}
