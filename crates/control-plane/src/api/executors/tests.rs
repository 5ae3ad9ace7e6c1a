use crate::in_process::{ControlPlane, said};
use serde_json::{Value, json};

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|executor| executor["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn executors_are_found_by_what_is_known_of_them() {
    let control_plane = ControlPlane::start().await;
    let (_, _) = control_plane.executor("old", "1.0.0").await;
    control_plane.wait_ms(30_000);
    let key = control_plane.key().await;
    let mut canary = said("canary", "1.1.0");
    canary["channel"] = json!("beta");
    canary["labels"] = json!({"wave": "canary", "rack": "a=b"});
    control_plane.sync(&key, canary).await.ok();
    for (filter, expected) in [
        ("", vec!["canary", "old"]),
        ("name=old", vec!["old"]),
        ("version=1.1.0", vec!["canary"]),
        ("channel=stable", vec!["old"]),
        ("status=online", vec!["canary"]),
        ("status=offline", vec!["old"]),
        ("label=wave%3Dcanary&label=rack%3Da%3Db", vec!["canary"]),
        ("label=wave%3Dcanary&label=rack%3Dx", vec![]),
        ("name=%27%20OR%201%3D1%20--", vec![]),
    ] {
        let page = control_plane.get(&format!("/api/v1/executors?{filter}")).await.ok();
        assert_eq!(names(&page), expected, "{filter}");
    }
    for bad in ["label=wave", "status=gone", "version=1", "channel=x", "colour=red", "cursor=zz", "limit=501"]
    {
        let refused = control_plane.get(&format!("/api/v1/executors?{bad}")).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn executors_are_found_by_part_of_their_name_kind_support_hold_and_open_upgrade() {
    let control_plane = ControlPlane::start().await;
    let (key, busy) = control_plane.executor("Berlin-1", "2.0.0").await;
    control_plane.executor("berlin-2", "1.0.0").await;
    control_plane.executor("potsdam", "3.0.0").await;
    let key_of_operator = control_plane.key().await;
    let mut operator = said("kube", "3.1.0");
    operator["kind"] = json!("operator");
    operator["held"] = json!({"reason": "audit", "until": null});
    control_plane.sync(&key_of_operator, operator).await.ok();
    control_plane.publish("3.0.0").await;
    let upgrade = control_plane.request(&busy, "3.0.0").await.ok();
    control_plane.sync(&key, said("Berlin-1", "2.0.0")).await.ok();
    for (filter, expected) in [
        ("search=BERLIN", vec!["Berlin-1", "berlin-2"]),
        ("search=-", vec!["Berlin-1", "berlin-2"]),
        ("search=", vec!["Berlin-1", "berlin-2", "kube", "potsdam"]),
        ("search=%25", vec![]),
        ("kind=operator", vec!["kube"]),
        ("kind=agent&support=in-window", vec!["potsdam"]),
        ("support=deprecated", vec!["Berlin-1"]),
        ("support=out-of-support", vec!["berlin-2"]),
        ("held=true", vec!["kube"]),
        ("held=false&search=b", vec!["Berlin-1", "berlin-2"]),
        ("pending=true", vec!["Berlin-1"]),
        ("pending=false", vec!["berlin-2", "kube", "potsdam"]),
    ] {
        let page = control_plane.get(&format!("/api/v1/executors?{filter}")).await.ok();
        assert_eq!(names(&page), expected, "{filter}");
    }
    let one = &control_plane.get("/api/v1/executors?pending=true").await.ok()["items"][0];
    assert_eq!(
        (&one["pendingUpgradeId"], &one["pendingUpgrade"]["targetVersion"]),
        (&upgrade["id"], &json!("3.0.0"))
    );
    for bad in
        ["kind=ship", "support=none", "held=yes", "pending=", "held=true&held=true", "search=a&search=b"]
    {
        let refused = control_plane.get(&format!("/api/v1/executors?{bad}")).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn the_pages_of_a_fleet_have_everyone_once() {
    let control_plane = ControlPlane::start().await;
    for n in 0..7 {
        control_plane.executor(&format!("host-{n}"), if n % 2 == 0 { "1.0.0" } else { "2.0.0" }).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = control_plane.get(&format!("/api/v1/executors?version=1.0.0&limit=2{cursor}")).await.ok();
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["host-0", "host-2", "host-4", "host-6"]);
}

#[tokio::test]
async fn a_deleted_executor_is_gone_until_it_syncs_again_as_a_new_one() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let path = format!("/api/v1/executors/{id}");
    assert_eq!(control_plane.delete(&path).await.status, 204);
    assert_eq!(control_plane.get(&path).await.problem(), (404, "not_found".to_owned()));
    assert_eq!(control_plane.delete(&path).await.problem(), (404, "not_found".to_owned()));
    let control_plane = control_plane.restart().await;
    assert_eq!(control_plane.get("/api/v1/executors").await.ok()["items"], json!([]));
    control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
    let anew = control_plane.get("/api/v1/executors").await.ok();
    assert_ne!(anew["items"][0]["id"], id);
}
