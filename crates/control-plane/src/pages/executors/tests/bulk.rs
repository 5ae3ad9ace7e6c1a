//! Requests for many executors.

use serde_json::json;

use super::{all, page, send, shown};
use crate::in_process::{ControlPlane, said};

async fn mixed(control_plane: &ControlPlane) -> Vec<String> {
    let mut ids = Vec::new();
    for (name, version) in [("a", "2.0.0"), ("b", "1.0.0"), ("c", "3.0.0"), ("d", "2.1.0")] {
        ids.push(control_plane.executor(name, version).await.1);
    }
    control_plane.publish("3.0.0").await;
    ids
}

#[tokio::test]
async fn a_mixed_choice_is_told_what_becomes_of_it_and_ends_in_a_batch_that_says_the_same() {
    let control_plane = ControlPlane::start().await;
    let ids = mixed(&control_plane).await;
    let chosen = &ids[..3];
    let query: Vec<_> = chosen.iter().map(|id| format!("id={id}")).collect();
    let path = format!("/executors/upgrade?{}&targetVersion=3.0.0", query.join("&"));
    let text = shown(&control_plane, &path).await;
    assert_eq!(
        all(&text, ".figure", None)[..4],
        [
            "3 of this kind are chosen",
            "1 go",
            "1 are there already",
            "1 need another version first and are left out"
        ]
    );
    assert_eq!(all(&text, "form[method=post] input[name=id]", Some("value")), chosen);
    let fields: Vec<(&str, &str)> = chosen
        .iter()
        .map(|id| ("id", id.as_str()))
        .chain([
            ("kind", "agent"),
            ("targetVersion", "3.0.0"),
            ("concurrency", "2"),
            ("stopOnFailure", "yes"),
            ("description", "<b>"),
        ])
        .collect();
    let sent = send(&control_plane, "/executors/upgrade", &fields).await;
    assert_eq!(sent.status, 303);
    let batch = shown(&control_plane, sent.header("location")).await;
    let rows = all(&batch, "#batch-items tbody tr", None);
    assert!(
        rows[0].starts_with("a Started")
            && rows[1].starts_with("b Needs a hop Requires upgrade to 2.x first."),
        "{rows:?}"
    );
    assert!(rows[2].starts_with("c Already there"), "{rows:?}");
    assert_eq!(all(&batch, ".counts tbody .number", None), ["1", "1", "1"]);
    assert_eq!(all(&batch, "svg.bar", Some("aria-label")), ["1 Already there, 1 Started, 1 Needs a hop"]);
    let narrowed = shown(&control_plane, &format!("{}?outcome=needsHop", sent.header("location"))).await;
    assert_eq!(all(&narrowed, "#batch-items tbody th", None), ["b"]);
    let told = control_plane.get(&format!("/api/v1{}", sent.header("location"))).await.ok();
    assert_eq!(
        (&told["concurrency"], &told["stopOnFailure"], &told["description"]),
        (&json!(2), &json!(true), &json!("<b>"))
    );
    assert!(shown(&control_plane, "/batches/").await.contains("agent 3.0.0"));
}

#[tokio::test]
async fn a_choice_by_labels_is_all_who_have_them_and_a_lost_choice_is_not_everybody() {
    let control_plane = ControlPlane::start().await;
    mixed(&control_plane).await;
    let mut canary = said("e", "2.0.0");
    canary["labels"] = json!({"ring": "canary"});
    control_plane.sync(&control_plane.key().await, canary).await.ok();
    let text =
        shown(&control_plane, "/executors/upgrade?label=ring%3Dcanary&kind=agent&targetVersion=3.0.0").await;
    assert_eq!(all(&text, ".figure strong", None)[..2], ["1", "1"]);
    let everybody = shown(&control_plane, "/executors/upgrade?all=yes&targetVersion=3.0.0&hops=yes").await;
    assert_eq!(all(&everybody, ".figure strong", None)[..2], ["5", "3"], "no release of 2.x: `b` cannot hop");
    let nobody = shown(&control_plane, "/executors/upgrade?targetVersion=3.0.0").await;
    assert!(
        nobody.contains("Nobody is chosen.")
            && all(&nobody, "form[method=post][action='/executors/upgrade']", None).is_empty()
    );
    let (status, _) = page(
        &send(&control_plane, "/executors/upgrade", &[("kind", "agent"), ("targetVersion", "3.0.0")]).await,
    );
    assert_eq!(status, 400);
    assert_eq!(control_plane.get("/api/v1/batches").await.ok()["items"], json!([]));
    let sent = send(
        &control_plane,
        "/executors/upgrade",
        &[("label", "ring=canary"), ("kind", "agent"), ("targetVersion", "3.0.0")],
    )
    .await;
    let batch = control_plane.get(&format!("/api/v1{}", sent.header("location"))).await.ok();
    assert_eq!(batch["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refused_batch_shows_the_form_again_and_an_abandoned_one_says_why() {
    let control_plane = ControlPlane::start().await;
    let ids = mixed(&control_plane).await;
    let both = [
        ("id", ids[0].as_str()),
        ("id", ids[3].as_str()),
        ("kind", "agent"),
        ("targetVersion", "3.0.0"),
        ("description", "kept"),
    ];
    for concurrency in ["0", "many"] {
        let fields = [&both[..], &[("concurrency", concurrency)]].concat();
        let (status, again) = page(&send(&control_plane, "/executors/upgrade", &fields).await);
        assert_eq!((status.as_u16(), all(&again, "[role=alert]", None).len()), (400, 1), "{again}");
        assert_eq!(all(&again, "#concurrency", Some("value")), [concurrency]);
        assert_eq!(all(&again, "#description", Some("value")), ["kept"]);
    }
    let batch = send(&control_plane, "/executors/upgrade", &both).await.header("location").to_owned();
    let asks = shown(&control_plane, &format!("{batch}/abandon")).await;
    assert!(
        asks.contains("1 executor whose turn has not come is skipped. 1 upgrade that has begun goes on"),
        "{asks}"
    );
    let (status, _) = page(&send(&control_plane, &format!("{batch}/abandon"), &[("reason", "")]).await);
    assert_eq!(status, 400, "why is wanted");
    assert_eq!(send(&control_plane, &format!("{batch}/abandon"), &[("reason", "lunch")]).await.status, 303);
    let text = shown(&control_plane, &batch).await;
    assert!(all(&text, "#batch-state", None)[0].starts_with("Stopped Lunch. What has begun goes on."));
    assert!(all(&text, "#batch-top .why", None)[0].contains("what has begun goes on"));
}
