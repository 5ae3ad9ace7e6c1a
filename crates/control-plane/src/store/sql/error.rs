//! What goes wrong with a statement, as far as anybody above wants to tell it apart.

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
}

impl Error {
    /// No space is left for the database.
    pub(in crate::store) fn is_disk_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::NoRows | Self::Unfit(_) => false,
        }
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
