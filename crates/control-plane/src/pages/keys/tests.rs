use novacula_protocol::people::Role;

use super::*;
use crate::in_process::{ControlPlane, said};
use crate::pages::rules::desk::Desk;
use crate::pages::sample::{HOSTILE, check, layout, now};

const ID: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";

fn key() -> ExecutorKey {
    ExecutorKey {
        id: ID.to_owned(),
        name: Some(HOSTILE.to_owned()),
        created_by: HOSTILE.to_owned(),
        created_at: now(),
        expires_at: Some(now()),
        previous_until: Some(now() + jiff::SignedDuration::from_hours(1)),
        revoked_at: None,
    }
}

fn token() -> EnrolmentToken {
    EnrolmentToken {
        id: ID.to_owned(),
        max_uses: 5,
        uses: 5,
        expires_at: now() + jiff::SignedDuration::from_hours(1),
        created_by: HOSTILE.to_owned(),
        created_at: now(),
        revoked_at: None,
    }
}

#[test]
fn the_page_renders() {
    let hostile = HOSTILE.to_owned();
    let action = Action::new("New key", "/keys/new", Look::First);
    let unbound = ExecutorKey { name: None, expires_at: None, revoked_at: Some(now()), ..key() };
    let revoked = EnrolmentToken { revoked_at: Some(now()), ..token() };
    let page = KeysPage {
        layout: layout(Room::Keys),
        new_key: action.clone(),
        new_token: action,
        keys: vec![listed_key(key(), now(), None), listed_key(unbound, now(), Some(&hostile))],
        keys_pager: Pager::default(),
        tokens: vec![listed_token(token(), now(), None), listed_token(revoked, now(), Some(&hostile))],
        tokens_pager: Pager::default(),
    };
    check("keys", &page);
    let (keys, tokens) = (Vec::new(), Vec::new());
    check("no keys", &KeysPage { keys, tokens, ..page });
}

#[test]
fn a_key_is_valid_until_it_ends_is_used_up_or_revoked() {
    let later = now() + jiff::SignedDuration::from_hours(9);
    assert_eq!(listed_key(ExecutorKey { expires_at: None, ..key() }, later, None).state, State::Valid);
    assert_eq!(listed_key(key(), now(), None).state, State::Expired);
    assert_eq!(listed_token(token(), now(), None).state, State::UsedUp);
    assert_eq!(listed_token(token(), later, None).state, State::Expired);
    let revoked = EnrolmentToken { revoked_at: Some(now()), ..token() };
    assert_eq!(listed_token(revoked, later, None).state, State::Revoked);
}

#[tokio::test]
async fn a_key_is_made_with_the_lines_for_its_host_and_shown_once() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    desk.see("/keys/new").await.ok();
    let made = desk.send("/keys/new", &[("name", "host-1"), ("expires", "2099-01-01T00:00")]).await;
    let secret = made.secret();
    let lines = format!(
        "[agent] name = \"host-1\" [control_plane] url = \"http://cp.test:3000\" access_token = \"{secret}\""
    );
    assert!(made.text().contains(&lines), "{}", made.text());
    assert!(made.text().contains("/opt/novacula/bin/novacula-agent install"), "{}", made.text());
    control_plane.sync(&secret, said("host-1", "1.0.0")).await.ok();
    let page = desk.see("/keys/").await.ok();
    assert!(page.text().contains("host-1 valid") && !page.html.contains(&secret), "{}", page.text());
    for (fields, why) in [
        ([("name", "a\u{7}"), ("expires", "")], "must be printable"),
        ([("name", "x"), ("expires", "2001-01-01T00:00")], "must lie in the future"),
        ([("name", "x"), ("expires", "soon")], "must be a date and a time in UTC"),
    ] {
        desk.send("/keys/new", &fields).await.was_refused(400, why);
    }
}

#[tokio::test]
async fn a_key_is_rotated_with_an_overlap_and_revoked_for_a_reason() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    let old = control_plane.key().await;
    control_plane.sync(&old, said("host-1", "1.0.0")).await.ok();
    let keys = control_plane.get("/api/v1/executor-keys").await.ok();
    let at = |verb: &str| format!("/keys/{}/{verb}", keys["items"][0]["id"].as_str().unwrap());
    desk.see(&at("rotate")).await.ok();
    let rotated = desk.send(&at("rotate"), &[("overlap", "1")]).await;
    let new = rotated.secret();
    assert!(rotated.text().contains("The old secret works until"), "{}", rotated.text());
    assert!(desk.see("/keys/").await.ok().text().contains("the secret before works until in 60 min"));
    for secret in [&old, &new] {
        control_plane.sync(secret, said("host-1", "1.0.0")).await.ok();
    }
    desk.send(&at("rotate"), &[("overlap", "721")]).await.was_refused(400, "`overlapMs` must be 0 to");
    desk.send(&at("rotate"), &[("overlap", "")]).await.was_refused(400, "must be filled in");
    desk.see(&at("revoke")).await.ok();
    desk.send(&at("revoke"), &[("reason", "lost & found")]).await.led_to("/keys/");
    assert_eq!(control_plane.sync(&new, said("host-1", "1.0.0")).await.status, 401);
    let told = control_plane.get("/api/v1/activity?action=key.revoked").await.ok();
    assert_eq!(told["items"][0]["reason"], "lost & found");
    let page = desk.see("/keys/").await.ok();
    assert_eq!(page.locked("Rotate").as_deref(), Some("It is revoked."));
    desk.send(&at("rotate"), &[("overlap", "1")]).await.was_refused(409, "revoked");
}

#[tokio::test]
async fn an_enrolment_token_is_made_with_how_to_install_and_revoked() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    let form = desk.see("/keys/tokens/new").await.ok();
    assert!(form.html.contains("type=\"datetime-local\" value=\"20"), "a day from now is proposed");
    let made = desk.send("/keys/tokens/new", &[("uses", "3"), ("expires", "2099-01-01T00:00")]).await;
    let secret = made.secret();
    assert!(made.text().contains("3 hosts can use it until 1 Jan 2099"), "{}", made.text());
    assert!(!made.text().contains("[agent]"), "each host has its own name");
    let page = desk.see("/keys/").await.ok();
    assert!(page.text().contains("valid 0 of 3") && !page.html.contains(&secret), "{}", page.text());
    let tokens = control_plane.get("/api/v1/enrolment-tokens").await.ok();
    let revoke = format!("/keys/tokens/{}/revoke", tokens["items"][0]["id"].as_str().unwrap());
    desk.see(&revoke).await.ok();
    desk.send(&revoke, &[("reason", "enough")]).await.led_to("/keys/");
    assert!(desk.see("/keys/").await.ok().text().contains("revoked just now 0 of 3"));
    desk.send("/keys/tokens/new", &[("uses", "3")]).await.was_refused(400, "The end must be filled in.");
    desk.send("/keys/tokens/new", &[("uses", "-1")]).await.was_refused(400, "cannot be `-1`");
}

#[tokio::test]
async fn an_editor_and_a_viewer_see_the_keys_and_why_they_change_none() {
    let control_plane = ControlPlane::start().await;
    control_plane.key().await;
    let keys = control_plane.get("/api/v1/executor-keys").await.ok();
    let id = keys["items"][0]["id"].as_str().unwrap();
    for role in [Role::Editor, Role::Viewer] {
        let desk = Desk::of(&control_plane, role).await;
        let why = format!("This needs the role owner or admin; you are {role}.");
        let page = desk.see("/keys/").await.ok();
        for label in ["New key", "New enrolment token", "Rotate", "Revoke"] {
            assert_eq!(page.locked(label), Some(why.clone()), "{label}");
        }
        for path in
            ["/keys/new", "/keys/tokens/new", &format!("/keys/{id}/rotate"), &format!("/keys/{id}/revoke")]
        {
            desk.send(path, &[("overlap", "1")]).await.was_refused(403, &why);
        }
    }
    let after = control_plane.get("/api/v1/executor-keys").await.ok();
    assert_eq!(after, keys, "nothing was changed");
}
