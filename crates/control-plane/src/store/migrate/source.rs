//! The embedded database that is moved. Nobody else has it open meanwhile.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::MigrateError;
use crate::store::schema;

/// What the control planes that run on a database tell each other is of no use to those on another, and what is counted
/// as it happens the target counts by itself when it arrives there.
const NOT_MOVED: [&str; 4] = ["calendar_revision", "plan_wave_counts", "turns", "upgrade_counts"];

pub(super) struct Source {
    path: PathBuf,
    sql: Connection,
}

/// A table as it is on both engines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    /// What its rows are ordered by.
    pub(super) key: Vec<String>,
    needs: Vec<String>,
}

impl Table {
    /// Its columns, as they stand in a statement.
    pub(super) fn list(&self) -> String {
        self.columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ")
    }
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, MigrateError> {
        if !path.exists() {
            return Err(MigrateError::NoSource(path.to_owned()));
        }
        // Before anything is changed in it: whoever runs there may be an older program.
        drop(alone(path)?);
        drop(schema::sqlite::open(path)?);
        Ok(Self { path: path.to_owned(), sql: alone(path)? })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> MigrateError + '_ {
        |e| MigrateError::Source(self.path.clone(), e)
    }

    /// All tables, each behind those that its rows point to.
    pub(super) fn tables(&self) -> Result<Vec<Table>, MigrateError> {
        let mut left = self.read_tables().map_err(self.failed())?;
        let mut ordered: Vec<Table> = Vec::new();
        if let Some(table) = left.iter().find(|table| table.key.is_empty()) {
            return Err(MigrateError::Shape(table.name.clone(), "it has no primary key".to_owned()));
        }
        while !left.is_empty() {
            let is_ready = |table: &Table| {
                table
                    .needs
                    .iter()
                    .all(|need| *need == table.name || ordered.iter().any(|done| done.name == *need))
            };
            let Some(next) = left.iter().position(is_ready) else {
                let names: Vec<_> = left.iter().map(|table| table.name.as_str()).collect();
                let how = "its rows and those of others point to each other".to_owned();
                return Err(MigrateError::Shape(names.join(", "), how));
            };
            ordered.push(left.remove(next));
        }
        Ok(ordered)
    }

    fn read_tables(&self) -> rusqlite::Result<Vec<Table>> {
        let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
        let names: Vec<String> =
            self.sql.prepare(names)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let moved = names.into_iter().filter(|name| !NOT_MOVED.contains(&name.as_str()));
        moved.map(|name| self.read_table(name)).collect()
    }

    fn read_table(&self, name: String) -> rusqlite::Result<Table> {
        let texts = |question: &str| -> rusqlite::Result<Vec<String>> {
            self.sql.prepare(question)?.query_map([&name], |row| row.get(0))?.collect()
        };
        Ok(Table {
            columns: texts("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?,
            key: texts("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?,
            needs: texts("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1)")?,
            name,
        })
    }

    pub(super) fn count(&self, table: &Table) -> Result<u64, MigrateError> {
        let question = format!("SELECT count(*) FROM \"{}\"", table.name);
        let count: i64 = self.sql.query_row(&question, [], |row| row.get(0)).map_err(self.failed())?;
        Ok(count.unsigned_abs())
    }

    /// The rows of a table in the order of its key, byte by byte, until `take` says no.
    pub(super) fn each_row<E>(
        &self,
        table: &Table,
        mut take: impl FnMut(&[ValueRef<'_>]) -> Result<(), E>,
    ) -> Result<Result<(), E>, MigrateError> {
        let order: Vec<_> = table.key.iter().map(|key| format!("\"{key}\" COLLATE BINARY")).collect();
        let question =
            format!("SELECT {} FROM \"{}\" ORDER BY {}", table.list(), table.name, order.join(", "));
        let mut statement = self.sql.prepare(&question).map_err(self.failed())?;
        let mut rows = statement.query([]).map_err(self.failed())?;
        while let Some(row) = rows.next().map_err(self.failed())? {
            let values = (0..table.columns.len()).map(|place| row.get_ref(place));
            let values = values.collect::<rusqlite::Result<Vec<_>>>().map_err(self.failed())?;
            if let Err(e) = take(&values) {
                return Ok(Err(e));
            }
        }
        Ok(Ok(()))
    }
}

/// Opens the file so that nobody else can until this is dropped.
fn alone(path: &Path) -> Result<Connection, MigrateError> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sql = Connection::open_with_flags(path, flags)?;
        sql.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        sql.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(sql)
    };
    open().map_err(|e: rusqlite::Error| match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            MigrateError::InUse(path.to_owned())
        }
        _ => MigrateError::Source(path.to_owned(), e),
    })
}
