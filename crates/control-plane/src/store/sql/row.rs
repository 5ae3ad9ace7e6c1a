//! One row that was found.

use rusqlite::types::FromSql;

use super::postgresql::value;
use super::{Error, Sql};

/// A row of whichever engine.
pub(in crate::store) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

/// A column by its place, from 0, or by its name.
pub(in crate::store) trait Column: rusqlite::RowIndex {
    /// Its place in this row.
    fn place(&self, row: &tokio_postgres::Row) -> Sql<usize>;
}

impl Column for usize {
    fn place(&self, row: &tokio_postgres::Row) -> Sql<usize> {
        if *self < row.len() {
            Ok(*self)
        } else {
            Err(Error::Unfit(format!("there is no column {self}").into()))
        }
    }
}

impl Column for &str {
    fn place(&self, row: &tokio_postgres::Row) -> Sql<usize> {
        let place = row.columns().iter().position(|column| column.name() == *self);
        place.ok_or_else(|| Error::Unfit(format!("there is no column `{self}`").into()))
    }
}

impl Row<'_> {
    /// The value in a column.
    pub(in crate::store) fn get<C: Column, T: FromSql>(&self, column: C) -> Sql<T> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(row) => value::read(row, column.place(row)?),
        }
    }
}
