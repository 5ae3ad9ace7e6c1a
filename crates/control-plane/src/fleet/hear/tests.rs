use novacula_protocol::Stage;
use serde_json::{Value, json};

use super::*;
use crate::in_process::{ControlPlane, reported};
use crate::secrets::SecretHash;

#[tokio::test]
async fn what_is_heard_while_a_change_is_kept_is_not_forgotten() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let report = |stage: &str, bytes: u64| {
        let mut said = reported("host-1", "1.0.0", &upgrade, stage, "UNDERWAY");
        said["upgrade"]["bytesDone"] = json!(bytes);
        said
    };
    control_plane.sync(&key, report("DOWNLOAD", 1)).await.ok();
    let fleet = &control_plane.app.fleet;
    let now = control_plane.app.clock.now();
    let hear = |said: Value| {
        let by = fleet.key(SecretHash::of(&key), now).unwrap();
        fleet.hear(by, &Arc::new(serde_json::from_value(said).unwrap()), None, now).unwrap()
    };
    let Heard::Changed(change) = hear(report("VERIFY", 2)) else { panic!("a step is a change") };
    assert!(matches!(hear(report("DOWNLOAD", 5)), Heard::Known(_)));
    let told = fleet.take_over(change).upgrade.unwrap().shown;
    assert_eq!((told.stage, told.bytes_done), (Stage::Verify, 5));
}
