//! Enrolment tokens.

use jiff::Timestamp;
use novacula_protocol::people::Action;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Time, Word};
use super::sql::{Connection, Row, params};
use super::{Person, Sql, Store, StoreError};
use crate::key::EnrolmentToken;

impl Store {
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
        self.newest("enrolment_tokens", token_of, account_id, (before, limit)).await
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
