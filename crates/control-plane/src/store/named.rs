//! What windows and groups have in common: an account has so many of them, and a name stands for one.

use uuid::Uuid;

use super::Sql;
use super::column::Word;
use super::sql::{Connection, params};

/// How many rows of a table an account has.
pub(super) fn count(sql: &Connection, table: &'static str, account_id: Uuid) -> Sql<u32> {
    sql.prepare_cached(&format!("SELECT count(*) FROM {table} WHERE account_id = ?1"))?
        .query_row(params![Word(&account_id)], |row| row.get(0))
}

/// Another row of the account has this name.
pub(super) fn is_taken(
    sql: &Connection,
    table: &'static str,
    account_id: Uuid,
    (name, id): (&str, Uuid),
) -> Sql<bool> {
    sql.prepare_cached(&format!("SELECT 1 FROM {table} WHERE account_id = ?1 AND name = ?2 AND id <> ?3"))?
        .exists(params![Word(&account_id), name, Word(&id)])
}
