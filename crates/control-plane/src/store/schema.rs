//! Bringing a database to the shape that this program knows, on whichever engine. The numbers of the migrations are the
//! same on both.

pub(super) mod postgresql;
pub(super) mod sqlite;

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program has changed it.
    #[error(
        "the database {database} has schema {found}, this program knows {known}; start the newer program, or restore the backup from before it ran"
    )]
    Newer {
        /// Which.
        database: String,
        /// Its schema.
        found: usize,
        /// The highest one known here.
        known: usize,
    },
    /// The engine says no.
    #[error("the database {database} cannot be used: {cause}")]
    Unusable {
        /// Which.
        database: String,
        /// What the engine says.
        cause: String,
    },
    /// Nobody knows why.
    #[error("opening the database ended in a panic; the log says why")]
    Panicked,
    /// No thread for the writer.
    #[error("the writer of the store cannot start: {0}")]
    Thread(std::io::Error),
}
