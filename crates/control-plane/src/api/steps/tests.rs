use serde_json::{Value, json};

use crate::in_process::{ControlPlane, TARGET, comment, reported, signer};

const PROBE: &str = "<b>\"'; DROP TABLE acknowledgements; --</b>\n2. \u{1b}[2J";
const BOB: &str = "bob@example.com";
const NOBODY: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";

/// An upgrade of `host-1` to a release with two steps before and one after it: its key and the path of the upgrade.
async fn requested(control_plane: &ControlPlane) -> (String, String) {
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let release = control_plane.draft("1.1.0", b"x").await["id"].as_str().unwrap().to_owned();
    let patch = json!({"prerequisites": [PROBE, "two"], "postrequisites": ["three"], "status": "published"});
    control_plane.patch(&format!("/api/v1/releases/{release}"), patch).await.ok();
    let upgrade = control_plane.request(&id, "1.1.0").await.ok();
    (key, format!("/api/v1/upgrades/{}", upgrade["id"].as_str().unwrap()))
}

async fn open(control_plane: &ControlPlane, path: &str) -> Vec<u32> {
    let steps = control_plane.get(&format!("{path}/steps")).await.ok();
    let steps = steps["prerequisites"].as_array().unwrap();
    let open = steps.iter().filter(|step| step["acknowledgedBy"].is_null());
    open.map(|step| u32::try_from(step["number"].as_u64().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn who_acknowledges_a_step_first_stays() {
    let control_plane = ControlPlane::start().await;
    let (_, path) = requested(&control_plane).await;
    let shown = control_plane.get(&format!("{path}/steps")).await.ok();
    let step = |number: u32, text: &str| json!({"number": number, "text": text, "acknowledgedBy": null, "acknowledgedAt": null});
    let none =
        json!({"prerequisites": [step(1, PROBE), step(2, "two")], "postrequisites": [step(1, "three")]});
    assert_eq!(shown, none);

    let first = control_plane.post(&format!("{path}/prerequisites/1/acknowledge"), json!({})).await.ok();
    assert_eq!(first["prerequisites"][0]["acknowledgedBy"], "owner");
    assert_eq!(first["prerequisites"][0]["acknowledgedAt"], "2026-09-21T14:13:20Z");
    assert_eq!(first["prerequisites"][1], step(2, "two"));
    control_plane.wait_ms(60_000);
    let again = control_plane.post(&format!("{path}/prerequisites/1/acknowledge"), json!({})).await.ok();
    assert_eq!(again, first, "said twice is said once");
    let other = control_plane.person(BOB).await;
    let both = json!({"numbers": [2, 1, 2]}).to_string();
    let all = format!("{path}/prerequisites/acknowledge");
    let shown = control_plane.call(axum::http::Method::POST, &all, &other, both).await.ok();
    assert_eq!(shown["prerequisites"][0]["acknowledgedBy"], "owner", "the first stays");
    assert_eq!(shown["prerequisites"][1]["acknowledgedBy"], BOB);
    assert_eq!(open(&control_plane, &path).await, [] as [u32; 0]);

    let told = control_plane.get("/api/v1/activity?action=prerequisites.acknowledged").await.ok();
    let told: Vec<_> = told["items"].as_array().unwrap().iter().map(|e| (&e["actor"], &e["after"])).collect();
    let (bob, owner) = (json!(BOB), json!("owner"));
    assert_eq!(told, [(&bob, &json!({"numbers": [2]})), (&owner, &json!({"numbers": [1]}))]);
    let control_plane = control_plane.restart().await;
    assert_eq!(control_plane.get(&format!("{path}/steps")).await.ok(), shown);
}

#[tokio::test]
async fn steps_that_are_not_there_cannot_be_acknowledged() {
    let control_plane = ControlPlane::start().await;
    let (_, path) = requested(&control_plane).await;
    for number in ["0", "3", "-1", "x", "4294967296", "1%20OR%201"] {
        let refused =
            control_plane.post(&format!("{path}/prerequisites/{number}/acknowledge"), json!({})).await;
        assert_eq!(refused.problem(), (404, "not_found".to_owned()), "{number}");
    }
    for (body, expected) in [
        (json!({"numbers": [1, 3]}), (404, "not_found")),
        (json!({"numbers": []}), (400, "invalid_request")),
        (json!({"numbers": vec![1; 51]}), (400, "invalid_request")),
        (json!({"numbers": [-1]}), (400, "invalid_request")),
        (json!({"numbers": [1], "all": true}), (400, "invalid_request")),
        (json!({}), (400, "invalid_request")),
    ] {
        let refused = control_plane.post(&format!("{path}/prerequisites/acknowledge"), body.clone()).await;
        assert_eq!(refused.problem(), (expected.0, expected.1.to_owned()), "{body}");
    }
    assert_eq!(open(&control_plane, &path).await, [1, 2], "not even those beside them");
    for id in [NOBODY, "1", "'%20OR%201=1"] {
        let nobody = format!("/api/v1/upgrades/{id}");
        assert_eq!(
            control_plane.get(&format!("{nobody}/steps")).await.problem(),
            (404, "not_found".to_owned())
        );
        for tail in ["prerequisites/1/acknowledge", "postrequisites/1/acknowledge"] {
            let refused = control_plane.post(&format!("{nobody}/{tail}"), json!({})).await;
            assert_eq!(refused.problem(), (404, "not_found".to_owned()), "{id} {tail}");
        }
    }
}

#[tokio::test]
async fn what_comes_after_an_upgrade_is_acknowledged_once_it_has_completed() {
    let control_plane = ControlPlane::start().await;
    let (key, path) = requested(&control_plane).await;
    let id = path.rsplit('/').next().unwrap();
    control_plane.post(&format!("{path}/prerequisites/acknowledge"), json!({"numbers": [1, 2]})).await.ok();
    control_plane.app.open_gates().await.unwrap();
    for (stage, status) in [("", ""), ("DOWNLOAD", "UNDERWAY"), ("CHECK_HEALTH", "UNDERWAY")] {
        if !stage.is_empty() {
            control_plane.sync(&key, reported("host-1", "1.0.0", id, stage, status)).await.ok();
        }
        for (tail, body) in [("1/acknowledge", json!({})), ("acknowledge", json!({"numbers": [1]}))] {
            let early = control_plane.post(&format!("{path}/postrequisites/{tail}"), body).await;
            assert_eq!(early.problem(), (409, "too_early".to_owned()), "{stage}");
        }
    }
    control_plane.sync(&key, reported("host-1", "1.1.0", id, "COMPLETED", "COMPLETED")).await.ok();
    let shown = control_plane.post(&format!("{path}/postrequisites/1/acknowledge"), json!({})).await.ok();
    assert_eq!(shown["postrequisites"][0]["acknowledgedBy"], "owner");
    let told = control_plane.get("/api/v1/activity?action=postrequisites.acknowledged").await.ok();
    assert_eq!((&told["items"][0]["target"], &told["items"][0]["name"]), (&json!(id), &json!("host-1")));
}

#[tokio::test]
async fn a_draft_takes_its_type_and_its_steps_with_the_upload_and_by_patch() {
    let control_plane = ControlPlane::start().await;
    let plain = control_plane.draft("1.0.0", b"one").await;
    assert_eq!((&plain["type"], &plain["prerequisites"]), (&json!("agent"), &json!([])));
    let signature = signer("trusted").sign(b"x", &comment("1.1.0", TARGET));
    let prerequisites = json!([PROBE]).to_string();
    let upload = |field: &'static str, text: &str| {
        let text = text.to_owned();
        let (control_plane, signature) = (&control_plane, &signature);
        async move {
            let fields: &[(&str, &[u8])] = &[
                ("kind", b"agent"),
                ("version", b"1.1.0"),
                ("signature", signature.as_bytes()),
                ("artifact", b"x"),
                (field, text.as_bytes()),
            ];
            control_plane.upload(fields).await
        }
    };
    for (field, bad) in [
        ("type", "Migration"),
        ("type", PROBE),
        ("prerequisites", "Take a backup"),
        ("prerequisites", "[1]"),
        ("postrequisites", "[\" \"]"),
        ("postrequisites", "{}"),
    ] {
        assert_eq!(upload(field, bad).await.problem(), (400, "invalid_request".to_owned()), "{field} {bad}");
    }
    let draft = upload("prerequisites", &prerequisites).await.ok();
    assert_eq!(draft["prerequisites"], json!([{"number": 1, "text": PROBE}]));
    upload("prerequisites", &prerequisites).await.ok();
    for (field, other) in [("prerequisites", "[]"), ("postrequisites", "[\"x\"]"), ("type", "migration")] {
        assert_eq!(upload(field, other).await.problem(), (409, "release_differs".to_owned()), "{field}");
    }

    let path = format!("/api/v1/releases/{}", draft["id"].as_str().unwrap());
    let patch = json!({"type": "db-migration", "postrequisites": ["look", PROBE]});
    let patched = control_plane.patch(&path, patch.clone()).await.ok();
    assert_eq!(
        (&patched["type"], &patched["prerequisites"]),
        (&json!("db-migration"), &draft["prerequisites"])
    );
    assert_eq!(patched["postrequisites"][1], json!({"number": 2, "text": PROBE}));
    assert_eq!(control_plane.get(&path).await.ok(), patched);
    for bad in [
        json!({"type": ""}),
        json!({"type": "a b"}),
        json!({"prerequisites": [""]}),
        json!({"prerequisites": vec!["x"; 51]}),
        json!({"prerequisites": ["x".repeat(4_097)]}),
        json!({"prerequisites": "x"}),
    ] {
        assert_eq!(control_plane.patch(&path, bad).await.problem(), (400, "invalid_request".to_owned()));
    }
    let listed = control_plane.get("/api/v1/releases").await.ok();
    assert_eq!(
        (&listed["items"][0]["type"], &listed["items"][0]["prerequisites"]),
        (&json!("db-migration"), &Value::Null)
    );

    control_plane.patch(&path, json!({"status": "published"})).await.ok();
    for late in [json!({"type": "agent"}), json!({"prerequisites": []}), json!({"postrequisites": ["look"]})]
    {
        let refused = control_plane.patch(&path, late.clone()).await;
        assert_eq!(refused.problem(), (409, "release_published".to_owned()), "{late}");
    }
    control_plane.patch(&path, patch).await.ok();
    control_plane.patch(&path, json!({"status": "yanked", "reason": "it hangs"})).await.ok();
    let told = control_plane.get("/api/v1/activity?action=release.changed").await.ok();
    assert_eq!(told["items"][0]["before"]["type"], "agent");
    assert_eq!(told["items"][0]["after"]["postrequisites"], json!(["look", PROBE]));
}
