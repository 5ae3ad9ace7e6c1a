//! The page of one executor, and what is done from it.

use serde_json::json;

use super::{all, page, send, shown};
use crate::in_process::{ControlPlane, reported, said};

#[tokio::test]
async fn the_page_says_where_it_can_go_and_what_stands_in_the_way() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    for version in ["0.9.0", "1.1.0", "3.0.0"] {
        control_plane.publish(version).await;
    }
    let place = format!("/executors/{id}");
    let text = shown(&control_plane, &place).await;
    let why = control_plane.get(&format!("/api/v1{place}/explain")).await.ok();
    let sentence = crate::pages::words::sentence(why["message"].as_str().unwrap());
    assert!(
        all(&text, "#executor-why", None)[0].contains(&sentence),
        "{}",
        all(&text, "#executor-why", None)[0]
    );
    let requests = all(&text, "#executor-where a.button", Some("href"));
    assert_eq!(
        requests,
        [
            format!("{place}/upgrade?targetVersion=3.0.0&hops=yes"),
            format!("{place}/upgrade?targetVersion=1.1.0"),
            format!("{place}/upgrade?targetVersion=0.9.0"),
        ]
    );
    assert_eq!(all(&text, "#executor-where .locked .why", None), ["Requires upgrade to 2.x first."]);
    assert!(all(&text, "#executor-facts", None)[0].contains("Out of support"), "the control plane is 3.0.0");
    assert!(
        all(&text, "#executor-facts", None)[0].contains("Not known here"),
        "nothing else ever completed there"
    );

    control_plane.wait_ms(60_000);
    let offline = shown(&control_plane, &place).await;
    assert!(all(&offline, "#executor-where a.button", None).is_empty());
    assert!(
        all(&offline, "#executor-where .locked .why", None)
            .contains(&"It is offline; look after its host first.".to_owned())
    );
}

#[tokio::test]
async fn a_request_asks_for_what_the_form_says_and_keeps_what_was_typed_when_it_is_refused() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.0.5").await;
    control_plane.publish("1.1.0").await;
    let place = format!("/executors/{id}/upgrade");
    let compared = shown(&control_plane, &format!("{place}?targetVersion=1.1.0")).await;
    assert_eq!(all(&compared, "[aria-label='Releases between'] tbody th", None), ["1.0.5", "1.1.0"]);
    assert!(compared.contains("It downloads 5 bytes"));
    let fields = [
        ("targetVersion", "1.1.0"),
        ("description", "monthly"),
        ("confirm", "yes"),
        ("deadline", "2100-01-01T00:00"),
        ("healthWindow", "90"),
    ];
    let bad = [&fields[..], &[("scheduledAt", "soon")]].concat();
    let (status, again) = page(&send(&control_plane, &place, &bad).await);
    assert_eq!(status, 400);
    assert_eq!(
        all(&again, "[role=alert]", None),
        ["Not before must be a date and a time in UTC, it is `soon`."]
    );
    assert_eq!(all(&again, "#description", Some("value")), ["monthly"]);
    assert_eq!(all(&again, "input[name=confirm][checked]", None).len(), 1);

    let sent = send(&control_plane, &place, &fields).await;
    assert_eq!(sent.status, 303);
    let upgrade = control_plane.get(&format!("/api/v1{}", sent.header("location"))).await.ok();
    assert_eq!(
        (
            &upgrade["targetVersion"],
            &upgrade["confirm"],
            &upgrade["confirmStart"],
            &upgrade["healthWindowMs"]
        ),
        (&json!("1.1.0"), &json!("manual"), &json!("auto"), &json!(90_000))
    );
    assert_eq!(
        (&upgrade["description"], &upgrade["deadline"]),
        (&json!("monthly"), &json!("2100-01-01T00:00:00Z"))
    );

    let (status, refused) = page(&send(&control_plane, &place, &fields).await);
    assert_eq!(status, 409);
    assert_eq!(all(&refused, "[role=alert]", None).len(), 1, "{refused}");
    let text = shown(&control_plane, &format!("/executors/{id}")).await;
    assert!(all(&text, "#executor-why a[data-drawer]", Some("href"))[0].starts_with("/upgrades/"));
    assert!(
        all(&text, "#executor-where .why", None)[0]
            .starts_with("It has an upgrade to 1.1.0 that has not ended")
    );
}

#[tokio::test]
async fn labels_are_given_changed_and_taken_back() {
    let control_plane = ControlPlane::start().await;
    let key = control_plane.key().await;
    let mut host = said("host-1", "1.0.0");
    host["labels"] = json!({"ring": "prod", "rack": "1"});
    control_plane.sync(&key, host).await.ok();
    let id = control_plane.get("/api/v1/executors").await.ok()["items"][0]["id"].as_str().unwrap().to_owned();
    let place = format!("/executors/{id}/labels");
    let ours =
        async || control_plane.get(&format!("/api/v1/executors/{id}")).await.ok()["labelsByPeople"].clone();
    let fields = [
        ("key", "rack"),
        ("value", "1"),
        ("key", "ring"),
        ("value", "canary"),
        ("key", "site"),
        ("value", "x"),
        ("key", ""),
        ("value", ""),
    ];
    assert_eq!(send(&control_plane, &place, &fields).await.status, 303);
    assert_eq!(
        ours().await,
        json!({"ring": "canary", "site": "x"}),
        "what is as its host says is not said again"
    );
    let text = shown(&control_plane, &format!("/executors/{id}")).await;
    assert!(all(&text, "#executor-labels", None)[0].contains("canary said by people; its host says prod"));
    let back = [("key", "ring"), ("value", "canary"), ("key", "site"), ("value", "y"), ("back", "ring")];
    assert_eq!(send(&control_plane, &place, &back).await.status, 303);
    assert_eq!(ours().await, json!({"site": "y"}));
    let long = "k".repeat(64);
    let (status, again) =
        page(&send(&control_plane, &place, &[("key", &long), ("value", "v"), ("reason", "tidy")]).await);
    assert_eq!((status.as_u16(), all(&again, "[role=alert]", None).len()), (400, 1));
    assert_eq!(all(&again, "#reason", Some("value")), ["tidy"]);
    assert!(all(&again, "input[name=key]", Some("value")).contains(&long), "what was typed is kept");
}

#[tokio::test]
async fn the_history_leads_back_to_what_completed() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    for version in ["1.0.0", "1.1.0"] {
        control_plane.publish(version).await;
    }
    let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let place = format!("/executors/{id}/rollback");
    let (status, busy) = page(&send(&control_plane, &place, &[("targetRevision", "1")]).await);
    assert_eq!((status.as_u16(), all(&busy, "[role=alert]", None).len()), (409, 1));
    control_plane.sync(&key, reported("host-1", "1.1.0", &upgrade, "COMPLETED", "COMPLETED")).await.ok();
    let text = shown(&control_plane, &format!("/executors/{id}")).await;
    assert_eq!(all(&text, "#executor-history a.button", Some("href")), [format!("{place}?targetRevision=1")]);
    assert!(all(&text, "#executor-history .why", None).contains(&"It runs this version.".to_owned()));
    assert!(
        all(&text, "#executor-facts", None)[0].contains("Probably 1.0.0"),
        "{}",
        all(&text, "#executor-facts", None)[0]
    );
    let asks = shown(&control_plane, &format!("{place}?targetRevision=1")).await;
    assert!(asks.contains("It goes back to revision 1."));
    let sent = send(&control_plane, &place, &[("targetRevision", "1"), ("description", "slow")]).await;
    assert_eq!(sent.status, 303);
    let back = control_plane.get(&format!("/api/v1{}", sent.header("location"))).await.ok();
    assert_eq!((&back["targetVersion"], &back["description"]), (&json!("1.0.0"), &json!("slow")));
    assert!(shown(&control_plane, &format!("/executors/{id}/revisions")).await.contains("1.1.0"));
}

#[tokio::test]
async fn a_host_is_asked_for_checks_and_its_answers_are_shown() {
    let control_plane = ControlPlane::start().await;
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let place = format!("/executors/{id}/preflight");
    let asked = send(&control_plane, &place, &[("checks", " disk_space  clock ")]).await;
    assert_eq!(asked.header("location"), format!("/executors/{id}#executor-checks"));
    let text = shown(&control_plane, &format!("/executors/{id}")).await;
    assert!(
        all(&text, "#executor-checks", None)[0].contains("clock, disk_space")
            || all(&text, "#executor-checks", None)[0].contains("disk_space, clock")
    );
    let mut answer = said("host-1", "1.0.0");
    answer["preflight"] = json!([{"check": "clock", "ok": false, "note": "an hour off"}]);
    control_plane.sync(&key, answer).await.ok();
    let text = shown(&control_plane, &format!("/executors/{id}")).await;
    assert!(all(&text, "#executor-checks tbody tr", None)[0].contains("Would stop an upgrade an hour off"));
    let (status, _) = page(&send(&control_plane, &place, &[("checks", "no/name")]).await);
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_deleted_executor_is_gone_and_one_with_an_open_upgrade_is_not_deleted() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    let (_, busy) = control_plane.executor("host-2", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    control_plane.request(&busy, "1.1.0").await.ok();
    let deleted =
        send(&control_plane, &format!("/executors/{id}/delete"), &[("reason", "scrap & gone")]).await;
    assert_eq!((deleted.status.as_u16(), deleted.header("location")), (303, "/executors/"));
    assert_eq!(control_plane.get(&format!("/executors/{id}")).await.status, 404);
    let told = control_plane.get("/api/v1/activity?action=executor.deleted").await.ok();
    assert_eq!(told["items"][0]["reason"], "scrap & gone");
    let (status, kept) = page(&send(&control_plane, &format!("/executors/{busy}/delete"), &[]).await);
    assert_eq!((status.as_u16(), all(&kept, "[role=alert]", None).len()), (409, 1));
}
