use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use novacula_protocol::sync::SyncRequest;
use serde_json::json;
use tokio::time::timeout;

use super::Change;
use crate::app::App;
use crate::fleet::Heard;
use crate::in_process::{ControlPlane, said};
use crate::outgoing::receiver::until;
use crate::secrets::SecretHash;

/// What an executor has to say that is in another rack now.
fn change(app: &App, key: &str, name: &str, rack: &str) -> Change {
    let mut said = said(name, "1.0.0");
    said["labels"] = json!({"rack": rack});
    let said: Arc<SyncRequest> = Arc::new(serde_json::from_value(said).unwrap());
    let now = app.clock.now();
    let by = app.fleet.key(SecretHash::of(key), now).unwrap();
    match app.fleet.hear(by, &said, None, now) {
        Ok(Heard::Changed(change)) => change,
        heard => panic!("{heard:?}"),
    }
}

#[tokio::test]
async fn a_thread_that_ends_before_it_has_asked_for_a_commit_leaves_nobody_waiting_on_another() {
    let control_plane = ControlPlane::start().await;
    let app = &control_plane.app;
    let (first, _) = control_plane.executor("host-1", "1.0.0").await;
    let (second, id) = control_plane.executor("host-2", "1.0.0").await;
    let (first, second) = (change(app, &first, "host-1", "1"), change(app, &second, "host-2", "2"));
    let ended = tokio::runtime::Builder::new_current_thread().build().unwrap();
    std::thread::scope(|scope| {
        let ends =
            || assert!(ended.block_on(async { app.store.keep_change(first, app).now_or_never() }).is_none());
        scope.spawn(ends);
    });
    let waits = tokio::spawn({
        let app = Arc::clone(app);
        async move { app.store.keep_change(second, &app).await }
    });
    tokio::task::yield_now().await;
    ended.shutdown_background();
    let kept = timeout(Duration::from_secs(20), waits).await.unwrap().unwrap();
    assert!(matches!(kept, Ok(Some(_))), "{kept:?}");
    let path = format!("/api/v1/executors/{id}");
    assert_eq!(control_plane.get(&path).await.ok()["labels"], json!({"rack": "2"}));
}

#[tokio::test]
async fn of_two_changes_of_one_executor_in_one_commit_the_first_is_kept_and_the_second_hears_of_it() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let app = &control_plane.app;
    let change = |rack: &str| change(app, &key, "host-1", rack);
    let commits = app.store.commits();
    let (first, second) =
        tokio::join!(app.store.keep_change(change("1"), app), app.store.keep_change(change("2"), app),);
    assert_eq!(app.store.commits(), commits + 1);
    assert!(matches!((first, second), (Ok(Some(_)), Ok(None))));
    let path = format!("/api/v1/executors/{id}");
    assert_eq!(control_plane.get(&path).await.ok()["labels"], json!({"rack": "1"}));
    assert_eq!(control_plane.restart().await.get(&path).await.ok()["labels"], json!({"rack": "1"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_control_planes_that_keep_something_of_one_executor_the_later_hears_that_the_other_was_faster()
{
    let a = ControlPlane::at_a_server().await;
    let (key, id) = a.executor("host-1", "1.0.0").await;
    let b = a.beside().await;
    // From now on the statement is ready, and nothing has to go before it.
    let kept = b.app.store.keep_change(change(&b.app, &key, "host-1", "1"), &b.app).await;
    assert!(matches!(kept, Ok(Some(_))), "{kept:?}");

    let (go_on, wait) = std::sync::mpsc::channel();
    let store = a.app.store.clone();
    let faster = tokio::spawn(async move {
        let work = move |sql: &crate::store::sql::Connection| {
            sql.execute("UPDATE executors SET revision = revision + 1, labels = '{\"rack\":\"2\"}'", [])?;
            let _ = wait.recv();
            Ok(())
        };
        store.write(work).await
    });
    // Of this database; others are on the same server.
    let turns = |which: &str| {
        let turns = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
               JOIN pg_stat_activity s ON s.pid = l.pid
             WHERE l.locktype = 'advisory' AND d.datname = current_database()";
        a.database().ask(&format!("{turns} AND {which}"))
    };
    until("the first has the turn", async || turns("l.granted") == "1").await;
    let later = tokio::spawn({
        let (app, change) = (Arc::clone(&b.app), change(&b.app, &key, "host-1", "3"));
        async move { app.store.keep_change(change, &app).await }
    });
    let waits = "NOT l.granted AND s.query LIKE 'WITH kept AS%'";
    until("the second waits, with all it has to say", async || turns(waits) == "1").await;
    go_on.send(()).unwrap();
    faster.await.unwrap().unwrap();
    assert!(matches!(later.await.unwrap(), Ok(None)));
    let path = format!("/api/v1/executors/{id}");
    assert_eq!(a.restart().await.get(&path).await.ok()["labels"], json!({"rack": "2"}));
}
