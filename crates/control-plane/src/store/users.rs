//! Users and their memberships: who is in an account, and as what.

use jiff::Timestamp;
use novacula_protocol::people::{Action, Role, User, UserPatch};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Time, Word};
use super::memberships::{
    COLUMNS, accounts_of, insert_member, insert_user, is_an_account_without_owner, is_subject_taken, member,
    standing, standings, user_of,
};
use super::sql::{Connection, OptionalExtension, named_params, params};
use super::{Person, Sql, Store, StoreError};
use crate::people::{NotYours, Standing, may_make, may_take_over};

/// Why something about people is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeopleRefused {
    /// There is none in this account.
    #[error("there is no such user or account here")]
    NotFound,
    /// It belongs to somebody else.
    #[error("the name `{0}` is taken; choose another")]
    NameTaken(String),
    /// They are in this account.
    #[error("`{0}` is in this account already")]
    AlreadyMember(String),
    /// They log in some way already.
    #[error("`{0}` is a user already and logs in as before; leave out `oneTimePassword` and `oidcSubject`")]
    UserExists(String),
    /// It belongs to somebody else.
    #[error("this `oidcSubject` belongs to another user")]
    SubjectTaken,
    /// Somebody has to be able to do everything.
    #[error("`{0}` is the last owner of the account; make somebody else an owner first")]
    LastOwner(String),
    /// The actor is not mighty enough.
    #[error(transparent)]
    NotYours(#[from] NotYours),
    /// The user is in accounts where the actor is not mighty enough.
    #[error("how `{0}` logs in works in accounts that are not yours to administer; ask an owner of those")]
    NotYoursAlone(String),
    /// Without it nobody could keep the others.
    #[error("the founding account cannot be suspended")]
    FoundingAccount,
}

/// Somebody about to come into an account.
pub struct NewUser {
    /// Who adds them.
    pub by: Person,
    /// Their id, unless they have one.
    pub id: Uuid,
    /// Their login name.
    pub name: String,
    /// As what.
    pub standing: Standing,
    /// What is kept of a one-time password.
    pub one_time_password: Option<String>,
    /// Who they are at the OpenID provider.
    pub oidc_subject: Option<String>,
    /// When.
    pub now: Timestamp,
}

type Refusable<T> = Result<Result<T, PeopleRefused>, StoreError>;

impl Store {
    /// The users of an account, newest first, from below `before`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn users(
        &self,
        account_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<User>, StoreError> {
        self.read(move |sql| {
            let select = format!(
                "SELECT {COLUMNS} FROM memberships m JOIN users u ON u.id = m.user_id
                 WHERE m.account_id = :account AND (CAST(:before AS TEXT) IS NULL OR u.id < :before) ORDER BY u.id DESC LIMIT :limit"
            );
            sql.prepare_cached(&select)?
                .query_map(
                    named_params! { ":account": Word(&account_id), ":before": before.as_ref().map(Word), ":limit": limit },
                    user_of,
                )?
                .collect()
        })
        .await
    }

    /// One user of an account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn user(&self, account_id: Uuid, id: Uuid) -> Result<Option<User>, StoreError> {
        self.read(move |sql| member(sql, account_id, id)).await
    }

    /// Brings somebody into the account of who asks.
    ///
    /// # Errors
    /// When the store does not answer; inside, when a rule stands against it.
    pub async fn add_user(&self, new: NewUser) -> Refusable<User> {
        self.write_or_refuse(move |sql| add(sql, new)).await
    }

    /// Changes a user: what is absent stays.
    ///
    /// # Errors
    /// When the store does not answer; inside, when a rule stands against it.
    pub async fn patch_user(
        &self,
        by: Person,
        id: Uuid,
        patch: UserPatch,
        now: Timestamp,
    ) -> Refusable<User> {
        self.write_or_refuse(move |sql| change(sql, &by, id, patch, now)).await
    }

    /// Takes a user out of the account, with their tokens and sessions there.
    ///
    /// # Errors
    /// When the store does not answer; inside, when a rule stands against it.
    pub async fn remove_user(&self, by: Person, id: Uuid, now: Timestamp) -> Refusable<()> {
        self.write_or_refuse(move |sql| remove(sql, &by, id, now)).await
    }

    /// Gives a user a one-time password and ends all their sessions.
    ///
    /// # Errors
    /// When the store does not answer; inside, when a rule stands against it.
    pub async fn reset_password(
        &self,
        by: Person,
        id: Uuid,
        password: String,
        now: Timestamp,
    ) -> Refusable<User> {
        self.write_or_refuse(move |sql| {
            let Some(known) = member(sql, by.account_id, id)? else {
                return Ok(Err(PeopleRefused::NotFound));
            };
            if let Err(refused) = check_take_over(sql, &by, id, &known.name)? {
                return Ok(Err(refused));
            }
            sql.prepare_cached("UPDATE users SET password = ?2, must_change_password = TRUE WHERE id = ?1")?
                .execute(params![Word(&id), password])?;
            sql.prepare_cached("DELETE FROM sessions WHERE user_id = ?1")?.execute(params![Word(&id)])?;
            tell_everywhere(sql, &by, &known, Action::UserPasswordReset, (None, None), now)?;
            Ok(Ok(User { has_password: true, must_change_password: true, ..known }))
        })
        .await
    }
}

fn add(sql: &Connection, new: NewUser) -> Sql<Result<User, PeopleRefused>> {
    let by = &new.by;
    if let Err(refused) = may_make(by.role, None, Some(new.standing)) {
        return Ok(Err(refused.into()));
    }
    let known: Option<(Word<Uuid>, String)> = sql
        .prepare_cached("SELECT id, name FROM users WHERE lower(name) = ?1")?
        .query_row(params![new.name.to_ascii_lowercase()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (id, name) = known.map_or_else(|| (new.id, new.name.clone()), |(Word(id), name)| (id, name));
    let rivals = standings(sql, by.user_id, id)?;
    if member(sql, by.account_id, id)?.is_some() {
        return Ok(Err(PeopleRefused::AlreadyMember(name)));
    }
    if id == new.id {
        insert_user(sql, id, &name, new.now)?;
    }
    let brings_a_login = new.one_time_password.is_some() || new.oidc_subject.is_some();
    if rivals.is_empty() {
        // New, or taken out of every account since: nothing of an earlier login is left.
        if let Some(subject) = &new.oidc_subject
            && is_subject_taken(sql, subject, id)?
        {
            return Ok(Err(PeopleRefused::SubjectTaken));
        }
        sql.prepare_cached(
            "UPDATE users SET password = ?2, must_change_password = CAST(?2 AS TEXT) IS NOT NULL, oidc_subject = ?3,
               disabled_at = NULL WHERE id = ?1",
        )?
        .execute(params![Word(&id), new.one_time_password, new.oidc_subject])?;
    } else if !rivals.iter().any(|(actor, _)| actor.is_some_and(|role| role >= Role::Admin)) {
        // Whoever does not know the user must not let in whom somebody else has registered under an expected name.
        return Ok(Err(PeopleRefused::NameTaken(name)));
    } else if brings_a_login {
        return Ok(Err(PeopleRefused::UserExists(name)));
    }
    insert_member(sql, by.account_id, id, new.standing, new.now)?;
    let Some(user) = member(sql, by.account_id, id)? else { return Ok(Err(PeopleRefused::NotFound)) };
    let after = json!({
        "role": user.role, "releaseManager": user.is_release_manager, "oidcSubject": user.oidc_subject,
        "oneTimePassword": user.must_change_password,
    });
    tell(sql, by, &user, Action::UserAdded, (None, Some(after)), new.now)?;
    Ok(Ok(user))
}

fn change(
    sql: &Connection,
    by: &Person,
    id: Uuid,
    patch: UserPatch,
    now: Timestamp,
) -> Sql<Result<User, PeopleRefused>> {
    let Some(known) = member(sql, by.account_id, id)? else { return Ok(Err(PeopleRefused::NotFound)) };
    let from = standing(&known);
    let to = Standing {
        role: patch.role.unwrap_or(from.role),
        is_release_manager: patch.release_manager.unwrap_or(from.is_release_manager),
    };
    if let Err(refused) = may_make(by.role, Some(from), Some(to)) {
        return Ok(Err(refused.into()));
    }
    let subject = match patch.oidc_subject {
        Some(subject) if subject.is_empty() => None,
        Some(subject) => Some(subject),
        None => known.oidc_subject.clone(),
    };
    let disabled_at = match patch.disabled {
        Some(true) => known.disabled_at.or(Some(now)),
        Some(false) => None,
        None => known.disabled_at,
    };
    let is_a_take_over = subject != known.oidc_subject || disabled_at != known.disabled_at;
    if is_a_take_over && let Err(refused) = check_take_over(sql, by, id, &known.name)? {
        return Ok(Err(refused));
    }
    if let Some(subject) = &subject
        && is_subject_taken(sql, subject, id)?
    {
        return Ok(Err(PeopleRefused::SubjectTaken));
    }
    sql.prepare_cached(
        "UPDATE memberships SET role = ?3, is_release_manager = ?4 WHERE account_id = ?1 AND user_id = ?2",
    )?
    .execute(params![Word(&by.account_id), Word(&id), Word(&to.role), to.is_release_manager])?;
    sql.prepare_cached("UPDATE users SET oidc_subject = ?2, disabled_at = ?3 WHERE id = ?1")?
        .execute(params![Word(&id), subject, disabled_at.map(Time)])?;
    if disabled_at.is_some() && known.disabled_at.is_none() {
        sql.prepare_cached(
            "UPDATE personal_tokens SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL",
        )?
        .execute(params![Word(&id), Time(now)])?;
        sql.prepare_cached("DELETE FROM sessions WHERE user_id = ?1")?.execute(params![Word(&id)])?;
    }
    if is_an_account_without_owner(sql, id, by.account_id)? {
        return Ok(Err(PeopleRefused::LastOwner(known.name)));
    }
    let changed = User {
        role: to.role,
        is_release_manager: to.is_release_manager,
        oidc_subject: subject,
        disabled_at,
        ..known.clone()
    };
    if let Some((before, after)) = difference(&known, &changed) {
        let what = (Some(before), Some(after));
        match is_a_take_over {
            true => tell_everywhere(sql, by, &changed, Action::UserChanged, what, now)?,
            false => tell(sql, by, &changed, Action::UserChanged, what, now)?,
        }
    }
    Ok(Ok(changed))
}

fn remove(sql: &Connection, by: &Person, id: Uuid, now: Timestamp) -> Sql<Result<(), PeopleRefused>> {
    let Some(known) = member(sql, by.account_id, id)? else { return Ok(Err(PeopleRefused::NotFound)) };
    if let Err(refused) = may_make(by.role, Some(standing(&known)), None) {
        return Ok(Err(refused.into()));
    }
    let here = params![Word(&by.account_id), Word(&id)];
    sql.prepare_cached("DELETE FROM memberships WHERE account_id = ?1 AND user_id = ?2")?.execute(here)?;
    sql.prepare_cached("DELETE FROM sessions WHERE account_id = ?1 AND user_id = ?2")?.execute(here)?;
    sql.prepare_cached(
        "UPDATE personal_tokens SET revoked_at = ?3 WHERE account_id = ?1 AND user_id = ?2 AND revoked_at IS NULL",
    )?
    .execute(params![Word(&by.account_id), Word(&id), Time(now)])?;
    sql.prepare_cached(
        "UPDATE users SET password = NULL, must_change_password = FALSE, oidc_subject = NULL
         WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM memberships WHERE user_id = ?1)",
    )?
    .execute(params![Word(&id)])?;
    if is_an_account_without_owner(sql, id, by.account_id)? {
        return Ok(Err(PeopleRefused::LastOwner(known.name)));
    }
    let before = json!({"role": known.role, "releaseManager": known.is_release_manager});
    tell(sql, by, &known, Action::UserRemoved, (Some(before), None), now)?;
    Ok(Ok(()))
}

/// What changed, before and after, as people know it.
fn difference(before: &User, after: &User) -> Option<(Value, Value)> {
    let fields = |user: &User| {
        [
            ("role", json!(user.role)),
            ("releaseManager", json!(user.is_release_manager)),
            ("oidcSubject", json!(user.oidc_subject)),
            ("disabledAt", json!(user.disabled_at)),
        ]
    };
    let changed = fields(before).into_iter().zip(fields(after)).filter(|(old, new)| old != new);
    let (old, new): (Map<_, _>, Map<_, _>) =
        changed.map(|((name, old), (_, new))| ((name.to_owned(), old), (name.to_owned(), new))).unzip();
    (!old.is_empty()).then_some((old.into(), new.into()))
}

fn tell(
    sql: &Connection,
    by: &Person,
    user: &User,
    action: Action,
    (before, after): (Option<Value>, Option<Value>),
    now: Timestamp,
) -> Sql<()> {
    let deed = Deed::by(&by.name, by.account_id, now, action);
    append(sql, Deed { target: &user.id, name: &user.name, before, after, ..deed })
}

/// How somebody logs in counts in every account they are in, so it is told in each.
fn tell_everywhere(
    sql: &Connection,
    by: &Person,
    user: &User,
    action: Action,
    what: (Option<Value>, Option<Value>),
    now: Timestamp,
) -> Sql<()> {
    for account in accounts_of(sql, &user.id)? {
        tell(sql, &Person { account_id: account, ..by.clone() }, user, action, what.clone(), now)?;
    }
    Ok(())
}

fn check_take_over(sql: &Connection, by: &Person, id: Uuid, name: &str) -> Sql<Result<(), PeopleRefused>> {
    let may = may_take_over(&standings(sql, by.user_id, id)?);
    Ok(if may { Ok(()) } else { Err(PeopleRefused::NotYoursAlone(name.to_owned())) })
}
