use axum::http::Method;
use jiff::SignedDuration;
use novacula_protocol::people::Role;
use serde_json::{Value, json};

use crate::in_process::ControlPlane;

const TOKENS: &str = "/api/v1/tokens";
const DAY_MS: i64 = 24 * 3_600_000;

fn secret(issued: &Value) -> String {
    issued["secret"].as_str().unwrap().to_owned()
}

async fn status(control_plane: &ControlPlane, token: &str) -> u16 {
    control_plane.as_person(Method::GET, "/api/v1/executors", token, json!("")).await.status.as_u16()
}

#[tokio::test]
async fn a_token_works_until_it_ends_and_is_never_shown_again() {
    let control_plane = ControlPlane::start().await;
    let issued = control_plane.post(TOKENS, json!({"name": "<b>ci</b>'; --"})).await.ok();
    let token = secret(&issued);
    assert!(token.starts_with("nvu_"));
    assert_eq!(status(&control_plane, &token).await, 200);
    let listed = control_plane.get(TOKENS).await.ok();
    let shown = &listed["items"][0];
    assert_eq!((&shown["name"], &shown["user"]), (&json!("<b>ci</b>'; --"), &json!("owner")));
    let today = control_plane.app.clock.now().to_string()[..10].to_owned();
    assert_eq!(shown["lastUsedOn"], today);
    assert!(!listed.to_string().contains(&token));
    assert_eq!(listed["items"][1]["expiresAt"], Value::Null, "the first one never ends");

    let before = control_plane.app.store.commits();
    for _ in 0..5 {
        assert_eq!(status(&control_plane, &token).await, 200);
    }
    assert_eq!(control_plane.app.store.commits(), before, "its use is noted once a day");
    control_plane.wait_ms(90 * DAY_MS - 1);
    assert_eq!(status(&control_plane, &token).await, 200);
    control_plane.wait_ms(1);
    assert_eq!(status(&control_plane, &token).await, 401);
    assert_eq!(status(&control_plane, control_plane.owner()).await, 200);
}

#[tokio::test]
async fn a_token_lasts_at_most_a_year_and_none_outlives_the_token_that_made_it() {
    let control_plane = ControlPlane::start().await;
    let now = control_plane.app.clock.now();
    let at = |days: i64| (now + SignedDuration::from_hours(24 * days)).to_string();
    for (days, expected) in [(-1, 400), (0, 400), (1, 201), (365, 201), (366, 201), (367, 400)] {
        let made = control_plane.post(TOKENS, json!({"name": "x", "expiresAt": at(days)})).await;
        assert_eq!(made.status.as_u16(), expected, "{days}");
    }
    let short = secret(&control_plane.post(TOKENS, json!({"name": "x", "expiresAt": at(2)})).await.ok());
    let ask = async |body| control_plane.as_person(Method::POST, TOKENS, &short, body).await;
    assert_eq!(ask(json!({"name": "longer", "expiresAt": at(3)})).await.problem().0, 400);
    ask(json!({"name": "as long"})).await.ok();
    let newest = control_plane.get(&format!("{TOKENS}?limit=1")).await.ok();
    assert_eq!(newest["items"][0]["expiresAt"], at(2));
    for bad in
        [json!({}), json!({"name": ""}), json!({"name": "x", "role": "owner"}), json!({"name": "a\u{7}"})]
    {
        assert_eq!(control_plane.post(TOKENS, bad).await.problem().0, 400);
    }
}

#[tokio::test]
async fn a_token_is_ended_by_its_user_and_by_who_administers_the_account() {
    let control_plane = ControlPlane::start().await;
    let viewer = control_plane.somebody(control_plane.owner(), "viewer", Role::Viewer).await;
    let editor = control_plane.somebody(control_plane.owner(), "editor", Role::Editor).await;
    let make =
        async |by: &str| control_plane.as_person(Method::POST, TOKENS, by, json!({"name": "x"})).await.ok();
    let end = async |by: &str, issued: &Value| {
        let path = format!("{TOKENS}/{}", issued["id"].as_str().unwrap());
        control_plane.as_person(Method::DELETE, &path, by, json!("")).await.status.as_u16()
    };
    let (one, two) = (make(&viewer.token).await, make(&viewer.token).await);
    let owners = make(control_plane.owner()).await;
    assert_eq!(end(&editor.token, &one).await, 404, "not another's");
    assert_eq!(end(&viewer.token, &owners).await, 404);
    assert_eq!(end(&viewer.token, &one).await, 204);
    assert_eq!(end(&viewer.token, &one).await, 204, "ended already is fine");
    assert_eq!(end(control_plane.owner(), &two).await, 204);
    for ended in [&one, &two] {
        assert_eq!(status(&control_plane, &secret(ended)).await, 401);
    }
    let own = control_plane.as_person(Method::GET, TOKENS, &viewer.token, json!("")).await.ok();
    assert_eq!(own["items"].as_array().unwrap().len(), 3, "a viewer sees their own, also the ended");
    let told = control_plane.get("/api/v1/activity?action=token.revoked").await.ok();
    assert_eq!(told["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn bad_secrets_from_an_address_are_slowed_down_and_good_ones_never() {
    let control_plane = ControlPlane::start().await;
    let key = control_plane.key().await;
    for n in 0..60 {
        let token = ["nvu_bad", "nva_bad"][n % 2];
        let path = ["/api/v1/executors", "/api/v1/syncExecutor"][n % 2];
        let method = [Method::GET, Method::POST][n % 2].clone();
        assert_eq!(control_plane.call(method, path, token, "{}").await.problem().0, 401, "{n}");
    }
    let refused = control_plane.call(Method::GET, "/api/v1/executors", "nvu_bad", "").await;
    assert_eq!(refused.problem(), (429, "too_many_attempts".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    let said = crate::in_process::said("host-1", "1.0.0");
    assert_eq!(control_plane.sync("nva_bad", said.clone()).await.problem().0, 429);
    for _ in 0..200 {
        control_plane.sync(&key, said.clone()).await.ok();
    }
    assert_eq!(status(&control_plane, control_plane.owner()).await, 200);
    control_plane.wait_ms(1_000);
    assert_eq!(control_plane.sync("nva_bad", said).await.problem().0, 401);
}
