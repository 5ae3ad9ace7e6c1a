use novacula_protocol::people::WaveState;
use serde_json::{Value, json};

use crate::in_process::{ControlPlane, said};
use crate::store::plan_bench::document;

const PROBE: &str = "<b>\"'; DROP TABLE executor_groups; --</b>";
const NOBODY: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";
const GROUPS: &str = "/api/v1/fleet/groups";

fn group(name: &str, ring: &str) -> Value {
    json!({"name": name, "selector": {"matchLabels": {"ring": ring}}})
}

async fn host(control_plane: &ControlPlane, name: &str, ring: &str) -> String {
    let (key, id) = control_plane.executor(name, "1.0.0").await;
    let mut said = said(name, "1.0.0");
    said["labels"] = json!({"ring": ring});
    control_plane.sync(&key, said).await.ok();
    format!("/api/v1/executors/{id}")
}

fn path_of(group: &Value) -> String {
    format!("{GROUPS}/{}", group["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_group_counts_and_lists_whom_its_selector_takes_today() {
    let control_plane = ControlPlane::start().await;
    let first = host(&control_plane, "a", "canary").await;
    host(&control_plane, "b", "canary").await;
    host(&control_plane, "c", "prod").await;
    let created = control_plane.post(GROUPS, group(PROBE, "canary")).await;
    assert_eq!(created.status, 201);
    let created = created.json();
    assert_eq!(
        (&created["executors"], &created["name"], &created["createdBy"]),
        (&json!(2), &json!(PROBE), &json!("owner"))
    );
    assert_eq!(control_plane.get(&path_of(&created)).await.ok(), created);
    let prod = control_plane.post(GROUPS, group("prod", "prod")).await.ok();
    let counts = async || {
        let page = control_plane.get(GROUPS).await.ok();
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|group| group["executors"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(counts().await, [1, 2], "newest first");
    control_plane.patch(&first, json!({"labels": {"ring": "prod"}})).await.ok();
    assert_eq!(counts().await, [2, 1], "labels by people count");

    let names = async |filter: &str| {
        let page = control_plane.get(&format!("/api/v1/executors?{filter}")).await.ok();
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("group=prod").await, ["a", "c"]);
    assert_eq!(names("group=prod&name=c").await, ["c"]);
    assert_eq!(names("group=prod&limit=1").await, ["a"]);
    let unknown = control_plane.get("/api/v1/executors?group=pord").await;
    assert!(unknown.json()["error"]["message"].as_str().unwrap().contains("`pord`"));
    assert_eq!(unknown.problem(), (400, "invalid_request".to_owned()));
    control_plane.delete(&path_of(&prod)).await.ok();
    let gone = control_plane.get("/api/v1/executors?group=prod").await;
    assert_eq!(gone.problem(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_group_is_changed_and_deleted_and_the_activity_tells_of_it() {
    let control_plane = ControlPlane::start().await;
    let created = control_plane.post(GROUPS, group("one", PROBE)).await.ok();
    let path = path_of(&created);
    let selector =
        json!({"matchLabels": {}, "matchExpressions": [{"key": "ring", "operator": "Exists", "values": []}]});
    let patched = control_plane.patch(&path, json!({"selector": selector})).await.ok();
    assert_eq!((&patched["name"], &patched["selector"]), (&json!("one"), &selector));
    control_plane.patch(&path, json!({})).await.ok();
    for bad in [
        json!({"selector": {}}),
        json!({"selector": {"matchLables": {"ring": "canary"}}}),
        json!({"selector": {"matchExpressions": [{"key": "ring", "operator": "In", "values": []}]}}),
        json!({"name": ""}),
        json!({"name": "a\u{1b}"}),
        json!({"id": NOBODY}),
    ] {
        let refused = control_plane.patch(&path, bad.clone()).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
        let mut whole = group("two", "canary");
        whole.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        let refused = control_plane.post(GROUPS, whole).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
    }
    assert_eq!(control_plane.get(&path).await.ok(), patched, "what is refused changes nothing");
    assert_eq!(control_plane.delete(&path).await.status, 204);
    for missing in [
        control_plane.delete(&path).await,
        control_plane.get(&path).await,
        control_plane.patch(&path, json!({})).await,
    ] {
        assert_eq!(missing.problem(), (404, "not_found".to_owned()));
    }
    let told = control_plane.get("/api/v1/activity").await.ok();
    let actions: Vec<_> = told["items"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["group.deleted", "group.changed", "group.created"]);
    assert_eq!(told["items"][1]["before"]["selector"]["matchLabels"], json!({"ring": PROBE}));
    assert_eq!(told["items"][1]["after"]["selector"], selector);
    assert_eq!(told["items"][0]["after"], Value::Null);
    assert_eq!(control_plane.get("/api/v1/activity/verify").await.ok()["intact"], true);
}

#[tokio::test]
async fn a_name_stands_for_one_group_and_there_is_an_end_to_their_number() {
    let control_plane = ControlPlane::start().await;
    let first = control_plane.post(GROUPS, group("one", "canary")).await.ok();
    let taken = control_plane.post(GROUPS, group("one", "prod")).await;
    assert_eq!(taken.problem(), (409, "name_taken".to_owned()));
    let second = control_plane.post(GROUPS, group("two", "canary")).await.ok();
    let renamed = control_plane.patch(&path_of(&second), json!({"name": "one"})).await;
    assert_eq!(renamed.problem(), (409, "name_taken".to_owned()));
    for number in 2..200 {
        control_plane.post(GROUPS, group(&format!("g{number}"), "canary")).await.ok();
    }
    let many = control_plane.post(GROUPS, group("one too many", "canary")).await;
    assert_eq!(many.problem(), (409, "too_many".to_owned()));
    let page = control_plane.get(&format!("{GROUPS}?limit=199")).await.ok();
    let rest = format!("{GROUPS}?cursor={}", page["nextCursor"].as_str().unwrap());
    assert_eq!(control_plane.get(&rest).await.ok()["items"][0]["id"], first["id"]);
    for bad in ["limit=0", "cursor=x", "name=one"] {
        let refused = control_plane.get(&format!("{GROUPS}?{bad}")).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn a_group_that_a_wave_to_come_names_keeps_its_name_until_that_has_begun() {
    let control_plane = ControlPlane::start().await;
    let created = control_plane.post(GROUPS, group("racks", "canary")).await.ok();
    let other = control_plane.post(GROUPS, group("others", "canary")).await.ok();
    let path = path_of(&created);
    let waves = json!([
        {"name": "canary", "clusterSelector": {"matchLabels": {"ring": "canary"}}},
        {"name": "standard", "group": "racks"},
    ]);
    let (store, now) = (&control_plane.app.store, control_plane.app.clock.now());
    let plan = NOBODY.parse().unwrap();
    store.put_plan(control_plane.account_id().await, plan, document("monthly", &waves), now).await;
    store.put_wave(plan, 0, WaveState::Running, "", None).await;
    for refused in [control_plane.delete(&path).await, control_plane.patch(&path, json!({"name": "x"})).await]
    {
        let error = refused.json()["error"].clone();
        assert_eq!(refused.problem(), (409, "group_in_use".to_owned()));
        assert_eq!(error["details"], json!({"plan": "monthly", "planId": NOBODY, "wave": "standard"}));
        assert!(error["message"].as_str().unwrap().contains("`monthly`"), "{error}");
    }
    let selector = json!({"selector": {"matchLabels": {"ring": "prod"}}});
    control_plane.patch(&path, selector).await.ok();
    control_plane.delete(&path_of(&other)).await.ok();
    store.put_wave(plan, 1, WaveState::Canary, "", None).await;
    control_plane.delete(&path).await.ok();
}
