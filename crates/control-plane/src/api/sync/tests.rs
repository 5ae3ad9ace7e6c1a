use super::*;
use crate::in_process::{ControlPlane, reported, said};
use axum::http::Method;
use serde_json::json;

#[test]
fn the_download_url_is_as_configured_or_as_the_request_came() {
    let headers = |pairs: &[(&'static str, &'static str)]| {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect::<HeaderMap>()
    };
    let rules = crate::settings::Settings::read(crate::settings::ServeArgs::default()).unwrap().rules;
    for (sentence, public_url, pairs, expected) in [
        ("as configured", Some("https://cp.example"), &[("host", "evil")][..], Some("https://cp.example")),
        ("as asked", None, &[("host", "10.0.0.1:3000")][..], Some("http://10.0.0.1:3000")),
        (
            "as asked through a proxy",
            None,
            &[("host", "cp.example"), ("x-forwarded-proto", "https")][..],
            Some("https://cp.example"),
        ),
        (
            "an odd scheme does not count",
            None,
            &[("host", "cp"), ("x-forwarded-proto", "file")][..],
            Some("http://cp"),
        ),
        ("a host that is none", None, &[("host", "a/b")][..], None),
        ("a host with a user", None, &[("host", "a@b")][..], None),
        ("no host", None, &[][..], None),
    ] {
        let rules = Rules { public_url: public_url.map(str::to_owned), ..rules.clone() };
        assert_eq!(base_url(&rules, &headers(pairs)).ok().as_deref(), expected, "{sentence}");
    }
    let own = Rules { serves_tls: true, ..rules };
    let url = base_url(&own, &headers(&[("host", "cp.example:3000")]));
    assert_eq!(url.ok().as_deref(), Some("https://cp.example:3000"), "over a TLS of our own");
}

#[tokio::test]
async fn an_unknown_name_becomes_an_executor_on_the_spot() {
    let control_plane = ControlPlane::start().await;
    let key = control_plane.key().await;
    let answer = control_plane.sync(&key, said("host-1", "2.0.0")).await.ok();
    assert_eq!(answer["controlPlaneVersion"], "3.0.0");
    assert_eq!(answer["support"], "deprecated");
    assert_eq!((answer["syncIntervalMs"].as_u64(), &answer["pendingUpgrade"]), (Some(5_000), &json!(null)));
    let found = control_plane.get("/api/v1/executors").await.ok();
    assert_eq!(found["items"][0]["name"], "host-1");
    assert_eq!(found["items"][0]["status"], "online");
}

#[tokio::test]
async fn an_unchanged_sync_writes_nothing_and_keeps_the_executor_online() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let upgrade_id = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let mut report = reported("host-1", "1.0.0", &upgrade_id, "DOWNLOAD", "UNDERWAY");
    control_plane.sync(&key, report.clone()).await.ok();
    let before = control_plane.app.store.commits();
    for bytes in 1..50 {
        control_plane.wait_ms(5_000);
        report["upgrade"]["bytesDone"] = json!(bytes);
        report["restarts"] = json!(bytes);
        control_plane.sync(&key, report.clone()).await.ok();
    }
    assert_eq!(control_plane.app.store.commits(), before);
    let shown = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
    assert_eq!((shown["status"].as_str(), shown["restarts"].as_u64()), (Some("online"), Some(49)));
    let upgrade = control_plane.get(&format!("/api/v1/upgrades/{upgrade_id}")).await.ok();
    assert_eq!(upgrade["bytesDone"], 49);

    control_plane.app.keep_presence(std::time::Duration::ZERO).await.unwrap();
    // Where there may be other control planes, so is how far it is, for them.
    let kept = before + 1 + u64::from(control_plane.app.store.is_shared());
    assert_eq!(control_plane.app.store.commits(), kept, "presence is kept in one write");
    control_plane.app.keep_presence(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(control_plane.app.store.commits(), kept, "and only of those that were heard");
}

#[tokio::test]
async fn a_slow_link_does_not_make_the_spec_of_an_upgrade_at_work_stale() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let upgrade_id = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let report = reported("host-1", "1.0.0", &upgrade_id, "DOWNLOAD", "UNDERWAY");
    control_plane.sync(&key, report.clone()).await.ok();
    control_plane.wait_ms(3_600_000);
    let answer = control_plane.sync(&key, report).await.ok();
    let time = |value: &serde_json::Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(time(&answer["pendingUpgrade"]["expiresAt"]) > time(&answer["now"]));
}

#[tokio::test]
async fn every_durable_fact_is_taken_over_and_survives_a_restart() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let probe = "'; DROP TABLE executors; -- <img src=x onerror=alert(1)>";
    let mut changed = said("host-1", "1.0.1");
    changed["channel"] = json!("beta");
    changed["labels"] = json!({"rack": probe, "upgrade-wave": "canary"});
    changed["held"] = json!({"reason": probe, "until": "2027-01-01T00:00:00Z"});
    control_plane.sync(&key, changed).await.ok();
    let before = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
    assert_eq!(before["labels"]["rack"], probe);
    assert_eq!(before["held"]["reason"], probe);
    let control_plane = control_plane.restart().await;
    let after = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
    assert_eq!(after, before);
    let commits = control_plane.app.store.commits();
    let mut same = said("host-1", "1.0.1");
    same["channel"] = json!("beta");
    same["labels"] = before["labels"].clone();
    same["held"] = before["held"].clone();
    control_plane.sync(&key, same).await.ok();
    assert_eq!(control_plane.app.store.commits(), commits);
}

#[tokio::test]
async fn names_of_every_kind_come_back_unharmed() {
    let control_plane = ControlPlane::start().await;
    for name in
        ["'; DROP TABLE executors; --", "<script>alert(1)</script>", "хост ☂", "%00", "a\\u0041", "{{7*7}}"]
    {
        let key = control_plane.key().await;
        control_plane.sync(&key, said(name, "1.0.0")).await.ok();
    }
    let found = control_plane.get("/api/v1/executors").await.ok();
    let mut names: Vec<_> = found["items"].as_array().unwrap().iter().map(|e| e["name"].clone()).collect();
    names.sort_by_key(|name| name.to_string());
    assert_eq!(names.len(), 6);
    assert!(names.contains(&json!("'; DROP TABLE executors; --")));
    assert!(names.contains(&json!("<script>alert(1)</script>")));
}

#[tokio::test]
async fn a_key_belongs_to_one_name() {
    let control_plane = ControlPlane::start().await;
    let (key, _) = control_plane.executor("host-1", "1.0.0").await;
    let refused = control_plane.sync(&key, said("host-2", "1.0.0")).await;
    assert_eq!(refused.problem(), (403, "key_bound".to_owned()));
    let made = control_plane.post("/api/v1/executor-keys", json!({"name": "host-3"})).await.ok();
    let refused = control_plane.sync(made["secret"].as_str().unwrap(), said("host-4", "1.0.0")).await;
    assert_eq!(refused.problem(), (403, "key_bound".to_owned()));
    let control_plane = control_plane.restart().await;
    let refused = control_plane.sync(&key, said("host-2", "1.0.0")).await;
    assert_eq!(refused.problem(), (403, "key_bound".to_owned()));
}

#[tokio::test]
async fn a_name_belongs_to_one_live_key_and_goes_over_after_revocation() {
    let control_plane = ControlPlane::start().await;
    let (old, id) = control_plane.executor("host-1", "1.0.0").await;
    let new = control_plane.key().await;
    let refused = control_plane.sync(&new, said("host-1", "1.0.0")).await;
    assert_eq!(refused.problem(), (409, "name_taken".to_owned()));
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("revoke that key first"));
    let keys = control_plane.get("/api/v1/executor-keys").await.ok();
    let old_id =
        keys["items"].as_array().unwrap().iter().find(|key| key["name"] == "host-1").unwrap()["id"].clone();
    control_plane.delete(&format!("/api/v1/executor-keys/{}", old_id.as_str().unwrap())).await.ok();
    let ended = control_plane.sync(&old, said("host-1", "1.0.0")).await;
    assert_eq!(ended.problem(), (401, "invalid_api_key".to_owned()));
    control_plane.sync(&new, said("host-1", "1.0.0")).await.ok();
    let found = control_plane.get("/api/v1/executors").await.ok();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(found["items"][0]["id"], id);
    let commits = control_plane.app.store.commits();
    control_plane.sync(&new, said("host-1", "1.0.0")).await.ok();
    assert_eq!(control_plane.app.store.commits(), commits);
}

#[tokio::test]
async fn the_kind_of_an_executor_never_changes() {
    let control_plane = ControlPlane::start().await;
    let (key, _) = control_plane.executor("host-1", "1.0.0").await;
    let mut other = said("host-1", "1.0.0");
    other["kind"] = json!("operator");
    assert_eq!(control_plane.sync(&key, other.clone()).await.problem(), (409, "kind_mismatch".to_owned()));
    let control_plane = control_plane.restart().await;
    assert_eq!(control_plane.sync(&key, other).await.problem(), (409, "kind_mismatch".to_owned()));
}

#[tokio::test]
async fn a_sync_that_cannot_be_read_is_told_where() {
    let control_plane = ControlPlane::start().await;
    let key = control_plane.key().await;
    let mut bad_stage = reported("host-1", "1.0.0", "u", "LAUNCH", "UNDERWAY");
    let mut bad_label = said("host-1", "1.0.0");
    bad_label["labels"] = json!({"a": 1});
    bad_stage["unknown"] = json!("fields are ignored");
    let deep = format!("{{\"unknown\": {}", "[".repeat(100_000));
    for (sentence, body, part) in [
        ("no stage of ours", bad_stage.to_string(), "upgrade.stage"),
        ("a label that is no text", bad_label.to_string(), "labels.a"),
        ("nothing", String::new(), "it is empty"),
        ("deeply nested", deep, "line 1"),
        ("an escape code", said("a\u{1b}[2J", "1.0.0").to_string(), "U+001B"),
    ] {
        let refused = control_plane.call(Method::POST, "/api/v1/syncExecutor", &key, body).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{sentence}");
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{sentence}: {message}");
    }
    let huge = "x".repeat(50 << 20);
    let refused = control_plane.call(Method::POST, "/api/v1/syncExecutor", &key, huge).await;
    assert_eq!(refused.problem(), (413, "too_large".to_owned()));
}

#[tokio::test]
async fn a_sync_with_anything_but_an_executors_key_is_unauthenticated() {
    let control_plane = ControlPlane::start().await;
    for bearer in ["nvu_the-owner-of-the-test", "nva_unknown", "nve_unknown", ""] {
        let refused = control_plane.sync(bearer, said("host-1", "1.0.0")).await;
        assert_eq!(refused.problem(), (401, "invalid_api_key".to_owned()), "{bearer}");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn an_upgrade_is_offered_until_its_end_is_reported() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let asked = control_plane.request(&id, "1.1.0").await.ok();
    let upgrade_id = asked["id"].as_str().unwrap();
    let offered = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok()["pendingUpgrade"].clone();
    let sha256 = offered["sha256"].as_str().unwrap();
    assert_eq!(offered["kind"], "agent");
    assert_eq!((offered["intent"].as_str(), offered["attempt"].as_u64()), (Some("apply"), Some(1)));
    assert_eq!(offered["downloadUrl"], format!("http://cp.test:3000/api/v1/artifacts/{sha256}"));
    assert_eq!(offered["expiresAt"], asked["expiresAt"]);
    let control_plane = control_plane.restart().await;

    for (stage, status) in
        [("DOWNLOAD", "UNDERWAY"), ("VERIFY", "UNDERWAY"), ("SWAP", "COMPLETED"), ("DOWNLOAD", "UNDERWAY")]
    {
        let answer =
            control_plane.sync(&key, reported("host-1", "1.0.0", upgrade_id, stage, status)).await.ok();
        assert_eq!(answer["pendingUpgrade"]["upgradeId"], upgrade_id, "{stage}");
    }
    let path = format!("/api/v1/upgrades/{upgrade_id}");
    assert_eq!(control_plane.get(&path).await.ok()["stage"], "SWAP", "late news moves nothing back");
    let on_trial = control_plane.sync(&key, said("host-1", "1.1.0")).await.ok();
    assert_eq!(on_trial["pendingUpgrade"]["upgradeId"], upgrade_id, "the version alone completes nothing");

    let mut done = reported("host-1", "1.1.0", upgrade_id, "COMPLETED", "COMPLETED");
    let line =
        json!({"at": "2026-01-01T00:00:00Z", "level": "SUCCESS", "message": "<b>'; DROP TABLE upgrades; --"});
    done["upgrade"]["log"] = json!([line, line]);
    for _ in 0..2 {
        let answer = control_plane.sync(&key, done.clone()).await.ok();
        assert_eq!(answer["pendingUpgrade"], json!(null));
    }
    let control_plane = control_plane.restart().await;
    let shown = control_plane.get(&path).await.ok();
    assert_eq!((shown["stage"].as_str(), shown["state"].as_str()), (Some("COMPLETED"), Some("completed")));
    assert_eq!(shown["log"], json!([line]), "a line said twice is one line");
    let executor = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
    assert_eq!(
        (executor["currentVersion"].as_str(), &executor["pendingUpgradeId"]),
        (Some("1.1.0"), &json!(null))
    );
    assert_eq!(executor["availableDowngrades"], json!([]));
}

#[tokio::test]
async fn a_report_on_the_upgrade_of_another_executor_changes_nothing() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    let (other, _) = control_plane.executor("host-2", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let asked = control_plane.request(&id, "1.1.0").await.ok();
    let stray = reported("host-2", "1.0.0", asked["id"].as_str().unwrap(), "FAILED", "FAILED");
    control_plane.sync(&other, stray).await.ok();
    assert_eq!(
        control_plane.get(&format!("/api/v1/upgrades/{}", asked["id"].as_str().unwrap())).await.ok(),
        asked
    );
}

#[tokio::test]
async fn what_executors_say_anew_at_once_shares_a_commit_and_is_durable_before_the_answers() {
    let control_plane = ControlPlane::start().await;
    let mut keys = Vec::new();
    for number in 0..60 {
        keys.push(control_plane.executor(&format!("host-{number}"), "1.0.0").await.0);
    }
    let before = control_plane.app.store.commits();
    let syncs = keys.iter().enumerate().map(|(number, key)| {
        let mut changed = said(&format!("host-{number}"), "1.0.0");
        changed["labels"] = json!({"rack": number.to_string()});
        control_plane.sync(key, changed)
    });
    for answer in futures_util::future::join_all(syncs).await {
        assert_eq!(answer.ok()["pendingUpgrade"], json!(null));
    }
    let commits = control_plane.app.store.commits() - before;
    assert!((1..20).contains(&commits), "{commits} commits for 60 changes");
    // Nothing is asked to be kept in between: what was answered is there.
    let control_plane = control_plane.killed().await;
    let found = control_plane.get("/api/v1/executors?limit=100").await.ok();
    for executor in found["items"].as_array().unwrap() {
        let name = executor["name"].as_str().unwrap();
        assert_eq!(executor["labels"]["rack"], name["host-".len()..], "{name}");
    }
}

#[tokio::test]
async fn a_change_that_another_was_faster_than_goes_the_long_way_and_loses_nothing() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let path = format!("/api/v1/executors/{id}");
    for round in 0..20 {
        let mut changed = said("host-1", "1.0.0");
        changed["labels"] = json!({"rack": round.to_string()});
        let by_a_person = json!({"labels": {"ring": round.to_string()}, "reason": "x"});
        let (synced, labelled) =
            tokio::join!(control_plane.sync(&key, changed.clone()), control_plane.patch(&path, by_a_person),);
        synced.ok();
        labelled.ok();
        let expected = json!({"rack": round.to_string(), "ring": round.to_string()});
        assert_eq!(control_plane.get(&path).await.ok()["labels"], expected);
    }
    let control_plane = control_plane.killed().await;
    assert_eq!(control_plane.get(&path).await.ok()["labels"], json!({"rack": "19", "ring": "19"}));
}

#[tokio::test]
async fn a_change_behind_the_back_of_the_memory_is_not_written_over() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    // As another control plane on the same database would.
    let other = "UPDATE executors SET revision = revision + 1, labels_by_people = '{\"ring\": \"canary\"}'";
    control_plane.app.store.put(other).await;
    let mut changed = said("host-1", "1.0.0");
    changed["labels"] = json!({"rack": "1"});
    control_plane.sync(&key, changed).await.ok();
    let shown = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
    assert_eq!(shown["labels"], json!({"rack": "1", "ring": "canary"}));
}

#[tokio::test]
async fn the_answer_to_a_sync_is_the_same_at_the_entrance_and_from_the_routes() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    control_plane.request(&id, "1.1.0").await.ok();
    let short = said("host-1", "1.0.0");
    let mut long = short.clone();
    long["unknown"] = json!("x".repeat(70_000));
    let (short, long) = (control_plane.sync(&key, short).await, control_plane.sync(&key, long).await);
    let names = |answer: &crate::in_process::Answered| {
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        // On the wire it is always there.
        names.retain(|name| name != "content-length");
        names.sort_unstable();
        names
    };
    assert_eq!(names(&short), names(&long));
    assert_ne!(short.header("x-request-id"), long.header("x-request-id"));
    assert_eq!(short.ok(), long.ok());
}
