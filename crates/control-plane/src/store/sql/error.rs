//! What goes wrong with a statement, as far as anybody above wants to tell it apart.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

use super::Sql;

/// Why a statement gives nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Error {
    /// It found none.
    #[error("the statement found no row")]
    NoRows,
    /// A value does not fit where it shall go.
    #[error("{0}")]
    Unfit(Box<dyn std::error::Error + Send + Sync>),
    /// The embedded engine says no.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
    /// PostgreSQL says no.
    #[error("{0}")]
    Postgres(String, Option<SqlState>),
    /// Nobody is at the other end.
    #[error("{0}")]
    Lost(String),
}

impl Error {
    /// No space is left for the database.
    pub(in crate::store) fn is_disk_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Postgres(_, state) => state.as_ref() == Some(&SqlState::DISK_FULL),
            Self::NoRows | Self::Unfit(_) | Self::Lost(_) => false,
        }
    }

    /// The database is away, or does not come to this: it may be there again in a moment.
    pub(in crate::store) fn is_away(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NoRows,
            error => Self::Sqlite(error),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let mut said = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            said = format!("{said}: {next}");
            cause = next.source();
        }
        match error.code() {
            // Sent away, held up for too long, or the server is about to end, has just begun or only follows another.
            Some(state) if PASSING.contains(state) => Self::Lost(said),
            Some(state) => Self::Postgres(said, Some(state.clone())),
            None if is_about_a_value(&error) => Self::Unfit(said.into()),
            None => Self::Lost(said),
        }
    }
}

const PASSING: [SqlState; 9] = [
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::TOO_MANY_CONNECTIONS,
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::QUERY_CANCELED,
    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    SqlState::READ_ONLY_SQL_TRANSACTION,
    SqlState::CONNECTION_FAILURE,
];

fn is_about_a_value(error: &tokio_postgres::Error) -> bool {
    let said = error.to_string();
    ["error serializing", "error deserializing", "invalid column", "expected"]
        .iter()
        .any(|it| said.starts_with(it))
}

/// Lets a row be missing.
pub(in crate::store) trait OptionalExtension<T> {
    fn optional(self) -> Sql<Option<T>>;
}

impl<T> OptionalExtension<T> for Sql<T> {
    fn optional(self) -> Sql<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::NoRows) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
