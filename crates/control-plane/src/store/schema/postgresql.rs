//! Bringing a PostgreSQL database along. Several control planes may start at once: one does it, the others wait.

use super::OpenError;
use crate::store::sql::{Address, Connection, OptionalExtension, Purpose, Sql};

/// The first is the whole shape after that number of the embedded engine; those behind it go with its later ones.
const FIRST: usize = 14;
const MIGRATIONS: &[&str] = &[
    concat!(
        include_str!("../migrations/postgresql/0001_fleet.sql"),
        include_str!("../migrations/postgresql/0001_people.sql")
    ),
    include_str!("../migrations/postgresql/0015_names.sql"),
    include_str!("../migrations/postgresql/0016_replicas.sql"),
];

/// Nobody else brings the schema along while this is held.
const LOCK: &str = "SELECT pg_advisory_lock(7305444413722)";

const VERSION: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";

/// The highest number that is known.
const KNOWN: usize = FIRST + MIGRATIONS.len() - 1;

pub(in crate::store) fn bring_along(address: &Address) -> Result<(), OpenError> {
    let database = || address.to_string();
    let unusable = |cause: String| OpenError::Unusable { database: database(), cause };
    let sql = address.connect(Purpose::Migrate).map_err(|e| unusable(e.to_string()))?;
    let sql = Connection::from(sql);
    let found = migrate(&sql).map_err(|e| unusable(e.to_string()))?;
    match found > KNOWN {
        true => Err(OpenError::Newer { database: database(), found, known: KNOWN }),
        false => Ok(()),
    }
}

/// Answers the number that was found.
fn migrate(sql: &Connection) -> Sql<usize> {
    // With the connection it ends, whatever becomes of this program.
    sql.execute_batch(LOCK)?;
    sql.execute_batch("SET client_min_messages = warning")?;
    sql.execute_batch(VERSION)?;
    let found: Option<i64> =
        sql.query_row("SELECT version FROM schema_version", [], |row| row.get(0)).optional()?;
    let found = found.map_or(0, |version| usize::try_from(version).unwrap_or(usize::MAX));
    for (number, migration) in (FIRST..).zip(MIGRATIONS).filter(|(number, _)| *number > found) {
        let step = format!(
            "BEGIN; {migration}; DELETE FROM schema_version; INSERT INTO schema_version VALUES ({number}); COMMIT"
        );
        sql.execute_batch(&step)?;
        tracing::info!(schema = number, "the database was brought along");
    }
    Ok(found)
}
