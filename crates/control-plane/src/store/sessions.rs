//! Sessions: begun, found, moved to another account and ended.

use jiff::Timestamp;
use novacula_protocol::people::Action;
use serde_json::json;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Time, Word};
use super::sign_in::{Credential, Opened, PERSON, Person, STANDING, SignedIn, memberships, signed_in, tell};
use super::sql::{Connection, OptionalExtension, params};
use super::{Sql, Store, StoreError};
use crate::secrets::SecretHash;
use crate::session;

/// A session about to begin.
pub struct NewSession {
    /// How it will be known.
    pub hash: SecretHash,
    /// Whose.
    pub user_id: Uuid,
    /// With which token, where it is not opened by the person.
    pub token: Option<OpeningToken>,
    /// When.
    pub now: Timestamp,
}

/// A token that opens a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningToken {
    /// Its id.
    pub id: Uuid,
    /// The one account it acts in.
    pub account_id: Uuid,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// So many browsers and machines has nobody.
const MOST_SESSIONS: u32 = 20;

impl Store {
    /// Whose session this is.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn by_session(
        &self,
        hash: SecretHash,
        now: Timestamp,
        is_attended: bool,
    ) -> Result<Option<SignedIn>, StoreError> {
        let Some((signed_in, last_seen_at)) = self.read(move |sql| live(sql, hash, now)).await? else {
            return Ok(None);
        };
        if is_attended && now.duration_since(last_seen_at) >= session::NOTED_EVERY {
            self.note("UPDATE sessions SET last_seen_at = ?2 WHERE hash = ?1", move |sql, note| {
                sql.prepare_cached(note)?.execute(params![hash, Time(now)])
            })
            .await;
        }
        Ok(Some(signed_in))
    }

    /// Begins a session in the account of the token, else in the first account of the user; `None` when they are in
    /// none.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn open_session(&self, new: NewSession) -> Result<Option<SignedIn>, StoreError> {
        self.write(move |sql| {
            let account_id = match new.token {
                Some(token) => token.account_id.to_string(),
                None => {
                    let all = memberships(sql, new.user_id)?.into_iter();
                    let Some(first) = all.min_by_key(|m| m.is_suspended) else { return Ok(None) };
                    first.account_id
                }
            };
            let idle_since = new.now - session::IDLE;
            sql.prepare_cached("DELETE FROM sessions WHERE expires_at <= ?1 OR last_seen_at <= ?2")?
                .execute(params![Time(new.now), Time(idle_since)])?;
            sql.prepare_cached(
                "DELETE FROM sessions WHERE hash IN
                   (SELECT hash FROM sessions WHERE user_id = ?1 ORDER BY created_at DESC LIMIT ?2 OFFSET ?3)",
            )?
            .execute(params![Word(&new.user_id), i64::MAX, MOST_SESSIONS - 1])?;
            let longest = new.now + session::LONGEST;
            let expires_at = new.token.and_then(|token| token.expires_at).map_or(longest, |at| at.min(longest));
            let token_id = new.token.map(|token| token.id);
            sql.prepare_cached(
                "INSERT INTO sessions (hash, user_id, account_id, created_at, last_seen_at, expires_at, token_id)
                 VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)",
            )?
            .execute(params![
                new.hash,
                Word(&new.user_id),
                account_id,
                Time(new.now),
                Time(expires_at),
                token_id.as_ref().map(Word),
            ])?;
            let opened = live(sql, new.hash, new.now)?.map(|(signed_in, _)| signed_in);
            if let Some(SignedIn { person, .. }) = &opened {
                let target = person.user_id.to_string();
                let after = token_id.map(|id| json!({"tokenId": id}));
                let deed = Deed::by(&person.name, person.account_id, new.now, Action::SessionOpened);
                append(sql, Deed { target: &target, name: &person.name, after, ..deed })?;
            }
            Ok(opened)
        })
        .await
    }

    /// Lets a session act in another account of its user; `false` when it is not one of theirs, or the session is that
    /// of a token, which has one account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn move_session(
        &self,
        by: Person,
        hash: SecretHash,
        account_id: Uuid,
    ) -> Result<bool, StoreError> {
        self.write(move |sql| {
            let moved = sql
                .prepare_cached(
                    "UPDATE sessions SET account_id = ?3 WHERE hash = ?1 AND user_id = ?2
                       AND (token_id IS NULL OR account_id = ?3)
                       AND EXISTS (SELECT 1 FROM memberships WHERE user_id = ?2 AND account_id = ?3)",
                )?
                .execute(params![hash, Word(&by.user_id), Word(&account_id)])?;
            Ok(moved > 0)
        })
        .await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn end_session(&self, by: Person, hash: SecretHash, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |sql| {
            let ended = sql.prepare_cached("DELETE FROM sessions WHERE hash = ?1")?.execute(params![hash])?;
            if ended > 0 {
                tell(sql, &by, Action::SessionEnded, now)?;
            }
            Ok(())
        })
        .await
    }
}

/// A session that has not ended, whose token has not ended either where it has one, and when it was last seen.
fn live(sql: &Connection, hash: SecretHash, now: Timestamp) -> Sql<Option<(SignedIn, Timestamp)>> {
    let select = format!(
        "SELECT {PERSON}, c.last_seen_at, c.expires_at, t.id IS NOT NULL AS is_of_token, t.expires_at AS token_expires_at
         FROM sessions c {STANDING} LEFT JOIN personal_tokens t ON t.id = c.token_id
         WHERE c.hash = ?1
           AND (t.id IS NULL OR t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ?2))"
    );
    let found = sql
        .prepare_cached(&select)?
        .query_row(params![hash, Time(now)], |row| {
            let Time(expires_at) = row.get("expires_at")?;
            let Time(last_seen_at) = row.get("last_seen_at")?;
            let token_expires_at = row.get::<_, Option<Time>>("token_expires_at")?.map(|Time(at)| at);
            let opened = match row.get("is_of_token")? {
                true => Opened::ByToken { expires_at: token_expires_at },
                false => Opened::ByPerson,
            };
            let credential = Credential::Session { hash, expires_at, opened };
            Ok((signed_in(row, credential)?, last_seen_at, expires_at))
        })
        .optional()?;
    let live =
        found.filter(|(_, last_seen_at, expires_at)| session::is_live(*last_seen_at, *expires_at, now));
    Ok(live.map(|(signed_in, last_seen_at, _)| (signed_in, last_seen_at)))
}
