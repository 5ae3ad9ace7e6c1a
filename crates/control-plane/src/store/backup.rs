//! A copy of the database while somebody writes to it.

use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ffi};
use tempfile::{NamedTempFile, PersistError};

use super::Database;
use super::schema::{self, sqlite};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no database {0}; name its folder with --data-dir")]
    NoDatabase(PathBuf),
    /// Its server has its own means.
    #[error(
        "the database is at a PostgreSQL server; copy it with `pg_dump`, and restore it with `pg_restore`"
    )]
    AtAServer,
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] schema::OpenError),
    /// Nothing is overwritten.
    #[error("{0} exists already; name a file that does not")]
    Exists(PathBuf),
    /// The copy cannot be written.
    #[error("the copy {0} cannot be written: {1}")]
    Write(PathBuf, std::io::Error),
    /// The engine says no.
    #[error("the database {0} cannot be copied: {1}")]
    Copy(PathBuf, rusqlite::Error),
    /// The copy is of no use.
    #[error("the copy of {0} would be damaged, so none is kept; the engine says: {1}")]
    Damaged(PathBuf, String),
}

/// Copies the database as it is at one instant into a file that is not there yet: whole and on disk, or not at all.
///
/// # Errors
/// When there is no copy.
pub fn back_up(database: &Database, copy: &Path) -> Result<(), BackupError> {
    let Database::Sqlite(database) = database else { return Err(BackupError::AtAServer) };
    if !database.exists() {
        return Err(BackupError::NoDatabase(database.to_owned()));
    }
    let unwritten = |e| BackupError::Write(copy.to_owned(), e);
    let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // For its owner only, as the database is.
    let draft = NamedTempFile::new_in(folder).map_err(unwritten)?;
    let source = sqlite::open_reader(database)?;
    let found =
        copy_and_check(&source, draft.path()).map_err(|e| BackupError::Copy(database.to_owned(), e))?;
    if found != "ok" {
        return Err(BackupError::Damaged(database.to_owned(), found));
    }
    draft.as_file().sync_all().map_err(unwritten)?;
    draft.persist_noclobber(copy).map_err(|PersistError { error, .. }| match error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(copy.to_owned()),
        _ => unwritten(error),
    })?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritten)
}

/// What the check of the copy says.
fn copy_and_check(source: &Connection, draft: &Path) -> rusqlite::Result<String> {
    let mut copy = Connection::open(draft)?;
    // All pages in one step: a copy in several begins anew whenever somebody writes between them, and with a
    // write-ahead log nobody who writes has to wait for it.
    let step = Backup::new(source, &mut copy)?.step(-1)?;
    // One that found the database locked is no error of the engine, and its copy is empty and sound.
    if step != StepResult::Done {
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None));
    }
    // One file that needs no other beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_locked_gives_no_empty_backup() {
        let folder = tempfile::tempdir().unwrap();
        let (database, copy) = (folder.path().join("novacula.sqlite"), folder.path().join("copy"));
        let holder = sqlite::open(&database).unwrap();
        holder.pragma_update(None, "journal_mode", "DELETE").unwrap();
        holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let refused = back_up(&Database::Sqlite(database.clone()), &copy).unwrap_err().to_string();
        assert!(refused.contains("locked"), "{refused}");
        assert!(!copy.exists());
    }

    #[test]
    fn a_damaged_database_is_not_passed_off_as_a_backup() {
        use std::os::unix::fs::FileExt;

        let folder = tempfile::tempdir().unwrap();
        let (database, copy) = (folder.path().join("novacula.sqlite"), folder.path().join("copy"));
        drop(sqlite::open(&database).unwrap());
        let pages = std::fs::File::options().write(true).open(&database).unwrap();
        for page in 2..10 {
            pages.write_all_at(&[0xa5; 512], page * 4_096).unwrap();
        }
        let refused = back_up(&Database::Sqlite(database.clone()), &copy).unwrap_err().to_string();
        assert!(refused.contains("damaged") || refused.contains("malformed"), "{refused}");
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with("novacula.sqlite"))
            .collect();
        assert_eq!(left, Vec::<String>::new());
    }
}
