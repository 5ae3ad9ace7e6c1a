use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use jiff::Timestamp;
use novacula_lab::Postgresql;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::in_process::database::TestDatabase;
use crate::store::sql::params;
use crate::store::{Database, LastSeen, Store, StoreError};

/// Of this database; others are on the same server.
const TURNS_TAKEN: &str = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()";

async fn add(store: &Store, name: String) -> Result<usize, StoreError> {
    let add = "INSERT INTO accounts (id, name, created_at) VALUES (?1, ?1, 0)";
    store.write(move |sql| sql.execute(add, params![name])).await
}

/// Its thread stands still in the middle of a transaction until it is told to go on, as when its host is frozen.
async fn stands_still_in_a_write(
    database: &TestDatabase,
    store: Store,
) -> (JoinHandle<Result<(), StoreError>>, Sender<()>) {
    let (go_on, wait) = std::sync::mpsc::channel();
    let held = tokio::spawn(async move {
        let work = move |sql: &crate::store::sql::Connection| {
            sql.execute("UPDATE accounts SET name = 'frozen'", [])?;
            let _ = wait.recv();
            Ok(())
        };
        store.write(work).await
    });
    crate::outgoing::receiver::until("it has the turn", async || database.ask(TURNS_TAKEN) != "0").await;
    (held, go_on)
}

#[tokio::test]
async fn a_text_with_a_nul_in_it_is_kept_without_it() {
    let database = TestDatabase::at_a_server();
    let store = database.open();
    add(&store, "a\0b".to_owned()).await.unwrap();
    let name = store.read(|sql| sql.query_row("SELECT name FROM accounts", [], |row| row.get(0))).await;
    assert_eq!(name, Ok("a\u{fffd}b".to_owned()));
}

#[tokio::test]
async fn work_that_overlooks_an_error_is_not_told_that_it_was_kept() {
    let database = TestDatabase::at_a_server();
    let store = database.open();
    let overlooked = store.write(|sql| {
        sql.execute("INSERT INTO accounts (id, name, created_at) VALUES ('1', 'one', 0)", [])?;
        let _ = sql.execute("INSERT INTO accounts (id, name, created_at) VALUES ('1', 'two', 0)", []);
        Ok(())
    });
    assert!(overlooked.await.is_err());
    assert_eq!(database.ask("SELECT count(*) FROM accounts"), "0");
    assert_eq!(add(&store, "one".to_owned()).await, Ok(1), "the next is not harmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commit_goes_along_with_the_last_statement_of_work_that_is_alone_and_of_no_other() {
    let database = Arc::new(TestDatabase::at_a_server());
    let store = database.open();
    let last = |name: &'static str| {
        let (store, database) = (store.clone(), Arc::clone(&database));
        let work = move |sql: &crate::store::sql::Connection| {
            sql.commit_with_next();
            sql.execute("INSERT INTO accounts (id, name, created_at) VALUES (?1, ?1, 0)", params![name])?;
            Ok(database.ask("SELECT string_agg(name, ',' ORDER BY name) FROM accounts"))
        };
        async move { store.write(work).await }
    };
    assert_eq!(last("one").await, Ok("one".to_owned()));
    assert!(matches!(last("one").await, Err(StoreError::Failed(_))), "it is there already");

    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let held = store.write(move |_| Ok(wait.recv().is_ok()));
    let several = async {
        let several = async { tokio::join!(last("two"), last("one"), last("three")) };
        let go_on = async { go_on.send(()) };
        tokio::join!(several, go_on).0
    };
    let (held, (two, one, three)) = tokio::join!(biased; held, several);
    assert_eq!(held, Ok(true));
    assert_eq!((two, three), (Ok("one".to_owned()), Ok("one".to_owned())), "they have one commit, the last");
    assert!(matches!(one, Err(StoreError::Failed(_))), "and one that fails harms no other");
    assert_eq!(database.ask("SELECT string_agg(name, ',' ORDER BY name) FROM accounts"), "one,three,two");
}

#[tokio::test]
async fn a_table_that_gets_a_column_while_statements_are_ready_is_read_on() {
    let database = TestDatabase::at_a_server();
    let store = database.open();
    add(&store, "one".to_owned()).await.unwrap();
    let names = async || {
        let all = |sql: &crate::store::sql::Connection| {
            sql.prepare_cached("SELECT * FROM accounts")?.query_map([], |row| row.get("name"))?.collect()
        };
        store.read::<Vec<String>, _>(all).await
    };
    assert_eq!(names().await.unwrap(), ["one"]);
    database.behind("ALTER TABLE accounts ADD COLUMN later TEXT").unwrap();
    assert_eq!(names().await.unwrap(), ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_the_turn_to_write_and_does_nothing_holds_the_others_up_for_seconds_only() {
    let database = TestDatabase::at_a_server();
    let (frozen, store) = (database.open(), database.open());
    add(&frozen, "one".to_owned()).await.unwrap();
    let (held, go_on) = stands_still_in_a_write(&database, frozen).await;
    let written = tokio::time::timeout(Duration::from_secs(15), add(&store, "two".to_owned())).await.unwrap();
    assert_eq!(written, Ok(1));
    go_on.send(()).unwrap();
    assert!(matches!(held.await.unwrap(), Err(StoreError::Away(_))), "what it held is not kept");
    assert_eq!(database.ask("SELECT string_agg(name, ',' ORDER BY name) FROM accounts"), "one,two");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_control_plane_has_heard_is_kept_while_another_one_has_the_turn_to_write() {
    let database = TestDatabase::at_a_server();
    let (busy, store) = (database.open(), database.open());
    let (held, go_on) = stands_still_in_a_write(&database, busy).await;
    let seen = LastSeen { executor_id: Uuid::nil(), at: Timestamp::UNIX_EPOCH, restarts: 0 };
    assert_eq!(store.keep_presence(vec![seen]).await, Ok(()));
    assert_eq!(database.ask(TURNS_TAKEN), "1", "it still has the turn");
    go_on.send(()).unwrap();
    assert_eq!(held.await.unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_the_server_was_killed_under_load_and_writes_go_on_by_themselves() {
    let mut server = Postgresql::start();
    server.ask("postgres", "CREATE DATABASE killed");
    let store = Store::open(&Database::read(&server.url("killed")).unwrap()).unwrap();
    let mut kept = Vec::new();
    for round in 0..4 {
        let counted = "SELECT count(*) FROM accounts";
        let before: usize = server.ask("killed", counted).parse().unwrap();
        let writing: Vec<_> = (0..400)
            .map(|n| {
                let (store, name) = (store.clone(), format!("{round}-{n:03}"));
                tokio::spawn(async move {
                    if n >= 50 {
                        // One after the other, so that there is always a commit to break off.
                        store.flush().await.ok();
                    }
                    (add(&store, name.clone()).await, name)
                })
            })
            .collect();
        novacula_lab::wait_for("some are written", Duration::from_secs(20), || {
            (server.ask("killed", counted).parse::<usize>().unwrap() > before).then_some(())
        });
        server.kill();
        for one in writing {
            let (answer, name) = one.await.unwrap();
            match answer {
                Ok(_) => kept.push(name),
                Err(e) => assert!(matches!(e, StoreError::Away(_)), "{e}"),
            }
        }
        server.go_on();
        for name in &kept {
            let question = format!("SELECT count(*) FROM accounts WHERE name = '{name}'");
            assert_eq!(server.ask("killed", &question), "1", "{name} was answered");
        }
        let name = format!("after-{round}");
        crate::outgoing::receiver::until("it writes again", async || {
            add(&store, name.clone()).await == Ok(1)
        })
        .await;
        assert_eq!(store.ping().await, Ok(()));
    }
    assert!(!kept.is_empty());
}
