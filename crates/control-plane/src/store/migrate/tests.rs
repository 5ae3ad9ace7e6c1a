//! A grown installation moves to a real PostgreSQL.

use std::path::Path;
use std::time::Duration;

use novacula_lab::wait_for;
use novacula_protocol::people::Role;
use serde_json::{Value, json};

use super::*;
use crate::in_process::counted;
use crate::in_process::database::TestDatabase;
use crate::in_process::{ControlPlane, reported, said};
use crate::probing::Scene;
use crate::store::Database;

fn both<'a>(from: &'a Database, to: &'a Database) -> (&'a Path, &'a Address) {
    match (from, to) {
        (Database::Sqlite(from), Database::Postgresql(to)) => (from.as_path(), to.as_ref()),
        _ => panic!("it goes from a file to a server"),
    }
}

/// Once those who wrote there have gone.
fn moved(from: &Database, to: &Database) -> Moved {
    let (from, to) = both(from, to);
    wait_for("nobody has the file any more", Duration::from_secs(20), || {
        match migrate(from, to, &mut |_| ()) {
            Err(MigrateError::InUse(_)) => None,
            outcome => Some(outcome.unwrap()),
        }
    })
}

/// A copy as `backup` makes one: this process may still have the file.
fn copied_and_moved(from: &Database, to: &Database) -> Moved {
    let Database::Sqlite(path) = from else { panic!("it goes from a file") };
    let copy = path.with_extension("copy");
    crate::back_up(from, &copy).unwrap();
    moved(&Database::Sqlite(copy), to)
}

fn file(database: &TestDatabase) -> &Path {
    match &database.database {
        Database::Sqlite(path) => path.as_path(),
        Database::Postgresql(_) => panic!("it is a file"),
    }
}

fn address(database: &TestDatabase) -> &Address {
    match &database.database {
        Database::Postgresql(address) => address.as_ref(),
        Database::Sqlite(_) => panic!("it is at a server"),
    }
}

/// A small installation that nobody has open.
fn small() -> (TestDatabase, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::embedded(folder.path());
    drop(schema::sqlite::open(file(&database)).unwrap());
    database
        .behind(
            "INSERT INTO accounts (id, name, created_at, is_founding) VALUES ('a', 'default', 0, 1);
             INSERT INTO executor_keys (id, account_id, hash, created_by, created_at)
               VALUES ('k', 'a', x'00', 'owner', 0);
             INSERT INTO executor_groups VALUES ('g2', 'a', 'Ä', '{}', 'owner', 2);
             INSERT INTO executor_groups VALUES ('g1', 'a', 'b', '{}', 'owner', 1);
             INSERT INTO executor_groups VALUES ('G3', 'a', 'B', '{}', 'owner', 3);",
        )
        .unwrap();
    (database, folder)
}

async fn report(control_plane: &ControlPlane, scene: &Scene, name: &str, line: &str) -> Value {
    let mut report = reported(name, "1.0.0", &scene.ids["upgrades"], "DOWNLOAD", "UNDERWAY");
    report["upgrade"]["log"] = json!([{"at": "2026-01-01T00:00:00Z", "level": "INFO", "message": line}]);
    control_plane.sync(&scene.key, report).await.ok()
}

#[tokio::test]
async fn a_grown_installation_moves_with_everything_and_goes_on() {
    let control_plane = ControlPlane::embedded().await;
    let house = Scene::of(&control_plane, control_plane.owner(), "house").await;
    let (_, owner) = control_plane.account("Customer").await;
    let customer = Scene::of(&control_plane, &owner.token, "customer").await;
    control_plane.with_password("jane@example.com", Role::Admin, "correct horse battery staple").await;
    let browser = control_plane.logged_in("jane@example.com", "correct horse battery staple").await;
    for number in 0..300 {
        let key = control_plane.key().await;
        control_plane.sync(&key, said(&format!("host-{number}"), "1.0.0")).await.ok();
    }
    report(&control_plane, &house, "house-host", "with 'quotes' and \"more\"").await;
    control_plane.app.tick().await.unwrap();

    let control_plane = control_plane.restart().await;
    let before = (house.everything(&control_plane).await, customer.everything(&control_plane).await);
    let there = TestDatabase::bare();
    let (control_plane, Moved { tables, replaced }) = control_plane.moved_to(there, copied_and_moved).await;
    assert_eq!(replaced, 0);
    let after = (house.everything(&control_plane).await, customer.everything(&control_plane).await);
    for (before, after) in [(&before.0, &after.0), (&before.1, &after.1)] {
        for (path, was) in before {
            assert_eq!(after[path], *was, "{path}");
        }
    }
    let rows = |name: &str| tables.iter().find(|(table, ..)| table == name).map_or(0, |(_, rows, _)| *rows);
    for (table, least) in
        [("executors", 302), ("activity", 300), ("sessions", 1), ("upgrade_log", 1), ("plans", 2)]
    {
        assert!(rows(table) >= least, "{table}: {tables:#?}");
    }

    let seen = control_plane.browse(&browser, axum::http::Method::GET, "/api/v1/session", json!("")).await;
    assert_eq!(seen.ok()["name"], "jane@example.com", "a session goes on");
    report(&control_plane, &house, "house-host", "a line more").await;
    let shown = control_plane.get(&format!("/api/v1/upgrades/{}", house.ids["upgrades"])).await.ok();
    let told: Vec<_> = shown["log"].as_array().unwrap().iter().map(|line| line["message"].clone()).collect();
    assert_eq!(told.last().unwrap(), "a line more", "what the engine counts goes on: {told:?}");
    let plan = json!({"reason": "to see what is told of it"});
    let path = format!("/api/v1/fleet/plans/{}/pause", house.ids["fleet/plans"]);
    control_plane.post(&path, plan).await;
    control_plane.app.tick().await.unwrap();
    let verdict = control_plane.get("/api/v1/activity/verify").await.ok();
    assert!(verdict["entries"].as_u64() > Some(300) && verdict["firstBroken"].is_null(), "{verdict}");
}

#[test]
fn nothing_is_moved_from_a_file_that_is_missing_or_in_use_or_into_a_database_with_rows() {
    let ((here, folder), there) = (small(), TestDatabase::bare());
    let (from, to) = (file(&here), address(&there));
    let refused =
        |from: &Path| migrate(from, to, &mut |_| panic!("nothing is begun")).unwrap_err().to_string();
    assert!(refused(&folder.path().join("no.sqlite")).starts_with("there is no database"));
    let control_plane = here.open();
    assert!(refused(from).ends_with("is open in another program; stop its control plane first"));
    drop(control_plane);
    let first = moved(&here.database, &there.database);
    let again = refused(from);
    assert!(again.contains("is not empty, its table accounts has rows"), "{again}");
    assert_eq!(first.tables.iter().map(|(_, rows, _)| rows).sum::<u64>(), 5);
}

#[test]
fn what_arrives_otherwise_is_undone_and_the_next_try_moves_all() {
    let ((here, _folder), there) = (small(), TestDatabase::bare());
    let (from, to) = (file(&here), address(&there));
    schema::postgresql::bring_along(to).unwrap();
    for change in
        ["NEW.name := NEW.name || ' '; RETURN NEW", "RETURN NULL", "NEW.created_at := 7; RETURN NEW"]
    {
        there
            .behind(&format!(
                "CREATE OR REPLACE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {change}; END $$;
                 DROP TRIGGER IF EXISTS other ON executor_groups;
                 CREATE TRIGGER other BEFORE INSERT ON executor_groups FOR EACH ROW EXECUTE FUNCTION other()"
            ))
            .unwrap();
        let refused = migrate(from, to, &mut |_| ()).unwrap_err();
        assert!(
            matches!(&refused, MigrateError::Differs(table, _) if table == "executor_groups"),
            "{refused}"
        );
    }
    there.behind("DROP TRIGGER other ON executor_groups").unwrap();
    let cut_short = std::panic::AssertUnwindSafe(|| {
        migrate(from, to, &mut |step| {
            assert!(!matches!(step, MigrateStep::Checking("sessions")), "cut short")
        })
    });
    assert!(std::panic::catch_unwind(cut_short).is_err());
    let rows = migrate(from, to, &mut |_| ()).unwrap().tables.into_iter().map(|(_, rows, _)| rows);
    assert_eq!(rows.sum::<u64>(), 5);
}

#[test]
fn an_installation_of_the_first_program_is_brought_along_and_moved() {
    let folder = tempfile::tempdir().unwrap();
    let here = TestDatabase::embedded(folder.path());
    here.behind(include_str!("../migrations/0001_spine.sql")).unwrap();
    here.behind("PRAGMA user_version = 1; INSERT INTO accounts VALUES ('a', 'default', 0)").unwrap();
    let there = TestDatabase::bare();
    let moved = moved(&here.database, &there.database);
    assert_eq!(
        moved.tables.iter().find(|(table, ..)| table == "accounts").map(|(_, rows, _)| *rows),
        Some(1)
    );
    assert_eq!(moved.replaced, 0);
    drop(there.open());
}

#[test]
fn a_nul_becomes_what_postgresql_keeps_and_is_counted() {
    let ((here, _folder), there) = (small(), TestDatabase::bare());
    here.behind("UPDATE executor_groups SET selector = 'a' || char(0) || 'b' WHERE id = 'g1'").unwrap();
    assert_eq!(moved(&here.database, &there.database).replaced, 1);
}

#[test]
fn what_is_counted_as_it_happens_is_counted_once_where_it_arrives() {
    let ((here, _folder), there) = (small(), TestDatabase::bare());
    here.behind(&counted::rows("x''")).unwrap();
    moved(&here.database, &there.database);
    assert_eq!(there.ask(counted::QUESTION).lines().collect::<Vec<_>>(), counted::ANSWER);
    there.behind("UPDATE plan_members SET outcome = 'failed' WHERE executor_id = 'e1'").unwrap();
    let lines = there.ask(counted::QUESTION);
    assert!(lines.contains("p 0 completed 1\np 0 failed 1\n"), "and it goes on: {lines}");
}
