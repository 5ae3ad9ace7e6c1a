use axum::http::Method;
use novacula_protocol::people::Role;
use serde_json::{Value, json};

use super::*;
use crate::in_process::ControlPlane;
use crate::in_process::people::request;
use crate::pages::rules::desk::Desk;
use crate::pages::sample::{HOSTILE, check, layout, now};

fn user(role: Role) -> User {
    User {
        id: "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c".to_owned(),
        name: HOSTILE.to_owned(),
        role,
        is_release_manager: true,
        has_password: true,
        must_change_password: true,
        oidc_subject: Some(HOSTILE.to_owned()),
        disabled_at: Some(now()),
        created_at: now(),
    }
}

#[test]
fn the_page_renders() {
    let rows = vec![
        listed(user(Role::Owner), Role::Owner, None),
        listed(User { has_password: false, oidc_subject: None, ..user(Role::Viewer) }, Role::Admin, None),
        listed(user(Role::Owner), Role::Viewer, Some(&HOSTILE.to_owned())),
    ];
    let add = Action::new("Add somebody", "/people/new", Look::First).unless(Some(HOSTILE.to_owned()));
    check("people", &PeoplePage { layout: layout(Room::People), add, rows, pager: Pager::default() });
}

async fn user_named(control_plane: &ControlPlane, name: &str) -> Value {
    let users = control_plane.get("/api/v1/users").await.ok();
    let found = users["items"].as_array().unwrap().iter().find(|user| user["name"] == name);
    found.cloned().unwrap_or(Value::Null)
}

#[tokio::test]
async fn an_owner_adds_somebody_whose_one_time_password_is_shown_once() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    let page = desk.see("/people/new").await.ok();
    assert!(page.text().contains("Viewer: looks at everything"), "{}", page.text());
    let fields = [("name", "jane"), ("role", "editor"), ("publisher", "yes"), ("password", "yes")];
    let made = desk.send("/people/new", &fields).await;
    let password = made.secret();
    assert!(made.text().contains("This is shown once and never again"), "{}", made.text());
    let jane = user_named(&control_plane, "jane").await;
    assert_eq!((&jane["role"], &jane["releaseManager"]), (&json!("editor"), &json!(true)));
    control_plane.logged_in("jane", &password).await;
    let page = desk.see("/people/").await.ok();
    assert!(page.text().contains("one-time password not yet changed"), "{}", page.text());
    assert!(!page.html.contains(&password), "it is shown nowhere else");

    let again = desk.send("/people/new", &fields).await;
    again.was_refused(409, "`jane` is in this account already");
    assert!(again.html.contains("value=\"jane\"") && !again.html.contains("id=\"secret\""));
    desk.send("/people/new", &[("name", "bob"), ("role", "viewer")]).await.led_to("/people/");
}

#[tokio::test]
async fn a_user_is_changed_reset_and_removed() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    let bob = control_plane.somebody(control_plane.owner(), "bob", Role::Viewer).await;
    let at = |verb: &str| format!("/people/{}/{verb}", bob.id);
    desk.see(&at("change")).await.ok();
    let fields = [("role", "admin"), ("subject", "at-provider"), ("disabled", "yes")];
    desk.send(&at("change"), &fields).await.led_to("/people/");
    let known = user_named(&control_plane, "bob").await;
    assert_eq!((&known["role"], &known["oidcSubject"]), (&json!("admin"), &json!("at-provider")));
    assert!(known["disabledAt"].is_string());
    desk.send(&at("change"), &[("role", "admin")]).await.led_to("/people/");
    let known = user_named(&control_plane, "bob").await;
    assert_eq!((&known["oidcSubject"], &known["disabledAt"]), (&Value::Null, &Value::Null));

    let password = desk.send(&at("password"), &[]).await.secret();
    control_plane.logged_in("bob", &password).await;
    assert!(desk.see(&at("remove")).await.ok().text().contains("end now"));
    desk.send(&at("remove"), &[]).await.led_to("/people/");
    assert_eq!(user_named(&control_plane, "bob").await, Value::Null);
    assert_eq!(desk.see(&at("remove")).await.status, 404);
}

#[tokio::test]
async fn the_last_owner_stays_and_is_told_why() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    let owner = user_named(&control_plane, "owner").await;
    let at = |verb: &str| format!("/people/{}/{verb}", owner["id"].as_str().unwrap());
    let why = "the last owner of the account";
    desk.send(&at("remove"), &[]).await.was_refused(409, why);
    desk.send(&at("change"), &[("role", "viewer"), ("publisher", "yes")]).await.was_refused(409, why);
}

#[tokio::test]
async fn an_admin_leaves_owners_alone_and_who_only_steers_or_looks_everybody() {
    let control_plane = ControlPlane::start().await;
    let owner = user_named(&control_plane, "owner").await;
    let remove = format!("/people/{}/remove", owner["id"].as_str().unwrap());
    let admin = Desk::of(&control_plane, Role::Admin).await;
    let page = admin.see("/people/").await.ok();
    assert_eq!(page.locked("Add somebody"), None);
    assert_eq!(page.locked("Remove").unwrap(), "Only an owner makes, changes and removes owners.");
    admin.send(&remove, &[]).await.was_refused(403, "Only an owner makes, changes and removes owners.");
    let fields = [("name", "x"), ("role", "owner")];
    admin.send("/people/new", &fields).await.was_refused(403, "Only an owner");
    for role in [Role::Editor, Role::Viewer] {
        let desk = Desk::of(&control_plane, role).await;
        let why = format!("This needs the role owner or admin; you are {role}.");
        let page = desk.see("/people/").await.ok();
        for label in ["Add somebody", "Change", "One-time password", "Remove"] {
            assert_eq!(page.locked(label), Some(why.clone()), "{label}");
        }
        desk.see("/people/new").await.was_refused(403, &why);
        desk.send("/people/new", &[("name", "x"), ("role", "viewer")]).await.was_refused(403, &why);
        desk.send(&remove, &[]).await.was_refused(403, &why);
    }
}

#[tokio::test]
async fn an_id_in_a_link_is_an_id_and_leads_nowhere_else() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    for id in ["..%2Ftokens%2Fx", "x%3Flimit=1", "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c"] {
        assert_eq!(desk.see(&format!("/people/{id}/remove")).await.status, 404, "{id}");
        assert_eq!(desk.send(&format!("/people/{id}/remove"), &[]).await.status, 404, "{id}");
    }
}

#[tokio::test]
async fn whoever_resets_their_own_password_sees_it_although_their_session_ends() {
    let control_plane = ControlPlane::start().await;
    let id = control_plane.with_password("jane", Role::Owner, "correct horse battery").await;
    let browser = control_plane.logged_in("jane", "correct horse battery").await;
    let headers = [
        ("cookie", browser.cookie.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    let (path, body) = (format!("/people/{id}/password"), format!("csrf={}", browser.csrf));
    let answer = control_plane.send(request(Method::POST, &path, &headers, body)).await;
    assert_eq!(answer.status, 201);
    let html = String::from_utf8(answer.bytes).unwrap();
    let password = html.split("id=\"secret\">").nth(1).unwrap().split('<').next().unwrap();
    control_plane.logged_in("jane", password).await;
    let over = control_plane.browse(&browser, Method::GET, "/people/", json!("")).await;
    assert_eq!((over.status.as_u16(), over.header("location")), (303, "/sign-in?next=%2Fpeople%2F"));
}
