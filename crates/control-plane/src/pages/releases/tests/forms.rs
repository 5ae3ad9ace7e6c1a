//! What is sent with the forms of these pages.

use axum::body::Body;
use axum::http::{Method, Request};
use novacula_protocol::people::Role;
use serde_json::json;

use crate::in_process::people::Browser;
use crate::in_process::{Answered, ControlPlane, OWNER, TARGET, comment, form, signer};
use crate::pages::sample::as_written;

const BYTES: &[u8] = b"the bytes of an agent";

/// What a browser sends with the form of `/releases/publish`.
fn upload(path: &str, who: (&'static str, &str), signature: &str, bytes: &[u8]) -> Request<Body> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", "cp.test:3000")
        .header("sec-fetch-site", "same-origin")
        .header(who.0, who.1)
        .header("content-type", "multipart/form-data; boundary=XYZ")
        .body(Body::from(form(&[("artifact", bytes), ("signature", signature.as_bytes())])))
        .unwrap()
}

async fn send(control_plane: &ControlPlane, signature: &str, bytes: &[u8]) -> Answered {
    let bearer = format!("Bearer {OWNER}");
    control_plane.send(upload("/releases/publish", ("authorization", &bearer), signature, bytes)).await
}

async fn submit(control_plane: &ControlPlane, bearer: &str, path: &str, fields: &[(&str, &str)]) -> Answered {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("authorization", format!("Bearer {bearer}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap();
    control_plane.send(request).await
}

fn html(answer: &Answered) -> String {
    as_written(&answer.bytes)
}

#[tokio::test]
async fn an_upload_through_the_form_becomes_a_draft_which_is_then_published() {
    let control_plane = ControlPlane::start().await;
    control_plane.executor("host-1", "1.0.0").await;
    // Longer than any other form may be.
    let bytes = vec![7; 1_000_000];
    let signature = signer("trusted").sign(&bytes, &comment("1.5.0", TARGET));
    let sent = send(&control_plane, &signature, &bytes).await;
    assert_eq!(sent.status, 303, "{}", html(&sent));
    let place = sent.header("location").to_owned();
    let draft = control_plane.get(&format!("/api/v1{place}")).await.ok();
    assert_eq!((&draft["status"], &draft["version"]), (&json!("draft"), &json!("1.5.0")));
    assert_eq!(draft["artifacts"][0]["size"], 1_000_000);
    let shown = html(&control_plane.get(&place).await);
    assert!(
        shown.contains("Offered to nobody until it is published")
            && shown.contains(&format!("{place}/publish"))
    );

    let asked = html(&control_plane.get(&format!("{place}/publish")).await);
    assert!(asked.contains("1 executor will be offered it"), "{asked}");
    let done = submit(&control_plane, OWNER, &format!("{place}/publish"), &[("csrf", "")]).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, place.as_str()));
    assert_eq!(control_plane.get(&format!("/api/v1{place}")).await.ok()["status"], "published");
}

#[tokio::test]
async fn a_refused_upload_is_shown_with_its_sentence_and_leaves_nothing() {
    let control_plane = ControlPlane::start().await;
    let good = signer("trusted").sign(BYTES, &comment("1.5.0", TARGET));
    let stranger = signer("stranger").sign(BYTES, &comment("1.5.0", TARGET));
    let legacy = signer("trusted").sign_legacy(BYTES, &comment("1.5.0", TARGET));
    let unsaid = signer("trusted").sign(BYTES, "file:agent");
    for (sentence, signature, bytes, status, said) in [
        ("another key", stranger.as_str(), BYTES, 422, "must be made by a key built into this program"),
        ("other bytes", &good, &b"others"[..], 422, "must cover this artifact and its trusted comment"),
        ("the old format", &legacy, BYTES, 422, "must be prehashed"),
        ("no kind", &unsaid, BYTES, 422, "the trusted comment must name `kind:`"),
        ("no signature", "hello", BYTES, 422, "must be the text of a .minisig file"),
        ("nothing chosen", "", b"", 400, "the field `signature` is missing"),
    ] {
        let refused = send(&control_plane, signature, bytes).await;
        let page = html(&refused);
        assert_eq!(refused.status.as_u16(), status, "{sentence}");
        let said = crate::pages::words::sentence(said).trim_end_matches('.').to_lowercase();
        assert!(page.contains("role=\"alert\"") && page.to_lowercase().contains(&said), "{sentence}: {page}");
        assert_eq!(control_plane.artifact_files(), 0, "{sentence}");
    }
    let small = ControlPlane::with_max_artifact_bytes(20).await;
    let refused = send(&small, &good, BYTES).await;
    assert!(refused.status == 413 && html(&refused).contains("at most 20 bytes"), "{}", html(&refused));
}

#[tokio::test]
async fn an_upload_that_another_site_sends_is_refused() {
    let control_plane = ControlPlane::start().await;
    let id = control_plane.with_password("mia", Role::Owner, "a long enough password").await;
    control_plane.patch(&format!("/api/v1/users/{id}"), json!({"releaseManager": true})).await.ok();
    let Browser { cookie, csrf } = control_plane.logged_in("mia", "a long enough password").await;
    let signature = signer("trusted").sign(BYTES, &comment("1.5.0", TARGET));
    for (sentence, query, status) in [
        ("without the token", String::new(), 403),
        ("with another one", format!("?csrf={}", "0".repeat(64)), 403),
        ("with ours", format!("?csrf={csrf}"), 303),
    ] {
        let path = format!("/releases/publish{query}");
        let sent = control_plane.send(upload(&path, ("cookie", &cookie), &signature, BYTES)).await;
        assert_eq!(sent.status.as_u16(), status, "{sentence}: {}", html(&sent));
        assert_eq!(control_plane.artifact_files(), usize::from(status == 303), "{sentence}");
    }
    let nobody = upload("/releases/publish", ("x-nothing", ""), &signature, BYTES);
    let sent = control_plane.send(nobody).await;
    assert_eq!(sent.status, 303);
    assert!(sent.header("location").starts_with("/sign-in"), "{}", sent.header("location"));
}

#[tokio::test]
async fn yanking_says_what_it_means_before_and_wants_a_reason() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let release = control_plane.publish("1.2.0").await;
    control_plane.request(&id, "1.2.0").await.ok();
    let place = format!("/releases/{}", release["id"].as_str().unwrap());
    let asked = html(&control_plane.get(&format!("{place}/yank")).await);
    for part in [
        "No executor runs it.",
        "1 upgrade to it waits and is still carried out",
        "1 executor is offered it now",
        "1.1.0 is the highest that is left for 1 executor.",
        "host-1",
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    let refused = submit(&control_plane, OWNER, &format!("{place}/yank"), &[("reason", " ")]).await;
    assert_eq!(refused.status, 400);
    assert!(html(&refused).contains("Yanking 1.2.0 needs a `reason`"), "{}", html(&refused));
    assert_eq!(control_plane.get(&format!("/api/v1{place}")).await.ok()["status"], "published");
    let done = submit(&control_plane, OWNER, &format!("{place}/yank"), &[("reason", "it <hangs>")]).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, place.as_str()));
    let shown = html(&control_plane.get(&place).await);
    assert!(shown.contains("owner yanked it") && shown.contains("it &#60;hangs&#62;"), "{shown}");
    // What was yanked is not published again; the page says so.
    let again = submit(&control_plane, OWNER, &format!("{place}/publish"), &[]).await;
    assert!(again.status == 409 && html(&again).contains("from draft to published to yanked"));
}

#[tokio::test]
async fn a_draft_is_changed_with_its_steps_and_what_was_published_keeps_them() {
    let control_plane = ControlPlane::start().await;
    let release = control_plane.draft("1.2.0", BYTES).await;
    let place = format!("/releases/{}", release["id"].as_str().unwrap());
    let (api, change) = (format!("/api/v1{place}"), format!("{place}/change"));
    let typed = [
        ("channel", "beta"),
        ("notes", "One\r\ntwo"),
        ("type", "agent"),
        ("prerequisites", "Take a backup\r\nof all\r\n\r\nTell them"),
        ("postrequisites", ""),
    ];
    let done = submit(&control_plane, OWNER, &change, &typed).await;
    assert_eq!(done.status, 303, "{}", html(&done));
    let known = control_plane.get(&api).await.ok();
    assert_eq!((&known["channel"], &known["notes"]), (&json!("beta"), &json!("One\ntwo")));
    assert_eq!(known["prerequisites"][0]["text"], "Take a backup\nof all");
    assert_eq!(known["prerequisites"][1]["text"], "Tell them");
    let refused = submit(&control_plane, OWNER, &change, &[("type", "Big Words"), ("notes", "kept")]).await;
    let page = html(&refused);
    assert!(refused.status == 400 && page.contains("Big Words") && page.contains("kept"), "{page}");

    control_plane.patch(&api, json!({"status": "published"})).await.ok();
    let page = html(&control_plane.get(&change).await);
    assert!(page.contains("its type, its steps and its artifacts stay as they are"), "{page}");
    let done = submit(&control_plane, OWNER, &change, &[("channel", "stable"), ("notes", "")]).await;
    assert_eq!(done.status, 303, "{}", html(&done));
    let now = control_plane.get(&api).await.ok();
    assert_eq!((&now["channel"], &now["notes"]), (&json!("stable"), &json!("")));
    assert_eq!(now["prerequisites"], known["prerequisites"]);
}

#[tokio::test]
async fn who_is_no_release_manager_is_told_so_and_cannot() {
    let control_plane = ControlPlane::start().await;
    let release = control_plane.draft("1.2.0", BYTES).await;
    let place = format!("/releases/{}", release["id"].as_str().unwrap());
    let viewer = control_plane.somebody(OWNER, "vera", Role::Viewer).await.token;
    for path in ["/releases/", place.as_str(), "/releases/publish"] {
        let page = html(&control_plane.call(Method::GET, path, &viewer, "").await);
        assert!(page.contains("This needs a release manager; you are viewer."), "{path}: {page}");
        assert!(!page.contains(&format!("href=\"{place}/publish\"")), "{path}");
    }
    for verb in ["publish", "yank", "change"] {
        let path = format!("{place}/{verb}");
        let refused = submit(&control_plane, &viewer, &path, &[("notes", "x"), ("reason", "x")]).await;
        assert!(refused.status == 403 && html(&refused).contains("a release manager"), "{verb}");
    }
    assert_eq!(control_plane.get(&format!("/api/v1{place}")).await.ok(), release);
}
