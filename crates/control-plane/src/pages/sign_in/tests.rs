use axum::http::Method;
use novacula_protocol::people::Role;
use serde_json::json;

use super::*;
use crate::in_process::people::request;
use crate::in_process::{Answered, ControlPlane};
use crate::pages::sample::{HOSTILE, check, session};
use password::PasswordPage;

const PASSWORD: &str = "correct horse battery";
const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

/// Sends a form as a browser does.
async fn post(control_plane: &ControlPlane, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answered {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = words::query(fields.iter().copied());
    control_plane.send(request(Method::POST, path, &[form, OWN, ("cookie", cookie)], body)).await
}

async fn see(control_plane: &ControlPlane, path: &str, cookie: &str) -> Answered {
    control_plane.send(request(Method::GET, path, &[("cookie", cookie), ("accept", "text/html")], "")).await
}

fn text(answer: &Answered) -> String {
    String::from_utf8(answer.bytes.clone()).unwrap()
}

fn cookie(answer: &Answered) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[test]
fn who_signs_in_is_sent_to_no_other_site() {
    for (next, expected) in [
        ("/upgrades/?state=pending", "/upgrades/?state=pending"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/x\r\nset-cookie: a=b", "/"),
    ] {
        assert_eq!(local(next), expected, "{next:?}");
    }
}

#[test]
fn the_page_of_the_password_renders() {
    let refused = Some(HOSTILE.to_owned());
    check("password", &PasswordPage { session: session(), refused });
    let mut session = session();
    session.must_change_password = true;
    check("one-time password", &PasswordPage { session, refused: None });
}

#[tokio::test]
async fn the_token_of_the_first_start_signs_its_owner_in() {
    let control_plane = ControlPlane::start().await;
    let shown = text(&see(&control_plane, "/sign-in", "").await);
    assert!(shown.contains("Sign in with a token") && shown.contains("name=\"token\""), "{shown}");
    let fields = [("token", control_plane.owner()), ("next", "/people/")];
    let answer = post(&control_plane, "/sign-in", "", &fields).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/people/"));
    let page = see(&control_plane, "/", &cookie(&answer)).await;
    assert_eq!(page.status, 200);
    assert!(text(&page).contains("owner"));
}

#[tokio::test]
async fn a_token_that_is_not_valid_is_refused_in_its_own_words_and_never_shown_again() {
    let control_plane = ControlPlane::start().await;
    for (token, status) in [("nvu_unknown", 401), ("not a token", 401), ("nvu_\u{1}", 400)] {
        let answer = post(&control_plane, "/sign-in", "", &[("token", token)]).await;
        let shown = text(&answer);
        assert_eq!(answer.status.as_u16(), status, "{token}");
        assert!(shown.contains("role=\"alert\"") && !shown.contains(token), "{shown}");
        assert_eq!(answer.header("set-cookie"), "");
    }
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")];
    let body = format!("token={}", control_plane.owner());
    let foreign = control_plane.send(request(Method::POST, "/sign-in", &headers, body)).await;
    assert_eq!((foreign.status.as_u16(), foreign.header("set-cookie")), (403, ""));
}

#[tokio::test]
async fn a_one_time_password_leads_to_the_page_that_changes_it_and_then_on() {
    let control_plane = ControlPlane::start().await;
    let body = json!({"name": "jane", "role": "viewer", "oneTimePassword": true});
    let added = control_plane.post("/api/v1/users", body).await.ok();
    let first = added["oneTimePassword"].as_str().unwrap();
    let wrong = post(&control_plane, "/sign-in", "", &[("name", "jane"), ("password", "x")]).await;
    assert_eq!(wrong.status, 401);
    assert!(text(&wrong).contains("value=\"jane\""), "the name is kept");
    let answer = post(&control_plane, "/sign-in", "", &[("name", "jane"), ("password", first)]).await;
    let cookie = cookie(&answer);
    for path in ["/", "/people/", "/myself/"] {
        let sent = see(&control_plane, path, &cookie).await;
        if sent.status != 404 {
            assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "/password"), "{path}");
        }
    }
    let page = text(&see(&control_plane, "/password", &cookie).await);
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for (current, new, again, csrf, expected) in [
        (first, PASSWORD, "another", csrf.as_str(), (400, "differs between its two fields")),
        (first, "short", "short", &csrf, (400, "12 to 256 characters")),
        ("wrong-wrong-wrong", PASSWORD, PASSWORD, &csrf, (403, "The password until now is another one.")),
        (first, PASSWORD, PASSWORD, "", (403, "X-CSRF-Token")),
        (first, PASSWORD, PASSWORD, &csrf, (303, "")),
    ] {
        let fields = [("current", current), ("new", new), ("again", again), ("csrf", csrf)];
        let answer = post(&control_plane, "/password", &cookie, &fields).await;
        assert_eq!(answer.status.as_u16(), expected.0, "{new} {}", text(&answer));
        assert!(text(&answer).contains(expected.1), "{}", text(&answer));
        assert!(!text(&answer).contains(PASSWORD), "what was typed is not sent back");
    }
    assert_eq!(see(&control_plane, "/", &cookie).await.status, 200);
    control_plane.logged_in("jane", PASSWORD).await;
}

#[tokio::test]
async fn a_password_keeps_the_spaces_around_it() {
    let control_plane = ControlPlane::start().await;
    let spaced = "  correct horse  ";
    control_plane.with_password("jane", Role::Viewer, spaced).await;
    let answer = post(&control_plane, "/sign-in", "", &[("name", "jane"), ("password", spaced)]).await;
    assert_eq!(answer.status, 303);
}

#[tokio::test]
async fn a_browser_sees_on_the_sign_in_page_why_the_organisation_did_not_let_it_in() {
    let control_plane = ControlPlane::start().await;
    for path in ["/api/v1/session/oidc", "/api/v1/session/oidc/callback?state=x"] {
        let sent = see(&control_plane, path, "").await;
        assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "/sign-in?refused=oidc_off"));
        let program = control_plane.send(request(Method::GET, path, &[], "")).await;
        assert_eq!(program.problem(), (404, "oidc_off".to_owned()));
    }
    let page = text(&see(&control_plane, "/sign-in?refused=oidc_off", "").await);
    assert!(page.contains("This control plane has no OpenID provider"), "{page}");
    let forged = text(&see(&control_plane, "/sign-in?refused=Call+555-0100", "").await);
    assert!(forged.contains("The sign-in did not work.") && !forged.contains("555"), "{forged}");
}
