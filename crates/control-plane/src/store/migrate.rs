//! Moves a grown installation from the embedded engine to PostgreSQL: all of it in one transaction, which is committed
//! only when every table reads there as it reads here. Until then the target is as empty as it was.

mod digest;
mod source;
mod target;

use std::path::{Path, PathBuf};

use digest::Digest;
use source::Source;
use target::Target;

use super::sql::{Address, Error};
use super::{OpenError, schema};

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// There is nothing to move.
    #[error("there is no database {0}; name the file of the installation with --from sqlite:PATH")]
    NoSource(PathBuf),
    /// Somebody writes there.
    #[error("the database {0} is open in another program; stop its control plane first")]
    InUse(PathBuf),
    /// One of the two cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing is mixed.
    #[error(
        "the database {database} is not empty, its table {table} has rows; name one where nothing was kept yet"
    )]
    NotEmpty {
        /// Which.
        database: String,
        /// Which table.
        table: String,
    },
    /// The source says no.
    #[error("the database {0} cannot be read: {1}")]
    Source(PathBuf, rusqlite::Error),
    /// The target says no.
    #[error("the database {0} does not take what is moved, so nothing was: {1}")]
    Target(String, String),
    /// The two engines do not have the same shape.
    #[error("the table {0} is not the same on both engines, so nothing was moved: {1}")]
    Shape(String, String),
    /// What is there is not what was here.
    #[error("the table {0} reads otherwise at the target than here, so nothing was moved: {1}")]
    Differs(String, String),
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrateStep<'a> {
    /// So many rows will be moved, and then read back.
    Begun {
        /// In all tables.
        rows: u64,
    },
    /// A table begins to be moved.
    Moving(&'a str),
    /// A table begins to be read back.
    Checking(&'a str),
    /// So many rows more were moved or read back.
    Rows(u64),
}

/// What was moved, as it reads at the target.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Each table with its rows and their SHA-256.
    pub tables: Vec<(String, u64, String)>,
    /// How many texts held a NUL, which PostgreSQL does not keep; they hold U+FFFD in its place.
    pub replaced: u64,
}

/// Moves everything from the file `from` into the empty database `to`.
///
/// # Errors
/// When nothing was moved. The source is as it was, but for its schema, which may have been brought along.
pub fn migrate(
    from: &Path,
    to: &Address,
    tell: &mut dyn FnMut(MigrateStep<'_>),
) -> Result<Moved, MigrateError> {
    let source = Source::open(from)?;
    let failed = |e: Error| MigrateError::Target(to.to_string(), e.to_string());
    let tables = source.tables()?;
    let target = Target::connect(to).map_err(failed)?;
    let empty = |table: Option<String>| match table {
        Some(table) => Err(MigrateError::NotEmpty { database: to.to_string(), table }),
        None => Ok(()),
    };
    // Before the schema is brought along: what belongs to others is not touched.
    empty(target.first_with_rows(&tables).map_err(failed)?)?;
    schema::postgresql::bring_along(to)?;
    target.begin(&tables).map_err(failed)?;
    empty(target.first_with_rows(&tables).map_err(failed)?)?;

    let mut rows = 0;
    for table in &tables {
        rows += source.count(table)?;
    }
    tell(MigrateStep::Begun { rows });
    let mut moved = Moved::default();
    for table in &tables {
        tell(MigrateStep::Moving(&table.name));
        let known = target.columns(table).map_err(failed)?;
        if known.missing.is_some() || known.surplus.is_some() {
            let told = |which: &Option<String>, where_| {
                which.as_ref().map(|column| format!("{column} is only {where_}"))
            };
            let how = told(&known.missing, "here").or_else(|| told(&known.surplus, "there"));
            return Err(MigrateError::Shape(table.name.clone(), how.unwrap_or_default()));
        }
        let digest = target.fill(&source, table, &known, tell)?;
        moved.replaced += digest.replaced();
        moved.tables.push((table.name.clone(), digest.rows(), digest.finish()));
    }
    target.continue_counting(&tables).map_err(failed)?;
    for (table, here) in tables.iter().zip(&moved.tables) {
        tell(MigrateStep::Checking(&table.name));
        let digest = target.read_back(table, tell).map_err(failed)?;
        let there = (table.name.clone(), digest.rows(), digest.finish());
        if there != *here {
            let how = format!("{} rows {} there, {} rows {} here", there.1, there.2, here.1, here.2);
            return Err(MigrateError::Differs(table.name.clone(), how));
        }
    }
    target.commit().map_err(failed)?;
    Ok(moved)
}

#[cfg(test)]
mod tests;
