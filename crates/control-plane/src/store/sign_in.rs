//! Who asks: tokens and passwords, and what stands behind them at this moment. Nothing of it is remembered
//! between two requests, so that whoever is removed, disabled or demoted is so from the next request on.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use novacula_protocol::people::{Action, Membership, Role};
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Time, Word};
use super::sql::{Connection, OptionalExtension, Row, params};
use super::{Sql, Store, StoreError};
use crate::secrets::SecretHash;

/// Who asks, and what they may do in the account they act in.
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

/// What somebody has shown to be who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A personal token.
    Token {
        /// Its id.
        id: Uuid,
        /// When it ends.
        expires_at: Option<Timestamp>,
    },
    /// The cookie of a session.
    Session {
        /// How it is known.
        hash: SecretHash,
        /// When it ends at the latest.
        expires_at: Timestamp,
        /// How it began.
        opened: Opened,
    },
}

/// How a session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// By a person, who is in all of their accounts.
    ByPerson,
    /// With a token: it can do no more than that one, and not for longer.
    ByToken {
        /// When the token ends.
        expires_at: Option<Timestamp>,
    },
}

/// Somebody who has shown who they are.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub person: Person,
    /// By what.
    pub credential: Credential,
    /// Their account only keeps its lists.
    pub is_account_suspended: bool,
    /// They have to change their password first.
    pub must_change_password: bool,
}

/// What a login needs to know of a user.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user_id: Uuid,
    /// As it was registered, which may differ in case from what was typed.
    pub name: String,
    /// What is kept of the password.
    pub password: Option<String>,
}

/// The columns that make a [`Person`], from `m`emberships, `u`sers and `a`ccounts.
pub(super) const PERSON: &str = "m.account_id, m.user_id, u.name, m.role, m.is_release_manager, a.is_founding, \
                      a.suspended_at IS NOT NULL AS is_suspended, u.must_change_password";
pub(super) const STANDING: &str = "JOIN users u ON u.id = c.user_id AND u.disabled_at IS NULL
     JOIN memberships m ON m.user_id = c.user_id AND m.account_id = c.account_id
     JOIN accounts a ON a.id = c.account_id";
impl Store {
    /// Whose token this is.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn by_token(&self, hash: SecretHash, now: Timestamp) -> Result<Option<SignedIn>, StoreError> {
        let found = self
            .read(move |sql| {
                let select = format!(
                    "SELECT {PERSON}, c.id, c.expires_at, c.last_used_on FROM personal_tokens c {STANDING}
                     WHERE c.hash = ?1 AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > ?2)"
                );
                sql.prepare_cached(&select)?
                    .query_row(params![hash, Time(now)], |row| {
                        let expires_at = row.get::<_, Option<Time>>("expires_at")?.map(|Time(at)| at);
                        let Word(id) = row.get::<_, Word<Uuid>>("id")?;
                        let signed_in = signed_in(row, Credential::Token { id, expires_at })?;
                        // A one-time password waits for the person, not for their programs.
                        let signed_in = SignedIn { must_change_password: false, ..signed_in };
                        let last_used_on = row.get::<_, Option<Word<Date>>>("last_used_on")?.map(|Word(day)| day);
                        Ok((signed_in, id, last_used_on))
                    })
                    .optional()
            })
            .await?;
        let Some((signed_in, id, last_used_on)) = found else { return Ok(None) };
        let today = now.to_zoned(TimeZone::UTC).date();
        if last_used_on != Some(today) {
            self.note("UPDATE personal_tokens SET last_used_on = ?2 WHERE id = ?1", move |sql, note| {
                sql.prepare_cached(note)?.execute(params![Word(&id), Word(&today)])
            })
            .await;
        }
        Ok(Some(signed_in))
    }

    /// Writes down that something was used. On a full disk people can still look.
    pub(super) async fn note(
        &self,
        note: &'static str,
        write: impl FnOnce(&Connection, &str) -> Sql<usize> + Send + 'static,
    ) {
        if let Err(e) = self.write(move |sql| write(sql, note)).await {
            tracing::warn!("when a token or a session was last used is not kept: {e}");
        }
    }

    /// The user who logs in by this name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn login(&self, name: String) -> Result<Option<Login>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT id, name, password FROM users WHERE lower(name) = ?1 AND disabled_at IS NULL",
            )?
            .query_row(params![name.to_ascii_lowercase()], login_of)
            .optional()
        })
        .await
    }

    /// The user whom the OpenID provider means: by their subject, else by an address that it has verified.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn login_by_oidc(
        &self,
        subject: String,
        verified_email: Option<String>,
    ) -> Result<Option<Login>, StoreError> {
        self.read(move |sql| {
            let by_subject = sql
                .prepare_cached(
                    "SELECT id, name, password FROM users WHERE oidc_subject = ?1 AND disabled_at IS NULL",
                )?
                .query_row(params![subject], login_of)
                .optional()?;
            if by_subject.is_some() {
                return Ok(by_subject);
            }
            // Whoever is linked to another subject is another person, whatever the address says.
            sql.prepare_cached(
                "SELECT id, name, password FROM users
                 WHERE lower(name) = ?1 AND disabled_at IS NULL AND oidc_subject IS NULL",
            )?
            .query_row(params![verified_email.map(|email| email.to_ascii_lowercase())], login_of)
            .optional()
        })
        .await
    }

    /// The accounts a user is in, by name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn memberships(&self, user_id: Uuid) -> Result<Vec<Membership>, StoreError> {
        self.read(move |sql| memberships(sql, user_id)).await
    }

    /// Keeps a new password and ends every other session of the user.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn change_password(
        &self,
        by: Person,
        keep: SecretHash,
        password: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |sql| {
            sql.prepare_cached("UPDATE users SET password = ?2, must_change_password = FALSE WHERE id = ?1")?
                .execute(params![Word(&by.user_id), password])?;
            sql.prepare_cached("DELETE FROM sessions WHERE user_id = ?1 AND hash <> ?2")?
                .execute(params![Word(&by.user_id), keep])?;
            tell(sql, &by, Action::UserPasswordChanged, now)
        })
        .await
    }
}

pub(super) fn tell(sql: &Connection, person: &Person, action: Action, now: Timestamp) -> Sql<()> {
    let target = person.user_id.to_string();
    let deed = Deed::by(&person.name, person.account_id, now, action);
    append(sql, Deed { target: &target, name: &person.name, ..deed })
}

pub(super) fn signed_in(row: &Row<'_>, credential: Credential) -> Sql<SignedIn> {
    Ok(SignedIn {
        person: Person {
            account_id: row.get::<_, Word<_>>("account_id")?.0,
            user_id: row.get::<_, Word<_>>("user_id")?.0,
            name: row.get("name")?,
            role: row.get::<_, Word<_>>("role")?.0,
            is_release_manager: row.get("is_release_manager")?,
            is_in_founding_account: row.get("is_founding")?,
        },
        credential,
        is_account_suspended: row.get("is_suspended")?,
        must_change_password: row.get("must_change_password")?,
    })
}

fn login_of(row: &Row<'_>) -> Sql<Login> {
    Ok(Login { user_id: row.get::<_, Word<_>>(0)?.0, name: row.get(1)?, password: row.get(2)? })
}

pub(super) fn memberships(sql: &Connection, user_id: Uuid) -> Sql<Vec<Membership>> {
    sql.prepare_cached(
        "SELECT m.account_id, a.name, m.role, m.is_release_manager, a.suspended_at IS NOT NULL
         FROM memberships m JOIN accounts a ON a.id = m.account_id WHERE m.user_id = ?1 ORDER BY a.name",
    )?
    .query_map(params![Word(&user_id)], |row| {
        Ok(Membership {
            account_id: row.get(0)?,
            name: row.get(1)?,
            role: row.get::<_, Word<_>>(2)?.0,
            is_release_manager: row.get(3)?,
            is_suspended: row.get(4)?,
        })
    })?
    .collect()
}
