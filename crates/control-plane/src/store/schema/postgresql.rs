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
    include_str!("../migrations/postgresql/0017_presence.sql"),
    include_str!("../migrations/postgresql/0018_counts.sql"),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::in_process::counted;
    use crate::in_process::database::{TestDatabase, server};
    use crate::store::schema::sqlite;
    use crate::store::{Database, Store};

    fn empty(name: &str) -> Database {
        server().ask("postgres", &format!("CREATE DATABASE {name}"));
        Database::read(&server().url(name)).unwrap()
    }

    #[test]
    fn control_planes_that_start_at_once_bring_a_database_along_once() {
        let database = empty("at_once");
        let starting: Vec<_> = (0..6)
            .map(|_| {
                let database = database.clone();
                std::thread::spawn(move || Store::open(&database).map(|_| ()).map_err(|e| e.to_string()))
            })
            .collect();
        for one in starting {
            assert_eq!(one.join().unwrap(), Ok(()));
        }
        let found = server().ask("at_once", "SELECT count(*), max(version) FROM schema_version");
        assert_eq!(found, format!("1|{KNOWN}"));
        assert_eq!(KNOWN, sqlite::MIGRATIONS.len(), "the numbers of both engines stay together");
    }

    #[test]
    fn a_database_from_before_the_counts_is_counted_once_when_it_is_brought_along() {
        let database = TestDatabase::bare();
        let before: String = MIGRATIONS[..=17 - FIRST].iter().map(|step| format!("{step};")).collect();
        let version = format!("{VERSION}; INSERT INTO schema_version VALUES (17);");
        database.behind(&format!("{before} {version} {}", counted::rows("''"))).unwrap();
        for _ in 0..2 {
            drop(database.open());
            assert_eq!(database.ask(counted::QUESTION).lines().collect::<Vec<_>>(), counted::ANSWER);
        }
    }

    #[test]
    fn a_database_that_a_newer_program_brought_along_is_refused_and_left_alone() {
        let database = TestDatabase::at_a_server();
        database.behind("UPDATE schema_version SET version = 99").unwrap();
        let refused = Store::open(&database.database).err().unwrap().to_string();
        let expected = format!("has schema 99, this program knows {KNOWN}; start the newer program");
        assert!(refused.contains(&expected), "{refused}");
        let nowhere = Database::read("postgresql:///none?host=/nowhere&user=postgres").unwrap();
        let refused = Store::open(&nowhere).err().unwrap().to_string();
        assert!(refused.starts_with("the database none at /nowhere cannot be used: "), "{refused}");
    }

    #[test]
    fn both_engines_have_the_same_tables_with_the_same_columns() {
        let database = TestDatabase::at_a_server();
        let folder = tempfile::tempdir().unwrap();
        let file = sqlite::open(&folder.path().join("novacula.sqlite")).unwrap();
        let mut columns = file
            .prepare(
                "SELECT m.name || '.' || c.name, c.type || CASE WHEN c.\"notnull\" OR c.pk THEN '' ELSE ' or null' END
                 FROM sqlite_schema m JOIN pragma_table_info(m.name) c
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
            )
            .unwrap();
        let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let of_the_file: BTreeMap<String, String> = columns.map(Result::unwrap).collect();
        let question = "SELECT table_name || '.' || column_name || '=' || data_type
              || CASE is_nullable WHEN 'YES' THEN ' or null' ELSE '' END
            FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_version'";
        let said = database.ask(question);
        let of_the_server = said.lines().map(|line| {
            let (name, kind) = line.split_once('=').unwrap();
            let kind = kind.replace("text", "TEXT").replace("bytea", "BLOB").replace("bigint", "INTEGER");
            (name.to_owned(), kind.replace("boolean", "INTEGER"))
        });
        assert_eq!(of_the_server.collect::<BTreeMap<_, _>>(), of_the_file);
        let other_order = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'
            AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'";
        assert_eq!(database.ask(other_order), "0", "every text is compared byte by byte");
    }
}
