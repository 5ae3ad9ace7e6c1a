use novacula_protocol::people::Role;
use serde_json::{Value, json};

use super::*;
use crate::in_process::ControlPlane;
use crate::pages::rules::desk::Desk;
use crate::pages::sample::{HOSTILE, check, layout, now};

fn account(is_founding: bool) -> Account {
    Account {
        id: "01a1fd44-ec13-72dc-be3d-6f6dbcc5687d".to_owned(),
        name: HOSTILE.to_owned(),
        is_founding,
        suspended_at: (!is_founding).then(now),
        suspension_reason: (!is_founding).then(|| HOSTILE.to_owned()),
        created_at: now(),
    }
}

#[test]
fn the_page_renders() {
    let rows = vec![listed(account(true), None), listed(account(false), Some(&HOSTILE.to_owned()))];
    let create = Action::new("New account", "/accounts/new", Look::First);
    let (layout, pager) = (layout(Room::Accounts), Pager::default());
    check("accounts", &AccountsPage { layout, create, rows, pager, is_only_own: true });
}

async fn account_named(control_plane: &ControlPlane, name: &str) -> Value {
    let accounts = control_plane.get("/api/v1/accounts").await.ok();
    let found = accounts["items"].as_array().unwrap().iter().find(|account| account["name"] == name);
    found.cloned().unwrap_or(Value::Null)
}

#[tokio::test]
async fn the_house_makes_renames_suspends_and_resumes_an_account() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    desk.see("/accounts/new").await.ok();
    desk.send("/accounts/new", &[("name", "Second")]).await.led_to("/accounts/");
    desk.send("/accounts/new", &[("name", "second")]).await.was_refused(409, "second");
    let id = account_named(&control_plane, "Second").await["id"].as_str().unwrap().to_owned();
    let at = |verb: &str| format!("/accounts/{id}/{verb}");
    assert!(desk.see(&at("rename")).await.ok().html.contains("value=\"Second\""));
    desk.send(&at("rename"), &[("name", "Third")]).await.led_to("/accounts/");
    desk.send(&at("suspend"), &[("reason", " ")]).await.was_refused(400, "must say why");
    desk.send(&at("suspend"), &[("reason", "unpaid")]).await.led_to("/accounts/");
    let page = desk.see("/accounts/").await.ok();
    assert!(page.text().contains("Third suspended just now unpaid"), "{}", page.text());
    assert!(page.html.contains(&at("resume")) && !page.html.contains(&at("suspend")));
    desk.send(&at("resume"), &[("reason", "paid")]).await.led_to("/accounts/");
    assert_eq!(account_named(&control_plane, "Third").await["suspendedAt"], Value::Null);
}

#[tokio::test]
async fn the_founding_account_cannot_be_suspended_and_says_why() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    let page = desk.see("/accounts/").await.ok();
    assert!(page.locked("Suspend").unwrap().contains("it cannot be suspended"));
    let id = control_plane.account_id().await;
    let refused = desk.send(&format!("/accounts/{id}/suspend"), &[("reason", "x")]).await;
    refused.was_refused(409, "The founding account cannot be suspended.");
}

#[tokio::test]
async fn whoever_is_not_of_the_house_sees_their_own_account_and_why() {
    let control_plane = ControlPlane::start().await;
    control_plane.post("/api/v1/accounts", json!({"name": "Second"})).await.ok();
    let id = account_named(&control_plane, "Second").await["id"].as_str().unwrap().to_owned();
    for role in [Role::Admin, Role::Editor, Role::Viewer] {
        let desk = Desk::of(&control_plane, role).await;
        let page = desk.see("/accounts/").await.ok();
        let why = format!("This needs the role owner in the founding account; you are {role}.");
        for label in ["New account", "Rename", "Suspend"] {
            assert_eq!(page.locked(label), Some(why.clone()), "{label}");
        }
        assert!(!page.text().contains("Second"), "{}", page.text());
        desk.send("/accounts/new", &[("name", "x")]).await.was_refused(403, &why);
        assert_eq!(desk.send(&format!("/accounts/{id}/rename"), &[("name", "x")]).await.status, 404);
    }
}
