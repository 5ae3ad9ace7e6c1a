//! Personal tokens: made, listed and ended. Who they stand for is looked up in `sign_in`.

use jiff::Timestamp;
use novacula_protocol::people::{Action, Role, Token};
use serde_json::json;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Time, Word};
use super::sql::{OptionalExtension, Row, named_params, params};
use super::{Person, Sql, Store, StoreError};
use crate::secrets::SecretHash;

/// A token about to be kept.
pub struct NewToken {
    /// Whose, and in which account.
    pub by: Person,
    /// Its id.
    pub id: Uuid,
    /// How it will be known.
    pub hash: SecretHash,
    /// What for.
    pub name: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When.
    pub now: Timestamp,
}

const COLUMNS: &str =
    "t.id, u.name AS user, t.name, t.created_at, t.expires_at, t.last_used_on, t.revoked_at";

impl Store {
    /// Keeps a token.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn add_token(&self, new: NewToken) -> Result<(), StoreError> {
        self.write(move |sql| {
            let by = &new.by;
            sql.prepare_cached(
                "INSERT INTO personal_tokens (id, account_id, user_id, name, hash, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                Word(&new.id),
                Word(&by.account_id),
                Word(&by.user_id),
                new.name,
                new.hash,
                Time(new.now),
                Time(new.expires_at),
            ])?;
            let target = new.id.to_string();
            let after = Some(json!({"expiresAt": new.expires_at}));
            let deed = Deed::by(&by.name, by.account_id, new.now, Action::TokenIssued);
            append(sql, Deed { target: &target, name: &new.name, after, ..deed })
        })
        .await
    }

    /// The tokens of the account that this person may end, newest first, from below `before`: their own, and all for
    /// who administers the account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn tokens(
        &self,
        by: Person,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Token>, StoreError> {
        self.read(move |sql| {
            let select = format!(
                "SELECT {COLUMNS} FROM personal_tokens t JOIN users u ON u.id = t.user_id
                 WHERE t.account_id = :account AND (:all OR t.user_id = :user) AND (CAST(:before AS TEXT) IS NULL OR t.id < :before)
                 ORDER BY t.id DESC LIMIT :limit"
            );
            sql.prepare_cached(&select)?
                .query_map(
                    named_params! {
                        ":account": Word(&by.account_id), ":user": Word(&by.user_id), ":all": sees_all(&by),
                        ":before": before.as_ref().map(Word), ":limit": limit,
                    },
                    token_of,
                )?
                .collect()
        })
        .await
    }

    /// Ends a token; `false` when this person has none with this id to end.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn revoke_token(&self, by: Person, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        self.write(move |sql| {
            let select = format!(
                "SELECT {COLUMNS} FROM personal_tokens t JOIN users u ON u.id = t.user_id
                 WHERE t.id = ?1 AND t.account_id = ?2 AND (?4 OR t.user_id = ?3)"
            );
            let known = sql
                .prepare_cached(&select)?
                .query_row(
                    params![Word(&id), Word(&by.account_id), Word(&by.user_id), sees_all(&by)],
                    token_of,
                )
                .optional()?;
            let Some(known) = known else { return Ok(false) };
            if known.revoked_at.is_none() {
                sql.prepare_cached("UPDATE personal_tokens SET revoked_at = ?2 WHERE id = ?1")?
                    .execute(params![Word(&id), Time(now)])?;
                let before = Some(json!({"user": known.user}));
                let deed = Deed::by(&by.name, by.account_id, now, Action::TokenRevoked);
                append(sql, Deed { target: &known.id, name: &known.name, before, ..deed })?;
            }
            Ok(true)
        })
        .await
    }
}

fn sees_all(person: &Person) -> bool {
    person.role >= Role::Admin
}

fn token_of(row: &Row<'_>) -> Sql<Token> {
    Ok(Token {
        id: row.get("id")?,
        user: row.get("user")?,
        name: row.get("name")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        expires_at: row.get::<_, Option<Time>>("expires_at")?.map(|Time(at)| at),
        last_used_on: row.get::<_, Option<Word<_>>>("last_used_on")?.map(|Word(day)| day),
        revoked_at: row.get::<_, Option<Time>>("revoked_at")?.map(|Time(at)| at),
    })
}
