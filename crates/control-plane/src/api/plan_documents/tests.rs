use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::in_process::{Answered, ControlPlane, OWNER, said};

const EXAMPLE: &str = include_str!("../../../../../docs/examples/fleet-plan.yaml");
const DRY_RUN: &str = "/api/v1/fleet/plans/dry-run";

/// An executor with the label `upgrade-wave`; its key and id.
async fn labelled(control_plane: &ControlPlane, name: &str, version: &str, wave: &str) -> (String, String) {
    let (key, id) = control_plane.executor(name, version).await;
    let mut labelled = said(name, version);
    labelled["labels"] = json!({"upgrade-wave": wave});
    control_plane.sync(&key, labelled).await.ok();
    (key, id)
}

/// One executor for each wave of the example, and the release that it wants.
async fn fleet() -> ControlPlane {
    let control_plane = ControlPlane::start().await;
    for (name, wave) in
        [("host-1", "canary"), ("host-2", "standard"), ("host-3", "critical"), ("host-4", "none")]
    {
        labelled(&control_plane, name, "1.33.0", wave).await;
    }
    for version in ["1.33.5", "1.34.0", "1.34.2", "3.0.0"] {
        control_plane.publish(version).await;
    }
    control_plane
}

async fn dry_run(control_plane: &ControlPlane, text: &str) -> Answered {
    control_plane.call(Method::POST, DRY_RUN, OWNER, text.to_owned()).await
}

#[tokio::test]
async fn a_bad_plan_is_refused_with_the_path_and_the_reason_and_nothing_is_kept() {
    let control_plane = fleet().await;
    let with = |from: &str, to: &str| {
        assert!(EXAMPLE.contains(from), "{from}");
        EXAMPLE.replacen(from, to, 1)
    };
    let wave = |more: &str| with("      validation:", &format!("      {more}\n      validation:"));
    let other = json!({
        "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "other"},
        "spec": {"targetVersion": "1.33.5", "yieldsTo": ["k8s-1-34-upgrade"], "waves": [
            {"name": "none", "clusterSelector": {"matchLabels": {"upgrade-wave": "none"}}}]},
    });
    // It yields to a plan that lived then.
    let first = with("\"1.34\"", "1.33.5");
    let first = control_plane.call(Method::POST, "/api/v1/fleet/plans", OWNER, first).await.ok();
    control_plane.post("/api/v1/fleet/plans", other).await.ok();
    let id = first["id"].as_str().unwrap();
    control_plane.post(&format!("/api/v1/fleet/plans/{id}/halt"), json!({"reason": "test"})).await.ok();
    control_plane.delete(&format!("/api/v1/fleet/plans/{id}?reason=test")).await.ok();
    let nobody = with("upgrade-wave: canary", "upgrade-wave: a").replace(": standard\n", ": b\n");
    let before = control_plane.database().digests();
    for (sentence, text, path, reason) in [
        (
            "an unknown field",
            with("healthCheckDuration", "healthCheckDurations"),
            "spec.waves[0].validation.healthCheckDurations",
            "is no field that is known here",
        ),
        (
            "an unknown field of a gate",
            wave("gates: [{type: http, url: 'http://10.0.0.1/', severity: x}]"),
            "spec.waves[0].gates[0].severity",
            "is no field that is known here",
        ),
        (
            "a version that nobody can reach",
            with("\"1.34\"", "\"3.0.0\""),
            "spec.targetVersion",
            "3.0.0 is for nobody: `host-1` has no way there: the way to 3.0.0 goes over 2.x",
        ),
        (
            "a version that is not published",
            with("\"1.34\"", "\"1.35\""),
            "spec.targetVersion",
            "none begins with 1.35; near it there are 1.33.5, 1.34.0, 1.34.2, 3.0.0",
        ),
        (
            "an empty selector",
            with("matchLabels:\n          upgrade-wave: canary", "matchLabels: {}"),
            "spec.waves[0].clusterSelector",
            "must name a label, it is empty",
        ),
        (
            "no selector",
            with("      clusterSelector:\n        matchLabels:\n          upgrade-wave: canary\n", ""),
            "spec.waves[0].clusterSelector",
            "must be given, or `group` in its place",
        ),
        (
            "an unknown group",
            with("clusterSelector:\n        matchLabels:\n          upgrade-wave: canary", "group: canaries"),
            "spec.waves[0].group",
            "there is no `canaries`; there are: none",
        ),
        (
            "waves that overlap",
            with("upgrade-wave: standard", "upgrade-wave: canary"),
            "spec.waves[1].clusterSelector",
            "must take others than wave `canary` (spec.waves[0]), it takes the same",
        ),
        (
            "waves that overlap in one executor",
            with(
                "matchLabels:\n          upgrade-wave: standard",
                "matchExpressions: [{key: upgrade-wave, operator: In, values: [standard, canary]}]",
            ),
            "spec.waves[1].clusterSelector",
            "(spec.waves[0]), both take `host-1`",
        ),
        (
            "a negative duration",
            with("1h", "-1h"),
            "spec.waves[0].validation.healthCheckDuration",
            "must not be negative, it is `-1h`",
        ),
        (
            "a circle of plans",
            with("spec:", "spec:\n  yieldsTo: [other]"),
            "spec.yieldsTo",
            "but `k8s-1-34-upgrade` yields to `other` yields to `k8s-1-34-upgrade`",
        ),
        (
            "a plan that does not live",
            with("spec:", "spec:\n  yieldsTo: [gone]"),
            "spec.yieldsTo[0]",
            "there is no `gone`; there are: `other`",
        ),
        (
            "a plan that matches nothing",
            nobody.replace(": critical\n", ": c\n"),
            "spec.waves",
            "of 4 executors of kind agent they take none (`canary: upgrade-wave=a`, `production-standard: upgrade-wave=b`, `production-critical: upgrade-wave=c`)",
        ),
        (
            "a window that never opens",
            wave("window: {cron: '0 0 31 2 *', duration: 1h, zone: UTC}"),
            "spec.waves[0].window.cron",
            "no such day comes",
        ),
        (
            "two plans in one file",
            format!("{EXAMPLE}---\n{EXAMPLE}"),
            "document",
            "must be the only one in its file",
        ),
        ("nothing", String::new(), "document", "it is empty"),
        ("tabs", with("  name: k8s", "\tname: k8s"), "document", "never with tabs"),
        ("a name twice", with("  name: k8s", "  name: a\n  name: k8s"), "metadata.name", "it stands twice"),
        ("JSON that is cut", "{\"kind\":".to_owned(), "document", "must be YAML or JSON, it is not"),
    ] {
        for path_of_call in [DRY_RUN, "/api/v1/fleet/plans"] {
            let refused = control_plane.call(Method::POST, path_of_call, OWNER, text.clone()).await;
            assert_eq!(refused.problem(), (400, "invalid_plan".to_owned()), "{sentence}");
            let error = refused.json()["error"].clone();
            assert_eq!(error["details"]["path"], path, "{sentence}: {error}");
            let told = error["details"]["reason"].as_str().unwrap();
            assert!(told.contains(reason), "{sentence}: {told}");
            assert_eq!(error["message"], format!("`{path}` {told}"), "{sentence}");
        }
    }
    let bytes = control_plane.call(Method::POST, DRY_RUN, OWNER, vec![b'a', 0xff]).await;
    assert_eq!(bytes.json()["error"]["details"]["reason"], "must be text in UTF-8, it is not from byte 1 on");
    let large = control_plane.call(Method::POST, DRY_RUN, OWNER, " ".repeat((1 << 20) + 1)).await;
    assert_eq!(large.problem(), (413, "too_large".to_owned()));
    assert_eq!(control_plane.database().digests(), before);
}

#[tokio::test]
async fn a_plan_is_read_whatever_its_content_type_says() {
    let control_plane = fleet().await;
    let json =
        serde_json::to_string(&novacula_protocol::people::FleetUpgradePlan::read(EXAMPLE).unwrap()).unwrap();
    for (content_type, text) in [
        ("application/yaml", EXAMPLE),
        ("application/x-yaml", EXAMPLE),
        ("text/yaml; charset=utf-8", EXAMPLE),
        ("application/json", json.as_str()),
        ("application/json", EXAMPLE),
        ("", EXAMPLE),
        ("", json.as_str()),
    ] {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(DRY_RUN)
            .header("authorization", format!("Bearer {OWNER}"));
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let answer = control_plane.send(request.body(text.to_owned().into()).unwrap()).await.ok();
        assert_eq!(answer["targetVersion"], "1.34.2", "{content_type}");
    }
}

#[tokio::test]
async fn a_dry_run_shows_the_fleet_as_it_is_and_asks_its_hosts() {
    let control_plane = fleet().await;
    let (key, id) = labelled(&control_plane, "host-5", "1.33.0", "canary").await;
    let dead = labelled(&control_plane, "host-6", "1.33.0", "standard").await.1;
    control_plane.wait_ms(29_000);
    for (name, wave) in [("host-7", "standard"), ("host-8", "critical")] {
        labelled(&control_plane, name, "1.34.2", wave).await;
    }
    let mut held = said("host-5", "1.33.0");
    held["labels"] = json!({"upgrade-wave": "canary"});
    held["held"] = json!({"reason": "the disk is replaced", "until": null});
    control_plane.sync(&key, held.clone()).await.ok();
    control_plane.wait_ms(2_000);
    let shown = dry_run(&control_plane, EXAMPLE).await.ok();
    let wave = |wave: usize| shown["waves"][wave].clone();
    let member = |wave_of: usize, name: &str| {
        let wave = wave(wave_of);
        wave["executors"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone()
    };
    assert_eq!(shown["targetVersion"], "1.34.2");
    assert_eq!(shown["inNoWave"], json!(["host-4"]));
    assert_eq!(wave(0)["wantsApproval"], false);
    assert_eq!(wave(1)["wantsApproval"], true);
    assert_eq!(member(0, "host-5")["obstacle"], "its host is on hold: the disk is replaced");
    assert_eq!(member(0, "host-5")["route"], json!(["1.34.2"]));
    assert_eq!(member(1, "host-6")["obstacle"], "it does not sync");
    assert_eq!(member(1, "host-6")["status"], "offline");
    assert_eq!(member(1, "host-7")["route"], json!([]), "it is there already");
    assert_eq!(member(0, "host-1")["status"], "offline", "it was last heard a while ago");

    let owes = member(0, "host-5")["owes"].as_array().unwrap().clone();
    assert!(owes.contains(&json!("disk_space")), "{owes:?}");
    assert_eq!(member(1, "host-6")["owes"], json!([]), "who does not sync is not asked");
    assert_eq!(member(1, "host-7")["owes"], json!([]), "who does not go is not asked");
    let preflight =
        async |id: &str| control_plane.get(&format!("/api/v1/executors/{id}/preflight")).await.ok();
    assert_eq!(preflight(&dead).await["waiting"], json!([]));
    assert_eq!(preflight(&id).await["waiting"], json!(owes));
    held["preflight"] = json!([{"check": "disk_space", "ok": false, "note": "12 MiB are free"}]);
    control_plane.sync(&key, held).await.ok();

    let before = control_plane.database().digests();
    let again = dry_run(&control_plane, EXAMPLE).await.ok();
    let member = again["waves"][0]["executors"].as_array().unwrap().iter().find(|it| it["name"] == "host-5");
    let member = member.unwrap();
    assert_eq!(member["preflight"][0]["note"], "12 MiB are free");
    assert!(!member["owes"].as_array().unwrap().contains(&json!("disk_space")), "it was answered just now");
    assert_eq!(control_plane.database().digests(), before, "what is owed or fresh is not asked for again");
    assert_eq!(control_plane.get("/api/v1/fleet/plans").await.ok()["items"], json!([]));
    assert_eq!(control_plane.get("/api/v1/upgrades").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn the_dry_run_of_a_plan_shows_its_own_order_and_version() {
    let control_plane = ControlPlane::start().await;
    for n in 1..=9 {
        labelled(&control_plane, &format!("host-{n}"), "1.33.0", "canary").await;
    }
    control_plane.publish("1.34.0").await;
    let plan = json!({
        "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "monthly"},
        "spec": {"targetVersion": "1.34", "waves": [{
            "name": "all", "canary": 2, "maxInFlight": 1,
            "clusterSelector": {"matchLabels": {"upgrade-wave": "canary"}},
        }]},
    });
    let plan = control_plane.post("/api/v1/fleet/plans", plan.clone()).await.ok();
    let id = plan["id"].as_str().unwrap();
    control_plane.publish("1.34.9").await;
    let shown = control_plane.post(&format!("/api/v1/fleet/plans/{id}/dry-run"), json!({})).await.ok();
    assert_eq!(shown["targetVersion"], "1.34.0", "fixed when it was applied");
    let names = |rows: &Value, name: &str| {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (row[name].clone(), row["canary"].clone())).collect::<Vec<_>>()
    };
    let members = control_plane.get(&format!("/api/v1/fleet/plans/{id}/executors")).await.ok();
    assert_eq!(names(&shown["waves"][0]["executors"], "name"), names(&members["items"], "executorName"));

    let mut other = plan["document"].clone();
    other["spec"]["targetVersion"] = json!("1.34.9");
    let shown = control_plane.post(DRY_RUN, other).await.ok();
    let warnings = shown["warnings"].to_string();
    assert!(warnings.contains("a plan called `monthly` has not ended"), "{warnings}");
    let nobody = "/api/v1/fleet/plans/01a1fd44-ec13-72dc-be3d-6f6dbcc5687c/dry-run";
    assert_eq!(control_plane.post(nobody, json!({})).await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn the_time_that_upgrades_took_is_the_time_they_will_take() {
    use crate::in_process::reported;
    let control_plane = fleet().await;
    let (key, id) = labelled(&control_plane, "host-9", "1.33.0", "none").await;
    let minutes = async || {
        let shown = dry_run(&control_plane, EXAMPLE).await.ok();
        let at = |name: &str| shown["waves"][0][name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        at("endsAt").duration_since(at("startsAt")).as_mins()
    };
    assert_eq!(minutes().await, 63, "three minutes and an hour");
    let upgrade = control_plane.request(&id, "1.33.5").await.ok()["id"].as_str().unwrap().to_owned();
    control_plane.sync(&key, reported("host-9", "1.33.0", &upgrade, "DOWNLOAD", "UNDERWAY")).await.ok();
    control_plane.wait_ms(10 * 60_000);
    control_plane.sync(&key, reported("host-9", "1.33.5", &upgrade, "COMPLETED", "COMPLETED")).await.ok();
    labelled(&control_plane, "host-10", "1.33.0", "canary").await;
    assert_eq!(minutes().await, 70, "ten minutes and an hour");
}
