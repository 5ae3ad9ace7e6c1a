use novacula_protocol::sync::SyncRequest;
use serde_json::json;

use crate::fleet::Heard;
use crate::in_process::{ControlPlane, said};
use crate::secrets::SecretHash;

#[tokio::test]
async fn of_two_changes_of_one_executor_in_one_commit_the_first_is_kept_and_the_second_hears_of_it() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let app = &control_plane.app;
    let now = app.clock.now();
    let change = |rack: &str| {
        let mut said = said("host-1", "1.0.0");
        said["labels"] = json!({"rack": rack});
        let said: SyncRequest = serde_json::from_value(said).unwrap();
        let by = app.fleet.key(SecretHash::of(&key), now).unwrap();
        match app.fleet.hear(by, &said, None, now) {
            Ok(Heard::Changed(change)) => change,
            heard => panic!("{heard:?}"),
        }
    };
    let commits = app.store.commits();
    let (first, second) =
        tokio::join!(app.store.keep_change(change("1"), app), app.store.keep_change(change("2"), app),);
    assert_eq!(app.store.commits(), commits + 1);
    assert!(matches!((first, second), (Ok(Some(_)), Ok(None))));
    let path = format!("/api/v1/executors/{id}");
    assert_eq!(control_plane.get(&path).await.ok()["labels"], json!({"rack": "1"}));
    assert_eq!(control_plane.restart().await.get(&path).await.ok()["labels"], json!({"rack": "1"}));
}
