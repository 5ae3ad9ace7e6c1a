use serde_json::{Value, json};

use crate::in_process::{ControlPlane, comment, reported, said, signer};

async fn consequences(control_plane: &ControlPlane, release: &Value) -> Value {
    let id = release["id"].as_str().unwrap();
    control_plane.get(&format!("/api/v1/releases/{id}/consequences")).await.ok()
}

async fn yank(control_plane: &ControlPlane, release: &Value) {
    let path = format!("/api/v1/releases/{}", release["id"].as_str().unwrap());
    control_plane.patch(&path, json!({"status": "yanked", "reason": "it hangs"})).await.ok();
}

#[tokio::test]
async fn who_would_be_offered_a_draft_is_known_before_it_is_published() {
    let control_plane = ControlPlane::start().await;
    for (name, version) in [("low", "1.0.0"), ("same", "1.2.0"), ("high", "1.3.0")] {
        control_plane.executor(name, version).await;
    }
    let (key, mut other) = (control_plane.key().await, said("other", "1.0.0"));
    other["target"] = json!("aarch64-unknown-linux-musl");
    control_plane.sync(&key, other).await.ok();
    control_plane.publish("1.1.0").await;
    let draft = control_plane.draft("1.2.0", b"two").await;
    let found = consequences(&control_plane, &draft).await;
    let counts =
        |found: &Value| ["offeredTo", "upgradesFor", "running"].map(|name| found[name].as_u64().unwrap());
    assert_eq!(counts(&found), [3, 1, 1]);
    assert_eq!(found["instead"], json!([{"version": "1.1.0", "executors": 3}]));
    // One more target, and it concerns one more.
    let signature = signer("trusted").sign(b"arm", &comment("1.2.0", "aarch64-unknown-linux-musl"));
    let fields: &[(&str, &[u8])] = &[
        ("kind", b"agent"),
        ("version", b"1.2.0"),
        ("signature", signature.as_bytes()),
        ("artifact", b"arm"),
    ];
    let draft = control_plane.upload(fields).await.ok();
    let found = consequences(&control_plane, &draft).await;
    assert_eq!(counts(&found), [4, 2, 1]);
    assert_eq!(
        found["instead"],
        json!([{"version": "1.1.0", "executors": 3}, {"version": null, "executors": 1}])
    );
}

#[tokio::test]
async fn yanking_does_what_its_consequences_say() {
    let control_plane = ControlPlane::start().await;
    let mut hosts = Vec::new();
    for name in ["a-pending", "b-running", "c-runs-it", "d-free", "e-on-the-way"] {
        let version = if name == "c-runs-it" { "3.0.0" } else { "2.0.0" };
        let version = if name == "e-on-the-way" { "1.0.0" } else { version };
        hosts.push(control_plane.executor(name, version).await);
    }
    control_plane.publish("2.1.0").await;
    let release = control_plane.publish("3.0.0").await;
    let pending = control_plane.request(&hosts[0].1, "3.0.0").await.ok();
    let running = control_plane.request(&hosts[1].1, "3.0.0").await.ok();
    let id = running["id"].as_str().unwrap();
    let report = reported("b-running", "2.0.0", id, "DOWNLOAD", "UNDERWAY");
    control_plane.sync(&hosts[1].0, report).await.ok();
    let path = format!("/api/v1/executors/{}/upgrade", hosts[4].1);
    let hop = control_plane.post(&path, json!({"targetVersion": "3.0.0", "hops": true})).await.ok();
    assert_eq!(hop["targetVersion"], "2.1.0");

    let found = consequences(&control_plane, &release).await;
    let counts = ["offeredTo", "upgradesFor", "running", "pending", "underWay", "onTheWay"];
    assert_eq!(counts.map(|name| found[name].as_u64().unwrap()), [5, 4, 1, 1, 1, 1]);
    let names: Vec<_> = found["upgrades"].as_array().unwrap().iter().map(|it| &it["executorName"]).collect();
    assert_eq!(names, ["a-pending", "b-running", "e-on-the-way"]);

    yank(&control_plane, &release).await;
    // What was requested before goes on: it is still offered, and its bytes are still there to be fetched.
    let told = control_plane.sync(&hosts[0].0, said("a-pending", "2.0.0")).await.ok();
    assert_eq!(told["pendingUpgrade"]["upgradeId"], pending["id"]);
    assert_eq!(told["pendingUpgrade"]["intent"], "apply");
    let url = format!("/api/v1/artifacts/{}", told["pendingUpgrade"]["sha256"].as_str().unwrap());
    assert_eq!(control_plane.call(axum::http::Method::GET, &url, &hosts[0].0, "").await.status, 200);
    // What is requested now is refused, and a retry too.
    assert_eq!(control_plane.request(&hosts[3].1, "3.0.0").await.problem().1, "release_not_found");
    let failed = reported("b-running", "2.0.0", id, "FAILED", "FAILED");
    control_plane.sync(&hosts[1].0, failed).await.ok();
    let retried =
        control_plane.post(&format!("/api/v1/upgrades/{id}/retry"), json!({"reason": "again"})).await;
    assert_eq!(retried.problem().1, "release_not_found");
    // The way ends before its last hop.
    let done = reported("e-on-the-way", "2.1.0", hop["id"].as_str().unwrap(), "COMPLETED", "COMPLETED");
    let answer = control_plane.sync(&hosts[4].0, done).await.ok();
    assert_eq!(answer["pendingUpgrade"], json!(null));
    let runs = control_plane.get(&format!("/api/v1/executors/{}", hosts[2].1)).await.ok();
    assert_eq!(runs["currentVersion"], "3.0.0", "it is taken from nobody");

    let found = consequences(&control_plane, &release).await;
    assert_eq!(counts.map(|name| found[name].as_u64().unwrap()), [0, 0, 1, 1, 0, 0]);
    assert_eq!(found["instead"], json!([]));
}

#[tokio::test]
async fn a_plan_to_a_yanked_release_is_named_before_and_refuses_who_has_not_begun() {
    let control_plane = ControlPlane::start().await;
    for name in ["a", "b"] {
        let key = control_plane.key().await;
        let mut sync = said(name, "1.0.0");
        sync["labels"] = json!({"wave": "all"});
        control_plane.sync(&key, sync).await.ok();
    }
    let release = control_plane.publish("1.1.0").await;
    let plan = json!({
        "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "to-1-1"},
        "spec": {
            "targetVersion": "1.1.0",
            "waves": [{
                "name": "all", "clusterSelector": {"matchLabels": {"wave": "all"}}, "maxInFlight": 1,
                "validation": {"healthCheckDuration": "60s", "automated": true},
            }],
        },
    });
    let applied = control_plane.post("/api/v1/fleet/plans", plan).await.ok();
    control_plane.app.advance_plans().await.unwrap();
    let found = consequences(&control_plane, &release).await;
    let plan = &found["plans"][0];
    assert_eq!((&plan["id"], &plan["name"]), (&applied["id"], &json!("to-1-1")));
    assert_eq!((&plan["state"], &plan["waiting"]), (&json!("running"), &json!(1)));
    yank(&control_plane, &release).await;
    let upgrade = found["upgrades"][0]["id"].as_str().unwrap();
    control_plane
        .post(&format!("/api/v1/upgrades/{upgrade}/abandon"), json!({"reason": "yanked"}))
        .await
        .ok();
    for _ in 0..3 {
        control_plane.app.advance_plans().await.unwrap();
    }
    let path = format!("/api/v1/fleet/plans/{}/executors?outcome=refused", applied["id"].as_str().unwrap());
    let refused = control_plane.get(&path).await.ok();
    let reasons: Vec<_> =
        refused["items"].as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap()).collect();
    assert!(
        reasons.iter().any(|reason| reason.contains("not among the releases that are offered")),
        "{reasons:?}"
    );
}
