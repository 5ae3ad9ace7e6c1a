//! One row that was found.

use rusqlite::types::FromSql;

use super::Sql;

/// A row of whichever engine.
pub(in crate::store) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
}

/// A column by its place, from 0, or by its name.
pub(in crate::store) trait Column: rusqlite::RowIndex {}

impl Column for usize {}
impl Column for &str {}

impl Row<'_> {
    /// The value in a column.
    pub(in crate::store) fn get<C: Column, T: FromSql>(&self, column: C) -> Sql<T> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
        }
    }
}
