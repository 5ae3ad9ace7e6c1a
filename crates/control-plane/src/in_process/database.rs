//! The database of one test: a file, or one of a PostgreSQL server that all tests of a run share, as
//! `NOVACULA_TEST_ENGINE` says.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};

use novacula_lab::Postgresql;
use rusqlite::types::ValueRef;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::executor::Snapshot;
use crate::store::{Database, Store};

const TEMPLATE: &str = "novacula_template";

/// The database of one test. It goes with it.
pub(crate) struct TestDatabase {
    pub database: Database,
    /// At the server.
    name: Option<String>,
}

/// Whether this run is one on PostgreSQL.
pub(crate) fn is_postgresql() -> bool {
    match std::env::var("NOVACULA_TEST_ENGINE").as_deref() {
        Ok("postgresql") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("NOVACULA_TEST_ENGINE must be sqlite or postgresql, found `{other}`"),
    }
}

/// Every executor in a store, read two at a time.
pub(crate) async fn all(store: &Store) -> Vec<Snapshot> {
    let (give, read) = mpsc::channel();
    let mut after = Some(Uuid::nil());
    while let Some(id) = after {
        let give = give.clone();
        after = store.each_snapshot(id, 2, move |one| give.send(one).unwrap()).await.unwrap();
    }
    drop(give);
    read.into_iter().collect()
}

/// One server for all tests of this run, whatever the engine of the run is.
pub(crate) fn server() -> &'static Postgresql {
    static SERVER: OnceLock<Postgresql> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Postgresql::start();
        server.ask("postgres", &format!("CREATE DATABASE {TEMPLATE}"));
        drop(Store::open(&Database::read(&server.url(TEMPLATE)).unwrap()).unwrap());
        server
    })
}

impl TestDatabase {
    /// Of the engine of this run, brought along.
    pub(crate) fn new(folder: &Path) -> Self {
        if is_postgresql() {
            return Self::at_a_server();
        }
        Self { database: Database::Sqlite(folder.join("novacula.sqlite")), name: None }
    }

    /// On the embedded engine, whatever the engine of the run is.
    pub(crate) fn embedded(folder: &Path) -> Self {
        Self { database: Database::Sqlite(folder.join("novacula.sqlite")), name: None }
    }

    /// On PostgreSQL, where nothing was kept yet, not even a table.
    pub(crate) fn bare() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bare_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        server().ask("postgres", &format!("CREATE DATABASE {name}"));
        Self { database: Database::read(&server().url(&name)).unwrap(), name: Some(name) }
    }

    /// On PostgreSQL, whatever the engine of the run is.
    pub(crate) fn at_a_server() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        server().ask("postgres", &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"));
        Self { database: Database::read(&server().url(&name)).unwrap(), name: Some(name) }
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.database).unwrap()
    }

    /// Runs statements as somebody does who has the database.
    pub(crate) fn behind(&self, statements: &str) -> Result<(), String> {
        match (&self.database, &self.name) {
            (Database::Sqlite(path), _) => {
                let sql = rusqlite::Connection::open(path).unwrap();
                sql.execute_batch(statements).map_err(|e| e.to_string())
            }
            (Database::Postgresql(_), name) => {
                server().try_to_ask(name.as_deref().unwrap(), statements).map(|_| ())
            }
        }
    }

    /// What it answers, a line a row; only at a server.
    pub(crate) fn ask(&self, question: &str) -> String {
        server().ask(self.name.as_deref().unwrap(), question)
    }

    /// From now on the database takes no `INSERT ON table`, or whatever else.
    pub(crate) fn refuse(&self, name: &str, what: &str) {
        let refuse = match &self.database {
            Database::Sqlite(_) => {
                format!("CREATE TRIGGER {name} BEFORE {what} BEGIN SELECT RAISE(ABORT, 'no'); END")
            }
            Database::Postgresql(_) => format!(
                "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
                 CREATE TRIGGER {name} BEFORE {what} FOR EACH ROW EXECUTE FUNCTION {name}()"
            ),
        };
        self.behind(&refuse).unwrap();
    }

    /// It takes them again.
    pub(crate) fn stop_refusing(&self, name: &str, table: &str) {
        let allow = match &self.database {
            Database::Sqlite(_) => format!("DROP TRIGGER {name}"),
            Database::Postgresql(_) => format!("DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}()"),
        };
        self.behind(&allow).unwrap();
    }

    /// Changes the activity as nobody may.
    pub(crate) fn tamper(&self, statement: &str) {
        let open = match &self.database {
            Database::Sqlite(_) => {
                "DROP TRIGGER IF EXISTS activity_is_not_changed; DROP TRIGGER IF EXISTS activity_is_not_deleted"
            }
            Database::Postgresql(_) => "ALTER TABLE activity DISABLE TRIGGER USER",
        };
        self.behind(open).unwrap();
        self.behind(statement).unwrap();
    }
}

impl TestDatabase {
    /// A digest of every row of every table.
    pub(crate) fn digests(&self) -> Vec<(String, String)> {
        match (&self.database, &self.name) {
            (Database::Sqlite(path), _) => of_a_file(path),
            (Database::Postgresql(_), name) => of_a_server(name.as_deref().unwrap()),
        }
    }
}

fn of_a_file(path: &Path) -> Vec<(String, String)> {
    let sql = rusqlite::Connection::open(path).unwrap();
    let mut tables =
        sql.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).unwrap().map(|name| name.unwrap()).collect();
    let of = |table: String| {
        let mut digest = Sha256::new();
        let columns = sql.prepare(&format!("SELECT * FROM {table}")).unwrap().column_count();
        let order = if columns > 1 { "1, 2" } else { "1" };
        let mut rows = sql.prepare(&format!("SELECT * FROM {table} ORDER BY {order}")).unwrap();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                match row.get_ref(column).unwrap() {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => digest.update(bytes),
                    other => digest.update(format!("{other:?}")),
                }
                digest.update([0]);
            }
        }
        (table, crate::secrets::hex(&digest.finalize()))
    };
    tables.into_iter().map(of).collect()
}

fn of_a_server(name: &str) -> Vec<(String, String)> {
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1";
    let of = |table: &str| {
        let rows =
            format!("SELECT md5(coalesce(string_agg(t::text, ';' ORDER BY t::text), '')) FROM {table} t");
        (table.to_owned(), server().ask(name, &rows))
    };
    server().ask(name, tables).lines().map(of).collect()
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = server().try_to_ask("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}
