use axum::http::Method;
use novacula_protocol::people::Role;
use serde_json::{Value, json};

use crate::in_process::people::{Browser, request};
use crate::in_process::{Answered, ControlPlane};

const PASSWORD: &str = "correct horse battery";
const SESSION: &str = "/api/v1/session";

async fn jane() -> (ControlPlane, Browser) {
    let control_plane = ControlPlane::start().await;
    control_plane.with_password("jane", Role::Admin, PASSWORD).await;
    let browser = control_plane.logged_in("jane", PASSWORD).await;
    (control_plane, browser)
}

async fn look(control_plane: &ControlPlane, browser: &Browser) -> Answered {
    control_plane.browse(browser, Method::GET, "/api/v1/executors", json!("")).await
}

const OVER: (u16, &str) = (401, "invalid_api_key");

fn is_over(answer: &Answered) -> bool {
    answer.problem() == (OVER.0, OVER.1.to_owned())
}

#[tokio::test]
async fn whoever_logs_in_for_the_first_time_changes_the_password_before_anything_else() {
    let control_plane = ControlPlane::start().await;
    let body = json!({"name": "Jane@example.com", "role": "viewer", "oneTimePassword": true});
    let added = control_plane.post("/api/v1/users", body).await.ok();
    let first = added["oneTimePassword"].as_str().unwrap().to_owned();
    let browser = control_plane.logged_in("jane@EXAMPLE.com", &first).await;
    let shown = control_plane.browse(&browser, Method::GET, SESSION, json!("")).await.ok();
    assert_eq!((&shown["mustChangePassword"], &shown["name"]), (&json!(true), &json!("Jane@example.com")));
    for (method, path) in [(Method::GET, "/api/v1/executors"), (Method::POST, "/api/v1/tokens")] {
        let refused = control_plane.browse(&browser, method, path, json!({"name": "x"})).await;
        assert_eq!(refused.problem(), (403, "password_change_required".to_owned()), "{path}");
    }
    let path = "/api/v1/session/password";
    for (current, new, expected) in [
        (first.as_str(), "short", (400, "invalid_request")),
        (first.as_str(), first.as_str(), (400, "invalid_request")),
        ("wrong-wrong-wrong", PASSWORD, (403, "wrong_password")),
        (first.as_str(), PASSWORD, (204, "")),
        (first.as_str(), PASSWORD, (403, "wrong_password")),
    ] {
        let body = json!({"current": current, "new": new});
        let answer = control_plane.browse(&browser, Method::PUT, path, body).await;
        assert_eq!(answer.problem(), (expected.0, expected.1.to_owned()), "{new}");
    }
    look(&control_plane, &browser).await.ok();
    assert_eq!(control_plane.try_login("jane@example.com", &first).await.problem().0, 401);
    control_plane.logged_in("jane@example.com", PASSWORD).await;
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_are_told_alike() {
    let (control_plane, _) = jane().await;
    control_plane.somebody(control_plane.owner(), "without-password", Role::Viewer).await;
    let wrong = control_plane.try_login("jane", "wrong-wrong-wrong").await;
    assert_eq!(wrong.problem(), (401, "wrong_login".to_owned()));
    for (name, password) in [
        ("nobody", PASSWORD),
        ("without-password", ""),
        ("' OR 1=1 --", PASSWORD),
        ("", ""),
        ("jane", ""),
        ("jane", &"x".repeat(100_000)),
    ] {
        let refused = control_plane.try_login(name, password).await;
        assert_eq!((refused.status, &refused.bytes), (wrong.status, &wrong.bytes), "{name}");
        assert_eq!(refused.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn too_many_wrong_logins_of_a_name_are_sent_away_and_right_ones_elsewhere_are_not() {
    let (control_plane, browser) = jane().await;
    for n in 0..10 {
        assert_eq!(control_plane.try_login("jane", "wrong-wrong-wrong").await.problem().0, 401, "{n}");
    }
    let refused = control_plane.try_login("JANE", PASSWORD).await;
    assert_eq!(refused.problem(), (429, "too_many_attempts".to_owned()));
    assert_eq!(refused.header("retry-after"), "30");
    look(&control_plane, &browser).await.ok();
    control_plane.wait_ms(30_000);
    for _ in 0..20 {
        control_plane.logged_in("jane", PASSWORD).await;
    }
}

#[tokio::test]
async fn an_address_that_guesses_many_names_is_sent_away() {
    let control_plane = ControlPlane::start().await;
    for n in 0..30 {
        assert_eq!(control_plane.try_login(&format!("user-{n}"), "x").await.problem().0, 401, "{n}");
    }
    assert_eq!(control_plane.try_login("user-31", "x").await.problem().0, 429);
}

#[tokio::test]
async fn a_session_ends_by_logging_out_by_idling_and_after_a_week() {
    const HOUR: i64 = 3_600_000;
    let (control_plane, browser) = jane().await;
    let other = control_plane.logged_in("jane", PASSWORD).await;
    let gone = control_plane.browse(&browser, Method::DELETE, SESSION, json!("")).await;
    assert!(gone.header("set-cookie").contains("Max-Age=0"), "{}", gone.header("set-cookie"));
    assert!(is_over(&look(&control_plane, &browser).await));

    for _ in 0..14 {
        look(&control_plane, &other).await.ok();
        control_plane.wait_ms(12 * HOUR - 1);
    }
    look(&control_plane, &other).await.ok();
    control_plane.wait_ms(20);
    assert!(is_over(&look(&control_plane, &other).await), "after a week, however busy");

    let idle = control_plane.logged_in("jane", PASSWORD).await;
    let control_plane = control_plane.restart().await;
    look(&control_plane, &idle).await.ok();
    control_plane.wait_ms(12 * HOUR);
    assert!(is_over(&look(&control_plane, &idle).await));
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let (control_plane, browser) = jane().await;
    let other = control_plane.logged_in("jane", PASSWORD).await;
    let change = json!({"current": PASSWORD, "new": "another horse battery"});
    control_plane.browse(&browser, Method::PUT, "/api/v1/session/password", change).await.ok();
    look(&control_plane, &browser).await.ok();
    assert!(is_over(&look(&control_plane, &other).await));
}

#[tokio::test]
async fn no_change_is_made_that_our_own_pages_did_not_ask_for() {
    let (control_plane, browser) = jane().await;
    let stranger = control_plane.logged_in("jane", PASSWORD).await;
    let own = ("sec-fetch-site", "same-origin");
    let token = ("x-csrf-token", browser.csrf.as_str());
    for (sentence, headers, is_taken) in [
        ("our page", vec![own, token], true),
        ("our origin", vec![("origin", "http://cp.test:3000"), token], true),
        ("no token", vec![own], false),
        ("an empty token", vec![own, ("x-csrf-token", "")], false),
        ("another session's token", vec![own, ("x-csrf-token", &stranger.csrf)], false),
        ("another site with the token", vec![("sec-fetch-site", "cross-site"), token], false),
        ("a neighbour with the token", vec![("sec-fetch-site", "same-site"), token], false),
        ("another origin with the token", vec![("origin", "http://evil.test"), token], false),
        ("a sandbox with the token", vec![("origin", "null"), token], false),
        ("no word of a browser", vec![token], false),
    ] {
        let cookie = ("cookie", browser.cookie.as_str());
        let headers = [headers, vec![cookie]].concat();
        let body = json!({"name": "ci"}).to_string();
        let answer = control_plane.send(request(Method::POST, "/api/v1/tokens", &headers, body)).await;
        let expected = if is_taken { (201, String::new()) } else { (403, "csrf".to_owned()) };
        assert_eq!(answer.problem(), expected, "{sentence}");
    }
    let tokens = control_plane.browse(&browser, Method::GET, "/api/v1/tokens", json!("")).await.ok();
    let made = tokens["items"].as_array().unwrap().iter().filter(|token| token["name"] == "ci").count();
    assert_eq!(made, 2);
    let login = json!({"name": "jane", "password": PASSWORD}).to_string();
    let foreign = request(Method::POST, SESSION, &[("origin", "http://evil.test")], login);
    assert_eq!(
        control_plane.send(foreign).await.problem(),
        (403, "csrf".to_owned()),
        "logged in as somebody else"
    );
}

#[tokio::test]
async fn every_change_wants_the_token_of_the_session() {
    let (control_plane, browser) = jane().await;
    let mut counted = 0;
    for operation in crate::routes::operations() {
        if !operation.right.is_for_people() || operation.method.is_safe() {
            continue;
        }
        let path = operation
            .path
            .replace("{id}", "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c")
            .replace("{check}", "clock")
            .replace("{kind}", "agent");
        let headers = [("cookie", browser.cookie.as_str()), ("sec-fetch-site", "same-origin")];
        let refused = control_plane.send(request(operation.method, &path, &headers, "{}")).await;
        assert_eq!(refused.problem(), (403, "csrf".to_owned()), "{}", operation.id);
        counted += 1;
    }
    assert!(counted > 20, "{counted}");
}

#[tokio::test]
async fn a_bearer_goes_before_a_cookie_and_needs_no_token_of_a_session() {
    let (control_plane, browser) = jane().await;
    let bearer = format!("Bearer {}", control_plane.owner());
    for (authorization, expected) in [(bearer.as_str(), 201), ("Bearer nvu_unknown", 401), ("Basic x", 401)] {
        let headers = [("cookie", browser.cookie.as_str()), ("authorization", authorization)];
        let body = json!({"name": "ci"}).to_string();
        let answer = control_plane.send(request(Method::POST, "/api/v1/tokens", &headers, body)).await;
        assert_eq!(answer.problem().0, expected, "{authorization}");
    }
    let by_token = control_plane.get(SESSION).await.ok();
    assert_eq!((&by_token["csrfToken"], &by_token["name"]), (&Value::Null, &json!("owner")));
    for (method, path, body) in [
        (Method::DELETE, SESSION, json!("")),
        (Method::PATCH, SESSION, json!({"accountId": by_token["accountId"]})),
        (Method::PUT, "/api/v1/session/password", json!({"current": "x", "new": PASSWORD})),
    ] {
        let refused = control_plane.call(method, path, control_plane.owner(), body.to_string()).await;
        assert_eq!(refused.problem(), (409, "no_session".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_session_acts_in_one_account_and_moves_only_to_those_of_its_user() {
    let (control_plane, browser) = jane().await;
    let (foreign, _) = control_plane.account("Foreign").await;
    let made = control_plane.post("/api/v1/accounts", json!({"name": "Second"})).await.ok();
    let second = made["id"].as_str().unwrap().to_owned();
    let owner = control_plane.get(SESSION).await.ok()["userId"].as_str().unwrap().to_owned();
    let in_second = control_plane.token_of(&owner, &second).await;
    let body = json!({"name": "jane", "role": "viewer"});
    let jane = control_plane.as_person(Method::POST, "/api/v1/users", &in_second, body).await.ok();

    let move_to = async |account: &str| {
        control_plane.browse(&browser, Method::PATCH, SESSION, json!({"accountId": account})).await
    };
    for nowhere in [foreign.as_str(), "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "' OR 1=1 --", ""] {
        assert_eq!(move_to(nowhere).await.problem(), (404, "not_found".to_owned()), "{nowhere}");
    }
    let moved = move_to(&second).await.ok();
    assert_eq!((&moved["role"], moved["accounts"].as_array().unwrap().len()), (&json!("viewer"), 2));
    let refused = control_plane.browse(&browser, Method::POST, "/api/v1/executor-keys", json!({})).await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()), "an admin there is a viewer here");

    let path = format!("/api/v1/users/{}", jane["id"].as_str().unwrap());
    control_plane.as_person(Method::DELETE, &path, &in_second, json!("")).await.ok();
    assert!(is_over(&look(&control_plane, &browser).await), "a removed membership ends the session in it");
    let again = control_plane.logged_in("jane", PASSWORD).await;
    look(&control_plane, &again).await.ok();
}

#[tokio::test]
async fn logins_are_told_and_no_secret_is() {
    let (control_plane, browser) = jane().await;
    control_plane.try_login("jane", "wrong-wrong-wrong").await;
    control_plane.browse(&browser, Method::DELETE, SESSION, json!("")).await.ok();
    let told = control_plane.get("/api/v1/activity?actor=jane").await.ok();
    let actions: Vec<_> =
        told["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    let expected =
        ["session.ended", "session.opened", "session.ended", "user.passwordChanged", "session.opened"];
    assert_eq!(actions, expected);
    let everything = control_plane.get("/api/v1/activity").await.ok().to_string();
    for secret in [PASSWORD, "argon2", browser.cookie.split('=').nth(1).unwrap(), browser.csrf.as_str()] {
        assert!(!everything.contains(secret), "{secret}");
    }
}
