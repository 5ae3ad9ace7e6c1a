//! Opening the database file and bringing it along.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::OpenError;

/// Numbered as in the folder; never changed once released, only added to.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_spine.sql"),
    include_str!("../migrations/0002_activity.sql"),
    include_str!("../migrations/0003_preflight.sql"),
    include_str!("../migrations/0004_steering.sql"),
    include_str!("../migrations/0005_revisions.sql"),
    include_str!("../migrations/0006_windows.sql"),
    include_str!("../migrations/0007_steps.sql"),
    include_str!("../migrations/0008_people.sql"),
    include_str!("../migrations/0009_webhooks.sql"),
    include_str!("../migrations/0010_plans.sql"),
    include_str!("../migrations/0011_counts.sql"),
    include_str!("../migrations/0012_token_sessions.sql"),
    include_str!("../migrations/0013_requests_by_day.sql"),
    include_str!("../migrations/0014_trusted_keys.sql"),
    include_str!("../migrations/0015_names.sql"),
    include_str!("../migrations/0016_replicas.sql"),
    include_str!("../migrations/0017_presence.sql"),
    include_str!("../migrations/0018_counts.sql"),
];

/// 64 MiB of changes; reading them again after a crash takes a moment.
const WAL_PAGES: u32 = 16_384;

pub(in crate::store) fn open(path: &Path) -> Result<Connection, OpenError> {
    let unusable = |e: rusqlite::Error| OpenError::Unusable {
        database: path.display().to_string(),
        cause: e.to_string(),
    };
    let sql = Connection::open(path).map_err(unusable)?;
    set_up(&sql).map_err(unusable)?;
    let found: u32 = sql.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(unusable)?;
    let found = found as usize;
    if found > MIGRATIONS.len() {
        return Err(OpenError::Newer {
            database: path.display().to_string(),
            found,
            known: MIGRATIONS.len(),
        });
    }
    for (done, migration) in MIGRATIONS.iter().enumerate().skip(found) {
        let step = format!("BEGIN IMMEDIATE;\n{migration}\nPRAGMA user_version = {};\nCOMMIT;", done + 1);
        sql.execute_batch(&step).map_err(unusable)?;
    }
    Ok(sql)
}

fn set_up(sql: &Connection) -> rusqlite::Result<()> {
    sql.busy_timeout(std::time::Duration::from_secs(5))?;
    sql.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: what was answered survives a power cut, not only a crash.
    sql.pragma_update(None, "synchronous", "FULL")?;
    // What changes all the time is then copied into the file once in a while, not with nearly every commit.
    sql.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    sql.pragma_update(None, "foreign_keys", "ON")?;
    sql.set_prepared_statement_cache_capacity(256);
    Ok(())
}

pub(in crate::store) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    connect_to_read(path)
        .map_err(|e| OpenError::Unusable { database: path.display().to_string(), cause: e.to_string() })
}

pub(in crate::store) fn connect_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = Connection::open_with_flags(path, flags)?;
    sql.busy_timeout(std::time::Duration::from_secs(5))?;
    // In KiB. The system has what was read in its own cache.
    sql.pragma_update(None, "cache_size", -256)?;
    sql.set_prepared_statement_cache_capacity(256);
    Ok(sql)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_process::counted;

    #[test]
    fn a_database_made_by_a_newer_program_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("novacula.sqlite");
        open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let refused = open(&path).unwrap_err().to_string();
        let expected = format!("has schema 99, this program knows {}", MIGRATIONS.len());
        assert!(refused.contains(&expected), "{refused}");
    }

    #[test]
    fn opening_twice_migrates_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("novacula.sqlite");
        drop(open(&path).unwrap());
        let sql = open(&path).unwrap();
        let version: u32 = sql.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version as usize, MIGRATIONS.len());
        let full: i64 = sql.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!(full, 2);
    }

    #[test]
    fn a_database_of_the_first_program_is_brought_along_with_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("novacula.sqlite");
        let first = Connection::open(&path).unwrap();
        first.execute_batch(MIGRATIONS[0]).unwrap();
        first
            .execute_batch(
                "PRAGMA user_version = 1;
                 INSERT INTO accounts VALUES ('a', 'default', 0);
                 INSERT INTO accounts VALUES ('b', 'second', 1);
                 INSERT INTO user_tokens VALUES ('t1', 'a', 'owner', x'01', 5, NULL);
                 INSERT INTO user_tokens VALUES ('t2', 'a', 'jane', x'02', 6, 7);
                 INSERT INTO user_tokens VALUES ('t3', 'b', 'owner', x'03', 8, NULL);
                 INSERT INTO executor_keys VALUES ('k', 'a', x'00', 'host-1', NULL, 'owner', 0, NULL);
                 INSERT INTO executors VALUES
                   ('e', 'a', 'k', 1, 'host-1', 'agent', '1.0.0', 'stable', 't', '{}', NULL, 0, 0, 0, NULL);",
            )
            .unwrap();
        drop(first);
        let sql = open(&path).unwrap();
        let kept: (String, String) = sql
            .query_row("SELECT name, checks FROM executors", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(kept, ("host-1".to_owned(), "[]".to_owned()));
        for (question, expected) in [
            ("SELECT group_concat(id || ':' || is_founding, ',' ORDER BY id) FROM accounts", "a:1,b:0"),
            ("SELECT group_concat(id || ':' || name, ',' ORDER BY id) FROM users", "t1:owner,t2:jane"),
            (
                "SELECT group_concat(account_id || ':' || user_id || ':' || role || ':' || is_release_manager,
                   ',' ORDER BY account_id)
                 FROM memberships",
                "a:t1:owner:1,b:t1:owner:1",
            ),
            (
                "SELECT group_concat(id || ':' || user_id || ':' || hex(hash) || ':' || coalesce(revoked_at, '-'),
                   ',' ORDER BY id)
                 FROM personal_tokens",
                "t1:t1:01:-,t2:t2:02:7,t3:t1:03:-",
            ),
        ] {
            let found: String = sql.query_row(question, [], |row| row.get(0)).unwrap();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_database_from_before_the_counts_is_counted_once_when_it_is_brought_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("novacula.sqlite");
        let before = Connection::open(&path).unwrap();
        before.execute_batch(&MIGRATIONS[..17].concat()).unwrap();
        before.execute_batch(&format!("PRAGMA user_version = 17; {}", counted::rows("x''"))).unwrap();
        drop(before);
        for _ in 0..2 {
            let sql = open(&path).unwrap();
            let mut lines = sql.prepare(counted::QUESTION).unwrap();
            let lines = lines.query_map([], |row| row.get(0)).unwrap();
            assert_eq!(lines.collect::<rusqlite::Result<Vec<String>>>().unwrap(), counted::ANSWER);
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("novacula.sqlite");
        std::fs::write(&path, "x".repeat(4_096)).unwrap();
        let refused = open(&path).unwrap_err().to_string();
        assert!(refused.contains("not a database"), "{refused}");
    }
}
