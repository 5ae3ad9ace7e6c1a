use axum::http::Method;
use novacula_protocol::people::Role;
use serde_json::json;

use super::*;
use crate::in_process::ControlPlane;
use crate::pages::rules::desk::Desk;
use crate::pages::sample::{HOSTILE, check, layout, now};

fn token() -> Token {
    Token {
        id: "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c".to_owned(),
        user: HOSTILE.to_owned(),
        name: HOSTILE.to_owned(),
        created_at: now(),
        expires_at: None,
        last_used_on: Some("2026-11-21".parse().unwrap()),
        revoked_at: None,
    }
}

#[test]
fn the_page_renders() {
    let mut layout = layout(Room::Myself);
    let mut elsewhere = layout.session.accounts[0].clone();
    "01a1fd44-ec13-72dc-be3d-6f6dbcc5687e".clone_into(&mut elsewhere.account_id);
    elsewhere.is_suspended = true;
    layout.session.accounts.push(elsewhere);
    let revoked = Token { revoked_at: Some(now()), expires_at: Some(now()), last_used_on: None, ..token() };
    let page = MyselfPage {
        layout,
        change_password: Action::new("Change password", "/password", Look::Plain),
        new_token: Action::new("New token", "/myself/tokens/new", Look::First)
            .unless(Some(HOSTILE.to_owned())),
        rows: vec![listed(token(), None), listed(revoked, Some(&HOSTILE.to_owned()))],
        pager: Pager::default(),
    };
    check("myself", &page);
    check("myself without tokens", &MyselfPage { rows: Vec::new(), ..page });
}

#[tokio::test]
async fn a_viewer_makes_a_token_that_is_shown_once_and_ends_it() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of(&control_plane, Role::Viewer).await;
    desk.see("/myself/tokens/new").await.ok();
    let secret = desk.send("/myself/tokens/new", &[("name", "ci")]).await.secret();
    let look = async || control_plane.as_person(Method::GET, "/api/v1/executors", &secret, json!("")).await;
    look().await.ok();
    let page = desk.see("/myself/").await.ok();
    assert!(page.text().contains("ci viewer-at-the-desk") && !page.html.contains(&secret), "{}", page.text());
    assert!(page.locked("Change password").is_some(), "without a session there is no password to change");
    let tokens = control_plane.as_person(Method::GET, "/api/v1/tokens", &desk.token, json!("")).await.ok();
    let revoke = format!("/myself/tokens/{}/revoke", tokens["items"][0]["id"].as_str().unwrap());
    desk.see(&revoke).await.ok();
    desk.send(&revoke, &[]).await.led_to("/myself/");
    assert_eq!(look().await.status, 401);
    desk.send("/myself/tokens/new", &[("name", "")]).await.was_refused(400, "1 to 128 characters");
    desk.send("/myself/tokens/new", &[("name", "x"), ("expires", "2099-01-01T00:00")])
        .await
        .was_refused(400, "a year");
}

#[tokio::test]
async fn nobody_ends_the_token_of_somebody_else_but_who_administers_the_account() {
    let control_plane = ControlPlane::start().await;
    let editor = Desk::of(&control_plane, Role::Editor).await;
    let viewer = Desk::of(&control_plane, Role::Viewer).await;
    let tokens = control_plane.as_person(Method::GET, "/api/v1/tokens", &viewer.token, json!("")).await.ok();
    let revoke = format!("/myself/tokens/{}/revoke", tokens["items"][0]["id"].as_str().unwrap());
    editor.send(&revoke, &[]).await.was_refused(404, "There is no such token.");
    Desk::of_the_owner(&control_plane).send(&revoke, &[]).await.led_to("/myself/");
}

#[tokio::test]
async fn in_a_session_the_password_can_be_changed_and_the_account_too() {
    let control_plane = ControlPlane::start().await;
    control_plane.with_password("jane", Role::Viewer, "correct horse battery").await;
    let browser = control_plane.logged_in("jane", "correct horse battery").await;
    let page = control_plane.browse(&browser, Method::GET, "/myself/", json!("")).await;
    let html = String::from_utf8(page.bytes).unwrap();
    assert!(html.contains("href=\"/password\"") && html.contains("you are here"), "{html}");
}
