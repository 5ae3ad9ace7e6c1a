use axum::http::{Method, header};
use jiff::SignedDuration;
use novacula_protocol::people::Role;
use serde_json::{Value, json};

use crate::in_process::people::{Browser, request};
use crate::in_process::{Answered, ControlPlane};

const OPEN: &str = "/api/v1/session/token";
const SESSION: &str = "/api/v1/session";
const DAY_MS: i64 = 24 * 3_600_000;

async fn open(control_plane: &ControlPlane, token: &str) -> Answered {
    control_plane.call(Method::POST, OPEN, token, "").await
}

async fn opened(control_plane: &ControlPlane, token: &str) -> Browser {
    let answer = open(control_plane, token).await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    Browser { cookie, csrf: answer.ok()["csrfToken"].as_str().unwrap().to_owned() }
}

async fn look(control_plane: &ControlPlane, browser: &Browser) -> u16 {
    control_plane.browse(browser, Method::GET, "/api/v1/executors", json!("")).await.status.as_u16()
}

async fn token(control_plane: &ControlPlane, days: i64) -> Value {
    let expires_at = control_plane.app.clock.now() + SignedDuration::from_hours(24 * days);
    control_plane.post("/api/v1/tokens", json!({"name": "browser", "expiresAt": expires_at})).await.ok()
}

#[tokio::test]
async fn the_first_owner_who_has_no_password_opens_a_session_with_the_token() {
    let control_plane = ControlPlane::start().await;
    let answer = open(&control_plane, control_plane.owner()).await;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"), "{cookie}");
    let session = answer.ok();
    assert_eq!((&session["name"], &session["role"]), (&json!("owner"), &json!("owner")));
    let browser = opened(&control_plane, control_plane.owner()).await;
    control_plane.browse(&browser, Method::POST, "/api/v1/executor-keys", json!({})).await.ok();
    let told = control_plane.get("/api/v1/activity?action=session.opened").await.ok();
    assert_eq!(told["items"].as_array().unwrap().len(), 2);
    assert!(told["items"][0]["after"]["tokenId"].is_string() && told["items"][0]["actor"] == "owner");
    assert!(!told.to_string().contains(control_plane.owner()));
}

#[tokio::test]
async fn only_a_token_that_is_valid_opens_one() {
    let control_plane = ControlPlane::start().await;
    let (revoked, expired) = (token(&control_plane, 9).await, token(&control_plane, 1).await);
    let path = format!("/api/v1/tokens/{}", revoked["id"].as_str().unwrap());
    control_plane.delete(&path).await.ok();
    control_plane.wait_ms(DAY_MS);
    let browser = opened(&control_plane, control_plane.owner()).await;
    for bearer in [&revoked["secret"], &expired["secret"], &json!("nvu_unknown"), &json!("")] {
        let refused = open(&control_plane, bearer.as_str().unwrap()).await;
        assert_eq!(refused.problem(), (401, "invalid_api_key".to_owned()), "{bearer}");
        assert_eq!(refused.header("set-cookie"), "");
    }
    let refused = control_plane.browse(&browser, Method::POST, OPEN, json!("")).await;
    assert_eq!(refused.problem(), (401, "invalid_api_key".to_owned()), "a session opens no other");
}

#[tokio::test]
async fn another_site_opens_no_session_in_somebodys_browser() {
    let control_plane = ControlPlane::start().await;
    let bearer = format!("Bearer {}", control_plane.owner());
    for (headers, expected) in [
        (("origin", "http://cp.test:3000"), 201),
        (("sec-fetch-site", "same-origin"), 201),
        (("origin", "http://evil.test"), 403),
        (("sec-fetch-site", "cross-site"), 403),
    ] {
        let headers = [headers, (header::AUTHORIZATION.as_str(), &bearer)];
        let answer = control_plane.send(request(Method::POST, OPEN, &headers, "")).await;
        assert_eq!(answer.problem().0, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn a_session_of_a_token_ends_with_the_token() {
    let control_plane = ControlPlane::start().await;
    let issued = token(&control_plane, 9).await;
    let secret = issued["secret"].as_str().unwrap();
    let browser = opened(&control_plane, secret).await;
    assert_eq!(look(&control_plane, &browser).await, 200);
    control_plane.delete(&format!("/api/v1/tokens/{}", issued["id"].as_str().unwrap())).await.ok();
    assert_eq!(look(&control_plane, &browser).await, 401, "revoked");

    let short = token(&control_plane, 1).await;
    let browser = opened(&control_plane, short["secret"].as_str().unwrap()).await;
    for _ in 0..3 {
        control_plane.wait_ms(8 * 3_600_000 - 1);
        assert_eq!(look(&control_plane, &browser).await, 200);
    }
    control_plane.wait_ms(3);
    assert_eq!(look(&control_plane, &browser).await, 401, "expired");
}

#[tokio::test]
async fn a_session_of_a_token_makes_nothing_that_outlives_the_token() {
    let control_plane = ControlPlane::start().await;
    let short = token(&control_plane, 2).await;
    let browser = opened(&control_plane, short["secret"].as_str().unwrap()).await;
    let ask = async |days: i64| {
        let expires_at = control_plane.app.clock.now() + SignedDuration::from_hours(24 * days);
        let body = json!({"name": "longer", "expiresAt": expires_at});
        control_plane.browse(&browser, Method::POST, "/api/v1/tokens", body).await.problem().0
    };
    assert_eq!((ask(1).await, ask(3).await), (201, 400));
}

#[tokio::test]
async fn a_session_of_a_token_stays_in_its_account() {
    let control_plane = ControlPlane::start().await;
    let made = control_plane.post("/api/v1/accounts", json!({"name": "Second"})).await.ok();
    let second = made["id"].as_str().unwrap();
    let here = control_plane.get(SESSION).await.ok();
    let in_second = control_plane.token_of(here["userId"].as_str().unwrap(), second).await;
    let browser = opened(&control_plane, &in_second).await;
    let shown = control_plane.browse(&browser, Method::GET, SESSION, json!("")).await.ok();
    assert_eq!((&shown["accountId"], shown["accounts"].as_array().unwrap().len()), (&json!(second), 1));
    for (account, expected) in [(&here["accountId"], 404), (&json!(second), 200)] {
        let body = json!({"accountId": account});
        let answer = control_plane.browse(&browser, Method::PATCH, SESSION, body).await;
        assert_eq!(answer.problem().0, expected, "{account}");
    }
}

#[tokio::test]
async fn whoever_has_a_one_time_password_changes_it_also_after_coming_with_a_token() {
    let control_plane = ControlPlane::start().await;
    let jane = control_plane.somebody(control_plane.owner(), "jane", Role::Admin).await;
    let path = format!("/api/v1/users/{}/password", jane.id);
    control_plane.post(&path, json!({})).await.ok();
    let browser = opened(&control_plane, &jane.token).await;
    let refused = control_plane.browse(&browser, Method::GET, "/api/v1/executors", json!("")).await;
    assert_eq!(refused.problem(), (403, "password_change_required".to_owned()));
}

#[tokio::test]
async fn in_a_suspended_account_no_session_is_opened_with_a_token() {
    let control_plane = ControlPlane::start().await;
    let (account, owner) = control_plane.account("Second").await;
    let browser = opened(&control_plane, &owner.token).await;
    let path = format!("/api/v1/accounts/{account}/suspend");
    control_plane.post(&path, json!({"reason": "unpaid"})).await.ok();
    assert_eq!(open(&control_plane, &owner.token).await.problem(), (403, "account_suspended".to_owned()));
    assert_eq!(look(&control_plane, &browser).await, 200, "who was there goes on looking");
}
