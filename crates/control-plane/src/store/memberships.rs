//! Rows of users and memberships, and what the rules about people ask of them.

use jiff::Timestamp;
use novacula_protocol::people::{Role, User};
use uuid::Uuid;

use super::Sql;
use super::column::{Time, Word};
use super::sql::{Connection, OptionalExtension, Row, params};
use crate::people::Standing;

/// What makes a [`User`], from `u`sers and `m`emberships.
pub(super) const COLUMNS: &str =
    "u.id, u.name, u.password IS NOT NULL AS has_password, u.must_change_password, u.oidc_subject,
     u.disabled_at, m.role, m.is_release_manager, m.created_at";

/// Nobody may be left without an owner who can act: not the account this is done in, and none the user is in.
pub(super) fn is_an_account_without_owner(sql: &Connection, user: Uuid, account: Uuid) -> Sql<bool> {
    sql.prepare_cached(
        "SELECT 1 FROM (SELECT ?2 AS id UNION SELECT account_id FROM memberships WHERE user_id = ?1) a
         WHERE NOT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id
                           WHERE m.account_id = a.id AND m.role = 'owner' AND u.disabled_at IS NULL)",
    )?
    .exists(params![Word(&user), Word(&account)])
}

/// Account by account the user is in: the role of the actor there, and of the user.
pub(super) fn standings(sql: &Connection, actor: Uuid, user: Uuid) -> Sql<Vec<(Option<Role>, Role)>> {
    sql.prepare_cached(
        "SELECT a.role, u.role FROM memberships u
         LEFT JOIN memberships a ON a.account_id = u.account_id AND a.user_id = ?1 WHERE u.user_id = ?2",
    )?
    .query_map(params![Word(&actor), Word(&user)], |row| {
        Ok((row.get::<_, Option<Word<_>>>(0)?.map(|Word(role)| role), row.get::<_, Word<_>>(1)?.0))
    })?
    .collect()
}

pub(super) fn is_subject_taken(sql: &Connection, subject: &str, id: Uuid) -> Sql<bool> {
    sql.prepare_cached("SELECT 1 FROM users WHERE oidc_subject = ?1 AND id <> ?2")?
        .exists(params![subject, Word(&id)])
}

pub(super) fn insert_user(sql: &Connection, id: Uuid, name: &str, now: Timestamp) -> Sql<()> {
    sql.prepare_cached("INSERT INTO users (id, name, created_at) VALUES (?1, ?2, ?3)")?.execute(params![
        Word(&id),
        name,
        Time(now)
    ])?;
    Ok(())
}

pub(super) fn insert_member(
    sql: &Connection,
    account: Uuid,
    user: Uuid,
    standing: Standing,
    now: Timestamp,
) -> Sql<()> {
    sql.prepare_cached(
        "INSERT INTO memberships (account_id, user_id, role, is_release_manager, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        Word(&account),
        Word(&user),
        Word(&standing.role),
        standing.is_release_manager,
        Time(now)
    ])?;
    Ok(())
}

pub(super) fn member(sql: &Connection, account: Uuid, user: Uuid) -> Sql<Option<User>> {
    let select = format!(
        "SELECT {COLUMNS} FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.account_id = ?1 AND m.user_id = ?2"
    );
    sql.prepare_cached(&select)?.query_row(params![Word(&account), Word(&user)], user_of).optional()
}

pub(super) fn standing(user: &User) -> Standing {
    Standing { role: user.role, is_release_manager: user.is_release_manager }
}

pub(super) fn user_of(row: &Row<'_>) -> Sql<User> {
    Ok(User {
        id: row.get("id")?,
        name: row.get("name")?,
        role: row.get::<_, Word<_>>("role")?.0,
        is_release_manager: row.get("is_release_manager")?,
        has_password: row.get("has_password")?,
        must_change_password: row.get("must_change_password")?,
        oidc_subject: row.get("oidc_subject")?,
        disabled_at: row.get::<_, Option<Time>>("disabled_at")?.map(|Time(at)| at),
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}

pub(super) fn accounts_of(sql: &Connection, user: &str) -> Sql<Vec<Uuid>> {
    sql.prepare_cached("SELECT account_id FROM memberships WHERE user_id = ?1")?
        .query_map(params![user], |row| Ok(row.get::<_, Word<_>>(0)?.0))?
        .collect()
}
