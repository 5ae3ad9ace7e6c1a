use axum::http::Method;
use novacula_protocol::people::{Action as Done, Role};
use serde_json::json;

use super::*;
use crate::in_process::ControlPlane;
use crate::pages::rules::desk::Desk;
use crate::pages::sample::{HOSTILE, check, layout, now};

fn entry(id: u64, action: Done) -> Activity {
    Activity {
        id,
        at: now(),
        actor: HOSTILE.to_owned(),
        action,
        target: "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c".to_owned(),
        name: HOSTILE.to_owned(),
        reason: HOSTILE.to_owned(),
        before: Some(json!({HOSTILE: HOSTILE})),
        after: Some(json!(HOSTILE)),
        hash: HOSTILE.to_owned(),
    }
}

fn verdict(intact: bool) -> ActivityVerdict {
    let first_broken = (!intact).then_some(7);
    ActivityVerdict { intact, first_broken, entries: 12, head: HOSTILE.to_owned() }
}

#[test]
fn the_pages_render() {
    let hostile = || HOSTILE.to_owned();
    let page = ActivityPage {
        layout: layout(Room::Activity),
        filters: Filters { actor: hostile(), action: hostile(), target: hostile(), since: hostile() },
        refused: Some(hostile()),
        rows: vec![entry(2, Done::UpgradeRequested), entry(1, Done::SessionOpened)],
        pager: Pager::default(),
        export: "/api/v1/activity?format=csv".to_owned(),
        chain: Some(verdict(false)),
        check: Action::new("Check the chain", "/activity/chain", Look::Plain),
    };
    check("activity", &page);
    let (rows, filters) = (Vec::new(), Filters::default());
    check("no activity", &ActivityPage { rows, filters, chain: Some(verdict(true)), ..page });
    for intact in [true, false] {
        check("chain", &ChainPage { layout: layout(Room::Activity), verdict: verdict(intact) });
    }
}

#[tokio::test]
async fn who_did_what_to_what_and_why_is_said_in_plain_words_newest_first() {
    let control_plane = ControlPlane::start().await;
    let (_, executor) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let order = json!({"targetVersion": "1.1.0", "description": "because of 4711"});
    let upgrade = control_plane.post(&format!("/api/v1/executors/{executor}/upgrade"), order).await.ok();
    let viewer = Desk::of(&control_plane, Role::Viewer).await;
    let page = viewer.see("/activity/").await.ok();
    let text = page.text();
    let (newest, oldest) = (text.find("owner Requested an upgrade"), text.find("owner Made a key"));
    assert!(newest.unwrap() < oldest.unwrap(), "{text}");
    assert!(text.contains("because of 4711") && text.contains("The chain is intact."), "{text}");
    let link = format!("<a href=\"/upgrades/{}\">host-1</a>", upgrade["id"].as_str().unwrap());
    assert!(page.html.contains(&link) && page.html.contains(&format!("href=\"/executors/{executor}\"")));
}

#[tokio::test]
async fn the_filters_choose_what_is_listed_and_what_is_exported() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    control_plane.post("/api/v1/executor-keys", json!({"name": "host-1"})).await.ok();
    control_plane.post("/api/v1/tokens", json!({"name": "ci & co"})).await.ok();
    for (query, is_key, is_token) in [
        ("actor=owner", true, true),
        ("actor=nobody", false, false),
        ("action=key.issued", true, false),
        ("target=ci+%26+co", false, true),
        ("since=2099-01-01T00%3A00", false, false),
        ("since=2001-01-01T00%3A00&action=token.issued", false, true),
    ] {
        let page = desk.see(&format!("/activity/?{query}")).await.ok();
        let rows = page.text();
        let has = |words: &str| rows.contains(words);
        assert_eq!(
            (has("owner Made a key"), has("owner Made a token")),
            (is_key, is_token),
            "{query}: {rows}"
        );
        assert_eq!(has("Nothing that was done fits"), !is_key && !is_token, "{query}");
        let export = page.html.split("href=\"/api/v1/activity?").nth(1).unwrap().split('"').next().unwrap();
        let export = export.replace("&#38;", "&");
        let path = format!("/api/v1/activity?{export}");
        let table = control_plane.call(Method::GET, &path, control_plane.owner(), "").await;
        let table = String::from_utf8(table.bytes).unwrap();
        assert_eq!(
            (table.contains("key.issued"), table.contains("token.issued")),
            (is_key, is_token),
            "{export}"
        );
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_meant_is_said_and_kept() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    for (query, why) in [
        ("since=yesterday&actor=jane", "The time must be a date and a time in UTC, it is `yesterday`."),
        ("action=everything&actor=jane", "`action`"),
        ("cursor=x&actor=jane", "`cursor`"),
    ] {
        let page = desk.see(&format!("/activity/?{query}")).await;
        page.was_refused(400, why);
        assert!(page.html.contains("value=\"jane\""), "{query}");
    }
}

#[tokio::test]
async fn a_long_list_goes_on_behind_a_link_that_keeps_the_filters() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    for _ in 0..51 {
        control_plane.post("/api/v1/executor-keys", json!({})).await.ok();
    }
    let page = desk.see("/activity/?action=key.issued").await.ok();
    assert_eq!(page.html.matches("id=\"entry-").count(), 50);
    let older = page.html.split("href=\"").find(|link| link.contains("cursor=")).unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&");
    assert!(older.starts_with("/activity/?action=key.issued&cursor="), "{older}");
    let page = desk.see(&older).await.ok();
    assert_eq!(page.html.matches("id=\"entry-").count(), 1);
    assert!(page.text().contains("Newest") && !page.text().contains("Older"));
}

#[tokio::test]
async fn a_chain_that_somebody_broke_is_said_with_where() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    control_plane.post("/api/v1/executor-keys", json!({})).await.ok();
    assert!(desk.see("/activity/chain").await.ok().text().contains("The chain is intact."));
    control_plane.database().tamper("UPDATE activity SET actor = 'somebody else' WHERE id = 1");
    for path in ["/activity/", "/activity/chain"] {
        let text = desk.see(path).await.ok().text();
        assert!(text.contains("The chain is broken at entry 1."), "{path}: {text}");
    }
}
