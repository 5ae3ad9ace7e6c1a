//! The pages of executors and batches, as somebody in a browser finds them.

mod bulk;
mod one;
mod samples;

use axum::http::{Method, StatusCode};
use novacula_protocol::people::Role;
use scraper::{Html, Selector};
use serde_json::json;

use crate::in_process::people::request;
use crate::in_process::{Answered, ControlPlane, OWNER, said};
use crate::pages::sample::HOSTILE;
use crate::pages::sample::as_written;
use crate::pages::words;

/// Sends a form as a page does, with a token that needs no other proof.
pub(super) async fn send(control_plane: &ControlPlane, path: &str, fields: &[(&str, &str)]) -> Answered {
    let bearer = format!("Bearer {OWNER}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let body = words::query(fields.iter().copied());
    control_plane.send(request(Method::POST, path, &headers, body)).await
}

/// A page and its status.
pub(super) fn page(answer: &Answered) -> (StatusCode, String) {
    (answer.status, as_written(&answer.bytes))
}

pub(super) async fn shown(control_plane: &ControlPlane, path: &str) -> String {
    let (status, text) = page(&control_plane.get(path).await);
    assert_eq!(status, 200, "{path}: {text}");
    text
}

/// The attribute, or the text where none is asked for, of all that a selector takes.
pub(super) fn all(page: &str, selector: &str, attribute: Option<&str>) -> Vec<String> {
    let html = Html::parse_document(page);
    let found = Selector::parse(selector).unwrap();
    html.select(&found)
        .map(|element| match attribute {
            Some(name) => element.value().attr(name).unwrap_or_default().to_owned(),
            None => element.text().flat_map(str::split_whitespace).collect::<Vec<_>>().join(" "),
        })
        .collect()
}

const NAMES: &str = "#executors-found tbody th > a";

#[tokio::test]
async fn the_pages_have_every_executor_once_and_never_more_than_fifty() {
    let control_plane = ControlPlane::start().await;
    for n in 0..120 {
        control_plane.sync(&control_plane.key().await, said(&format!("host-{n:03}"), "1.0.0")).await.ok();
    }
    let (mut seen, mut place) = (Vec::new(), "/executors/".to_owned());
    loop {
        let text = shown(&control_plane, &place).await;
        let names = all(&text, NAMES, None);
        assert!(!names.is_empty() && names.len() <= 50, "{place} shows {}", names.len());
        assert!(text.contains("120 executors in all"));
        seen.extend(names);
        match all(&text, "a[rel=next]", Some("href")).pop() {
            Some(next) => place = next,
            None => break,
        }
    }
    assert_eq!(seen, (0..120).map(|n| format!("host-{n:03}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_form_narrows_the_list_and_says_what_it_was_given() {
    let control_plane = ControlPlane::start().await;
    for (name, version, site) in
        [("Berlin-1", "1.0.0", "berlin"), ("berlin-2", "2.0.0", "berlin"), ("rome", "1.0.0", "a&b")]
    {
        let mut host = said(name, version);
        host["labels"] = json!({"site": site, "os": "debian"});
        control_plane.sync(&control_plane.key().await, host).await.ok();
    }
    for (query, expected) in [
        ("search=BERLIN", vec!["Berlin-1", "berlin-2"]),
        ("search=&label=&kind=&held=", vec!["Berlin-1", "berlin-2", "rome"]),
        ("label=site%3Da%26b&label=os%3Ddebian", vec!["rome"]),
        ("version=1.0.0&label=site%3Dberlin", vec!["Berlin-1"]),
        ("kind=operator", vec![]),
    ] {
        let text = shown(&control_plane, &format!("/executors/?{query}")).await;
        assert_eq!(all(&text, NAMES, None), expected, "{query}");
    }
    let text = shown(&control_plane, "/executors/?label=site%3Da%26b&label=os%3Ddebian&kind=agent").await;
    assert_eq!(all(&text, "input[name=label]", Some("value")), ["site=a&b", "os=debian", ""]);
    let none = shown(&control_plane, "/executors/?search=nobody").await;
    assert!(none.contains("No executor matches. There are 3 in all."), "{none}");
    let (status, bad) = page(&control_plane.get("/executors/?label=site&search=ber").await);
    assert_eq!(status, 400);
    assert_eq!(all(&bad, "[role=alert]", None), ["`label` must be key=value, it is `site`."]);
    assert_eq!(all(&bad, "input[name=search]", Some("value")), ["ber"], "what was typed is kept");
}

#[tokio::test]
async fn an_empty_fleet_is_told_how_an_executor_comes_to_be() {
    let control_plane = ControlPlane::start().await;
    let text = shown(&control_plane, "/executors/").await;
    for command in [
        "novactl executor enroll --token",
        "/opt/novacula/bin/novacula-agent install",
        "systemctl start novacula-agent.service",
    ] {
        assert!(text.contains(command), "{command}");
    }
    assert!(text.contains("href=\"/keys/\""));
}

#[tokio::test]
async fn a_viewer_sees_what_could_be_done_and_why_not_by_them() {
    let control_plane = ControlPlane::start().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    let viewer = control_plane.somebody(OWNER, "vera", Role::Viewer).await.token;
    let why = "This needs the role owner, admin or editor; you are viewer.";
    for path in ["/executors/".to_owned(), format!("/executors/{id}")] {
        let (status, text) = page(&control_plane.call(Method::GET, &path, &viewer, "").await);
        assert_eq!(status, 200);
        let locked = all(&text, ".locked", None);
        assert!(locked.iter().any(|button| button.contains(why)), "{path}: {locked:?}");
        let ways = all(&text, "main a.button[data-dialog]", Some("href"));
        assert!(ways.is_empty(), "{path} leads a viewer to {ways:?}");
        assert!(!text.contains("name=\"id\""), "nobody can be chosen");
    }
    for verb in ["upgrade?targetVersion=1.1.0", "labels", "delete", "preflight", "rollback"] {
        let (status, text) =
            page(&control_plane.call(Method::GET, &format!("/executors/{id}/{verb}"), &viewer, "").await);
        assert_eq!((status, all(&text, "main form[method=post]", None).len()), (StatusCode::OK, 0), "{verb}");
        assert!(text.contains("This needs the role owner"), "{verb} says why not");
    }
}

#[tokio::test]
async fn what_a_host_calls_itself_is_nothing_but_text() {
    let control_plane = ControlPlane::start().await;
    let name = "<script>alert(1)</script>\"><img src=x>";
    let mut host = said(name, "1.0.0");
    host["labels"] = json!({"<b>site</b>": "\"><script>x</script>"});
    host["held"] = json!({"reason": HOSTILE, "until": null});
    control_plane.sync(&control_plane.key().await, host).await.ok();
    let listed = shown(&control_plane, "/executors/").await;
    let place = all(&listed, "#executors-found tbody th a", Some("href")).remove(0);
    for path in [
        "/executors/?search=script".to_owned(),
        place.clone(),
        format!("{place}/labels"),
        format!("{place}/delete"),
    ] {
        let text = shown(&control_plane, &path).await;
        assert!(text.contains("&#60;script&#62;alert(1)"), "{path} shows the name");
        assert!(
            !text.contains("<script>") && !text.contains("<img src=x") && !text.contains("<b>site"),
            "{path}"
        );
    }
    let link = all(&listed, "#executors-found a.tag", Some("href")).remove(0);
    let found = shown(&control_plane, &link).await;
    assert_eq!(all(&found, NAMES, None), [name], "a label leads to who has it");
}
