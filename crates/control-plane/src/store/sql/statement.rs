//! A prepared statement, and the rows that it finds.

use super::postgresql::Prepared;
use super::row::Row;
use super::{Error, Params, Sql, Values};

/// A statement, ready to run.
pub(in crate::store) enum Statement<'c> {
    Sqlite(rusqlite::CachedStatement<'c>),
    Postgres(Prepared<'c>),
}

/// What a query finds, row by row.
enum Rows<'s> {
    Sqlite(rusqlite::Rows<'s>),
    /// All at once: while they are read, the connection is free for other questions.
    Postgres(std::vec::IntoIter<tokio_postgres::Row>),
}

/// What is made of each row.
pub(in crate::store) struct MappedRows<'s, F> {
    rows: Rows<'s>,
    read: F,
}

impl Statement<'_> {
    /// Runs it and answers how many rows it changed.
    pub(in crate::store) fn execute<'p>(&mut self, params: impl Params<'p>) -> Sql<usize> {
        match self {
            Self::Sqlite(statement) => Ok(match params.values() {
                Values::Numbered(values) => statement.execute(values)?,
                Values::Named(values) => statement.execute(values)?,
            }),
            Self::Postgres(statement) => statement.execute(params.values()),
        }
    }

    fn query<'p>(&mut self, params: impl Params<'p>) -> Sql<Rows<'_>> {
        match self {
            Self::Sqlite(statement) => Ok(Rows::Sqlite(match params.values() {
                Values::Numbered(values) => statement.query(values)?,
                Values::Named(values) => statement.query(values)?,
            })),
            Self::Postgres(statement) => Ok(Rows::Postgres(statement.query(params.values())?.into_iter())),
        }
    }

    /// What `read` makes of each row.
    pub(in crate::store) fn query_map<'p, T, F>(
        &mut self,
        params: impl Params<'p>,
        read: F,
    ) -> Sql<MappedRows<'_, F>>
    where
        F: FnMut(&Row<'_>) -> Sql<T>,
    {
        Ok(MappedRows { rows: self.query(params)?, read })
    }

    /// What `read` makes of the first row.
    pub(in crate::store) fn query_row<'p, T>(
        &mut self,
        params: impl Params<'p>,
        read: impl FnOnce(&Row<'_>) -> Sql<T>,
    ) -> Sql<T> {
        match self.query(params)? {
            Rows::Sqlite(mut rows) => read(&Row::Sqlite(rows.next()?.ok_or(Error::NoRows)?)),
            Rows::Postgres(mut rows) => read(&Row::Postgres(&rows.next().ok_or(Error::NoRows)?)),
        }
    }

    /// There is a row.
    pub(in crate::store) fn exists<'p>(&mut self, params: impl Params<'p>) -> Sql<bool> {
        match self {
            Self::Sqlite(statement) => Ok(match params.values() {
                Values::Numbered(values) => statement.exists(values)?,
                Values::Named(values) => statement.exists(values)?,
            }),
            Self::Postgres(statement) => statement.exists(params.values()),
        }
    }
}

impl<T, F> Iterator for MappedRows<'_, F>
where
    F: FnMut(&Row<'_>) -> Sql<T>,
{
    type Item = Sql<T>;

    fn next(&mut self) -> Option<Sql<T>> {
        match &mut self.rows {
            Rows::Sqlite(rows) => match rows.next() {
                Ok(Some(row)) => Some((self.read)(&Row::Sqlite(row))),
                Ok(None) => None,
                Err(error) => Some(Err(error.into())),
            },
            Rows::Postgres(rows) => rows.next().map(|row| (self.read)(&Row::Postgres(&row))),
        }
    }
}
