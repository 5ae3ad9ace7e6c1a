//! The one seam between the statements of the store and the engine that runs them. What is above speaks as if there were
//! one engine; only this room, the schema and the backup know which it is.
//!
//! Values stay those of `rusqlite`: they need no connection, and the hot path of the embedded engine hands them through.

mod error;
mod postgresql;
mod row;
mod statement;

use rusqlite::types::ToSql;
pub(super) use rusqlite::{named_params, params};

pub(super) use error::{Error, OptionalExtension};
use postgresql::Postgres;
pub use postgresql::address::Address;
pub(super) use postgresql::address::Purpose;
pub use postgresql::listen::News;
pub(super) use postgresql::listen::listen;
pub(super) use postgresql::turn;
pub(super) use postgresql::value::{Found, Given};
pub(super) use row::Row;
pub(super) use statement::Statement;

/// What a piece of SQL gives: a value, a refusal by the rules of the domain, or an error of the engine.
pub(super) type Sql<T> = Result<T, Error>;

/// A connection to whichever engine there is.
pub(super) struct Connection(Engine);

enum Engine {
    Sqlite(rusqlite::Connection),
    Postgres(Box<Postgres>),
}

impl From<rusqlite::Connection> for Connection {
    fn from(connection: rusqlite::Connection) -> Self {
        Self(Engine::Sqlite(connection))
    }
}

impl From<Postgres> for Connection {
    fn from(connection: Postgres) -> Self {
        Self(Engine::Postgres(Box::new(connection)))
    }
}

impl Connection {
    /// A statement that is prepared once a connection.
    pub(super) fn prepare_cached(&self, text: &str) -> Sql<Statement<'_>> {
        match &self.0 {
            Engine::Sqlite(sql) => Ok(Statement::Sqlite(sql.prepare_cached(text)?)),
            Engine::Postgres(sql) => Ok(Statement::Postgres(sql.prepare(text))),
        }
    }

    /// The same; a statement that is rarely needed does no harm in the cache.
    pub(super) fn prepare(&self, text: &str) -> Sql<Statement<'_>> {
        self.prepare_cached(text)
    }

    /// Runs a statement and answers how many rows it changed.
    pub(super) fn execute<'p>(&self, text: &str, params: impl Params<'p>) -> Sql<usize> {
        self.prepare_cached(text)?.execute(params)
    }

    /// What `read` makes of the one row of a statement.
    pub(super) fn query_row<'p, T>(
        &self,
        text: &str,
        params: impl Params<'p>,
        read: impl FnOnce(&Row<'_>) -> Sql<T>,
    ) -> Sql<T> {
        self.prepare_cached(text)?.query_row(params, read)
    }

    /// Runs several statements that have no parameters.
    pub(super) fn execute_batch(&self, text: &str) -> Sql<()> {
        match &self.0 {
            Engine::Sqlite(sql) => Ok(sql.execute_batch(text)?),
            Engine::Postgres(sql) => sql.execute_batch(text),
        }
    }

    /// How many rows this connection has changed since it was opened.
    pub(super) fn total_changes(&self) -> u64 {
        match &self.0 {
            Engine::Sqlite(sql) => sql.total_changes(),
            Engine::Postgres(sql) => sql.total_changes(),
        }
    }

    /// Begins a transaction in which nobody else writes, for one piece of work or for several.
    pub(super) fn begin(&self, is_alone: bool) -> Sql<()> {
        match &self.0 {
            Engine::Sqlite(sql) => Ok(sql.execute_batch("BEGIN IMMEDIATE")?),
            Engine::Postgres(sql) => {
                sql.begin(is_alone);
                Ok(())
            }
        }
    }

    /// The next statement is the last of this piece of work, whatever comes of it: where the work is alone, and the
    /// database a way away, the commit goes along with it.
    pub(super) fn commit_with_next(&self) {
        if let Engine::Postgres(sql) = &self.0 {
            sql.commit_with_next();
        }
    }

    /// The next statement is all there is of this piece of work, takes the turn to write by itself (see `turn!`) and tells
    /// the other control planes what it changes: where the work is alone, it is sent without a transaction around it.
    pub(super) fn whole_with_next(&self) {
        if let Engine::Postgres(sql) = &self.0 {
            sql.whole_with_next();
        }
    }

    /// Inside the transaction: a place to come back to, coming back to it, and forgetting it.
    pub(super) fn savepoint(&self, word: Savepoint) -> Sql<()> {
        let word = match word {
            Savepoint::Set => "SAVEPOINT job;",
            Savepoint::Undo => "ROLLBACK TO job;",
            Savepoint::Release => "RELEASE job;",
        };
        match &self.0 {
            Engine::Sqlite(sql) => Ok(sql.execute_batch(word)?),
            Engine::Postgres(sql) => {
                sql.steer(word);
                Ok(())
            }
        }
    }

    /// Makes the transaction durable. Only after this is anything of it true.
    pub(super) fn commit(&self) -> Sql<()> {
        match &self.0 {
            Engine::Sqlite(sql) => Ok(sql.execute_batch("COMMIT")?),
            Engine::Postgres(sql) => sql.commit(),
        }
    }

    /// Undoes the transaction, where there is one.
    pub(super) fn roll_back(&self) {
        match &self.0 {
            Engine::Sqlite(sql) if sql.is_autocommit() => {}
            Engine::Sqlite(sql) => {
                let _ = sql.execute_batch("ROLLBACK");
            }
            Engine::Postgres(sql) => sql.roll_back(),
        }
    }

    /// A statement costs no way there and back, so that many small ones are as good as a large one.
    pub(super) fn is_embedded(&self) -> bool {
        matches!(self.0, Engine::Sqlite(_))
    }

    /// Nobody is at the other end any more; a file is always there.
    pub(super) fn is_lost(&self) -> bool {
        match &self.0 {
            Engine::Sqlite(_) => false,
            Engine::Postgres(sql) => sql.is_lost(),
        }
    }
}

/// What is said about the place to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Savepoint {
    Set,
    Undo,
    Release,
}

/// Values for the places of a statement, by number or by name.
#[derive(Clone, Copy)]
pub(super) enum Values<'p> {
    Numbered(&'p [&'p dyn ToSql]),
    Named(&'p [(&'p str, &'p dyn ToSql)]),
}

/// What `params!`, `named_params!` and `[]` are.
pub(super) trait Params<'p> {
    fn values(self) -> Values<'p>;
}

impl<'p> Params<'p> for &'p [&'p dyn ToSql] {
    fn values(self) -> Values<'p> {
        Values::Numbered(self)
    }
}

impl<'p> Params<'p> for &'p [(&'p str, &'p dyn ToSql)] {
    fn values(self) -> Values<'p> {
        Values::Named(self)
    }
}

impl Params<'static> for [&'static dyn ToSql; 0] {
    fn values(self) -> Values<'static> {
        Values::Numbered(&[])
    }
}
