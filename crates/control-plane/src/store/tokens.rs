//! Accounts, people's tokens and enrolment tokens.

use jiff::Timestamp;
use novacula_protocol::people::{Action, Role};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Time, Word};
use super::{Sql, Store, StoreError};
use crate::key::EnrolmentToken;
use crate::secrets::SecretHash;

/// Who a person's token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account it acts in.
    pub account_id: Uuid,
    /// Who it is.
    pub user_id: Uuid,
    /// For the record of who asked.
    pub name: String,
    /// What it may do in the account.
    pub role: Role,
    /// It may publish releases.
    pub is_release_manager: bool,
    /// The account is the first one, whose owner keeps the house for the others.
    pub is_in_founding_account: bool,
}

impl Store {
    /// On the first start: creates the default account with one token for its owner. `false` when there is one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn found_account(
        &self,
        ids: [Uuid; 2],
        owner: SecretHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |sql| {
            if sql.prepare("SELECT 1 FROM accounts")?.exists([])? {
                return Ok(false);
            }
            let [account, token] = ids;
            sql.execute(
                "INSERT INTO accounts (id, name, created_at) VALUES (?1, 'default', ?2)",
                params![Word(&account), Time(now)],
            )?;
            sql.execute(
                "INSERT INTO user_tokens (id, account_id, user_name, hash, created_at) VALUES (?1, ?2, 'owner', ?3, ?4)",
                params![Word(&token), Word(&account), owner, Time(now)],
            )?;
            Ok(true)
        })
        .await
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn person(&self, token: SecretHash) -> Result<Option<Person>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT id, account_id, user_name, account_id = (SELECT min(id) FROM accounts)
                 FROM user_tokens WHERE hash = ?1 AND revoked_at IS NULL",
            )?
            .query_row(params![token], |row| {
                Ok(Person {
                    user_id: row.get::<_, Word<_>>(0)?.0,
                    account_id: row.get::<_, Word<_>>(1)?.0,
                    name: row.get(2)?,
                    // Every token there is was made for an owner.
                    role: Role::Owner,
                    is_release_manager: true,
                    is_in_founding_account: row.get(3)?,
                })
            })
            .optional()
        })
        .await
    }

    /// Keeps an enrolment token.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn add_enrolment_token(&self, token: EnrolmentToken) -> Result<(), StoreError> {
        self.write(move |sql| {
            insert(sql, &token)?;
            let target = token.id.to_string();
            let after = serde_json::json!({"maxUses": token.max_uses, "expiresAt": token.expires_at});
            let action = Action::EnrolmentTokenIssued;
            let deed = Deed::by(&token.created_by, token.account_id, token.created_at, action);
            append(sql, Deed { target: &target, after: Some(after), ..deed })
        })
        .await
    }

    /// The enrolment tokens of an account, newest first, from below `before`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn enrolment_tokens(
        &self,
        account_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<EnrolmentToken>, StoreError> {
        self.read(move |sql| {
            let mut rows = sql.prepare_cached(
                "SELECT * FROM enrolment_tokens WHERE account_id = :account AND (:before IS NULL OR id < :before)
                 ORDER BY id DESC LIMIT :limit",
            )?;
            rows.query_map(
                named_params! { ":account": Word(&account_id), ":before": before.as_ref().map(Word), ":limit": limit },
                token_of,
            )?
            .collect()
        })
        .await
    }

    /// Ends an enrolment token; the keys it was exchanged for live on. `false` when the account has no such token.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn revoke_enrolment_token(
        &self,
        by: Person,
        id: Uuid,
        reason: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |sql| {
            let is_known = sql
                .prepare_cached("SELECT 1 FROM enrolment_tokens WHERE id = ?1 AND account_id = ?2")?
                .exists(params![Word(&id), Word(&by.account_id)])?;
            let touched = sql.execute(
                "UPDATE enrolment_tokens SET revoked_at = ?3
                 WHERE id = ?1 AND account_id = ?2 AND revoked_at IS NULL",
                params![Word(&id), Word(&by.account_id), Time(now)],
            )?;
            if touched > 0 {
                let target = id.to_string();
                let deed = Deed::by(&by.name, by.account_id, now, Action::EnrolmentTokenRevoked);
                append(sql, Deed { target: &target, reason: &reason, ..deed })?;
            }
            Ok(is_known)
        })
        .await
    }
}

fn insert(sql: &Connection, token: &EnrolmentToken) -> Sql<()> {
    sql.execute(
        "INSERT INTO enrolment_tokens (id, account_id, hash, max_uses, expires_at, created_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            Word(&token.id),
            Word(&token.account_id),
            token.hash,
            token.max_uses,
            Time(token.expires_at),
            token.created_by,
            Time(token.created_at),
        ],
    )?;
    Ok(())
}

fn token_of(row: &Row<'_>) -> Sql<EnrolmentToken> {
    Ok(EnrolmentToken {
        id: row.get::<_, Word<_>>("id")?.0,
        account_id: row.get::<_, Word<_>>("account_id")?.0,
        hash: row.get("hash")?,
        max_uses: row.get("max_uses")?,
        uses: row.get("uses")?,
        expires_at: row.get::<_, Time>("expires_at")?.0,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        revoked_at: row.get::<_, Option<Time>>("revoked_at")?.map(|Time(at)| at),
    })
}
