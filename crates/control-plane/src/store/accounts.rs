//! Accounts: the one that comes with the control plane, and those its owners make.

use jiff::Timestamp;
use novacula_protocol::people::{Account, Action, Role};
use serde_json::json;
use uuid::Uuid;

use super::activity::{CONTROL_PLANE, Deed, append};
use super::column::{Time, Word};
use super::memberships::{insert_member, insert_user};
use super::sql::{Connection, OptionalExtension, Row, named_params, params};
use super::users::PeopleRefused;
use super::{Person, Sql, Store, StoreError};
use crate::people::Standing;
use crate::secrets::SecretHash;

/// The one everything begins with.
const OWNER: &str = "owner";
const MIGHTIEST: Standing = Standing { role: Role::Owner, is_release_manager: true };

/// What a control plane begins with, or begins anew with.
pub struct OwnerToken {
    /// For an account, a user and a token, as far as they have to be made.
    pub ids: [Uuid; 3],
    /// How the token will be known.
    pub hash: SecretHash,
    /// When.
    pub now: Timestamp,
}

impl Store {
    /// On the first start: creates the founding account with its owner and one token. `false` when there is one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn found_account(&self, new: OwnerToken) -> Result<bool, StoreError> {
        self.write(move |sql| {
            if sql.prepare("SELECT 1 FROM accounts")?.exists([])? {
                return Ok(false);
            }
            let [account, user, _] = new.ids;
            sql.execute(
                "INSERT INTO accounts (id, name, created_at, is_founding) VALUES (?1, 'default', ?2, TRUE)",
                params![Word(&account), Time(new.now)],
            )?;
            insert_user(sql, user, OWNER, new.now)?;
            insert_member(sql, account, user, MIGHTIEST, new.now)?;
            insert_first_token(sql, account, user, &new, "the first", None)?;
            Ok(true)
        })
        .await
    }

    /// Gives an owner of the founding account a new token, and makes one where there is none. Answers whose it is.
    ///
    /// # Errors
    /// When the store does not answer; inside, when there is no account yet.
    pub async fn reset_owner(
        &self,
        new: OwnerToken,
        expires_at: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.write(move |sql| {
            let account: Option<Word<Uuid>> = sql
                .prepare("SELECT id FROM accounts WHERE is_founding")?
                .query_row([], |row| row.get(0))
                .optional()?;
            let Some(Word(account)) = account else { return Ok(None) };
            let [_, user, token] = new.ids;
            let (user, name) = owner_of(sql, account, user, new.now)?;
            insert_first_token(sql, account, user, &new, "reset-owner", Some(expires_at))?;
            let target = token.to_string();
            append(
                sql,
                Deed {
                    target: &target,
                    name: &name,
                    reason: "reset-owner was run on the host of the control plane",
                    after: Some(json!({"expiresAt": expires_at})),
                    ..Deed::by(CONTROL_PLANE, account, new.now, Action::TokenIssued)
                },
            )?;
            Ok(Some(name))
        })
        .await
    }

    /// The accounts that are suspended.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn suspended_accounts(&self) -> Result<Vec<Uuid>, StoreError> {
        self.read(|sql| {
            let mut rows = sql.prepare("SELECT id FROM accounts WHERE suspended_at IS NOT NULL")?;
            rows.query_map([], |row| Ok(row.get::<_, Word<_>>(0)?.0))?.collect()
        })
        .await
    }

    /// The accounts this person can see, newest first, from below `before`: the one they act in; from the house, all.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn accounts(
        &self,
        by: Person,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Account>, StoreError> {
        self.read(move |sql| {
            let mut rows = sql.prepare_cached(
                "SELECT * FROM accounts WHERE (:all OR id = :own) AND (CAST(:before AS TEXT) IS NULL OR id < :before)
                 ORDER BY id DESC LIMIT :limit",
            )?;
            rows.query_map(
                named_params! {
                    ":own": Word(&by.account_id), ":all": keeps_the_house(&by),
                    ":before": before.as_ref().map(Word), ":limit": limit,
                },
                account_of,
            )?
            .collect()
        })
        .await
    }

    /// One account, if this person can see it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn account(&self, by: Person, id: Uuid) -> Result<Option<Account>, StoreError> {
        self.read(move |sql| visible(sql, &by, id)).await
    }

    /// Makes an account; who makes it becomes its first owner.
    ///
    /// # Errors
    /// When the store does not answer; inside, when the name is taken.
    pub async fn add_account(
        &self,
        by: Person,
        id: Uuid,
        name: String,
        now: Timestamp,
    ) -> Result<Result<Account, PeopleRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            if is_taken(sql, &name, id)? {
                return Ok(Err(PeopleRefused::NameTaken(name)));
            }
            sql.prepare_cached("INSERT INTO accounts (id, name, created_at) VALUES (?1, ?2, ?3)")?
                .execute(params![Word(&id), name, Time(now)])?;
            insert_member(sql, id, by.user_id, MIGHTIEST, now)?;
            tell(sql, &by, id, &name, Action::AccountCreated, "", now)?;
            read(sql, id).map(|account| account.ok_or(PeopleRefused::NotFound))
        })
        .await
    }

    /// Gives an account another name.
    ///
    /// # Errors
    /// When the store does not answer; inside, when there is no such account or the name is taken.
    pub async fn rename_account(
        &self,
        by: Person,
        id: Uuid,
        name: String,
        now: Timestamp,
    ) -> Result<Result<Account, PeopleRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(known) = visible(sql, &by, id)? else { return Ok(Err(PeopleRefused::NotFound)) };
            if known.name == name {
                return Ok(Ok(known));
            }
            if is_taken(sql, &name, id)? {
                return Ok(Err(PeopleRefused::NameTaken(name)));
            }
            sql.prepare_cached("UPDATE accounts SET name = ?2 WHERE id = ?1")?
                .execute(params![Word(&id), name])?;
            let target = id.to_string();
            for account in told_in(&by, id) {
                let before = Some(json!({"name": known.name}));
                let after = Some(json!({"name": name}));
                let deed = Deed::by(&by.name, account, now, Action::AccountRenamed);
                append(sql, Deed { target: &target, name: &name, before, after, ..deed })?;
            }
            Ok(Ok(Account { name, ..known }))
        })
        .await
    }

    /// Suspends an account, or lets it act again. As it is already is fine.
    ///
    /// # Errors
    /// When the store does not answer; inside, when there is no such account, or it is the founding one.
    pub async fn set_suspended(
        &self,
        by: Person,
        id: Uuid,
        is_suspended: bool,
        reason: String,
        now: Timestamp,
    ) -> Result<Result<Account, PeopleRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(known) = visible(sql, &by, id)? else { return Ok(Err(PeopleRefused::NotFound)) };
            if known.is_founding {
                return Ok(Err(PeopleRefused::FoundingAccount));
            }
            if known.suspended_at.is_some() == is_suspended {
                return Ok(Ok(known));
            }
            let (since, why) = if is_suspended { (Some(now), Some(reason.clone())) } else { (None, None) };
            sql.prepare_cached(
                "UPDATE accounts SET suspended_at = ?2, suspension_reason = ?3 WHERE id = ?1",
            )?
            .execute(params![Word(&id), since.map(Time), why])?;
            let action = if is_suspended { Action::AccountSuspended } else { Action::AccountResumed };
            tell(sql, &by, id, &known.name, action, &reason, now)?;
            Ok(Ok(Account { suspended_at: since, suspension_reason: why, ..known }))
        })
        .await
    }
}

fn keeps_the_house(person: &Person) -> bool {
    person.is_in_founding_account && person.role == Role::Owner
}

/// What concerns an account from outside is told there and in the house.
fn told_in(by: &Person, id: Uuid) -> Vec<Uuid> {
    if by.account_id == id { vec![id] } else { vec![by.account_id, id] }
}

fn tell(
    sql: &Connection,
    by: &Person,
    id: Uuid,
    name: &str,
    action: Action,
    reason: &str,
    now: Timestamp,
) -> Sql<()> {
    let target = id.to_string();
    for account in told_in(by, id) {
        append(sql, Deed { target: &target, name, reason, ..Deed::by(&by.name, account, now, action) })?;
    }
    Ok(())
}

fn is_taken(sql: &Connection, name: &str, id: Uuid) -> Sql<bool> {
    sql.prepare_cached("SELECT 1 FROM accounts WHERE lower(name) = ?1 AND id <> ?2")?
        .exists(params![name.to_ascii_lowercase(), Word(&id)])
}

fn read(sql: &Connection, id: Uuid) -> Sql<Option<Account>> {
    sql.prepare_cached("SELECT * FROM accounts WHERE id = ?1")?
        .query_row(params![Word(&id)], account_of)
        .optional()
}

fn visible(sql: &Connection, by: &Person, id: Uuid) -> Sql<Option<Account>> {
    if id == by.account_id || keeps_the_house(by) { read(sql, id) } else { Ok(None) }
}

fn account_of(row: &Row<'_>) -> Sql<Account> {
    Ok(Account {
        id: row.get("id")?,
        name: row.get("name")?,
        is_founding: row.get("is_founding")?,
        suspended_at: row.get::<_, Option<Time>>("suspended_at")?.map(|Time(at)| at),
        suspension_reason: row.get("suspension_reason")?,
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}

fn insert_first_token(
    sql: &Connection,
    account: Uuid,
    user: Uuid,
    new: &OwnerToken,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Sql<()> {
    let [_, _, id] = new.ids;
    sql.execute(
        "INSERT INTO personal_tokens (id, account_id, user_id, name, hash, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![Word(&id), Word(&account), Word(&user), name, new.hash, Time(new.now), expires_at.map(Time)],
    )?;
    Ok(())
}

/// An owner of the account who can act: the first there is, else one who is enabled again, else a new one.
fn owner_of(sql: &Connection, account: Uuid, new_id: Uuid, now: Timestamp) -> Sql<(Uuid, String)> {
    let found: Option<(Word<Uuid>, String)> = sql
        .prepare(
            "SELECT u.id, u.name FROM memberships m JOIN users u ON u.id = m.user_id
             WHERE m.account_id = ?1 AND m.role = 'owner' ORDER BY u.disabled_at IS NOT NULL, u.id LIMIT 1",
        )?
        .query_row(params![Word(&account)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((Word(user), name)) = found {
        sql.execute("UPDATE users SET disabled_at = NULL WHERE id = ?1", params![Word(&user)])?;
        return Ok((user, name));
    }
    let known: Option<Word<Uuid>> = sql
        .prepare("SELECT id FROM users WHERE lower(name) = ?1")?
        .query_row(params![OWNER], |row| row.get(0))
        .optional()?;
    let user = known.map_or(new_id, |Word(known)| known);
    if user == new_id {
        insert_user(sql, user, OWNER, now)?;
    }
    sql.execute("UPDATE users SET disabled_at = NULL WHERE id = ?1", params![Word(&user)])?;
    sql.execute(
        "DELETE FROM memberships WHERE account_id = ?1 AND user_id = ?2",
        params![Word(&account), Word(&user)],
    )?;
    insert_member(sql, account, user, MIGHTIEST, now)?;
    Ok((user, OWNER.to_owned()))
}
