//! `GET /live?page=…`: a page that is followed. It is made again while somebody looks, and sent whenever it differs, so
//! that every page is live without a second way of making it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts as _, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::sleep;
use tower::ServiceExt as _;

use super::visitor::Visitor;
use super::{Console, Row};
use crate::app::App;
use crate::auth::Unattended;
use crate::door::Peer;

/// What happens in between is shown together.
const PACE: Duration = Duration::from_millis(400);
/// Bytes of a download and the age of things change without a commit.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Followed {
    page: String,
}

pub(crate) fn routes() -> Vec<Row> {
    vec![("/live", get(follow))]
}

async fn follow(
    State(console): State<Console>,
    Query(Followed { page }): Query<Followed>,
    mut parts: Parts,
) -> Response {
    // A page that is left open asks again by itself, and does not keep its session from ending.
    parts.extensions.insert(Unattended);
    if let Err(refused) = Visitor::from_request_parts(&mut parts, &console).await {
        return refused;
    }
    let is_a_page = page.starts_with('/') && !page.starts_with("//") && !page.starts_with("/live");
    let Some(pages) = console.pages.get().filter(|_| is_a_page) else {
        return (StatusCode::BAD_REQUEST, "`page` must be the path of a page\n").into_response();
    };
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().copied();
    let headers = parts.headers;
    let commits = console.app.store.watch_commits();
    let app = Arc::clone(&console.app);
    let follower =
        Follower { app, pages: pages.clone(), page, headers, peer, commits, shown: None, is_over: false };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

struct Follower {
    app: Arc<App>,
    pages: Router,
    page: String,
    headers: HeaderMap,
    peer: Option<ConnectInfo<Peer>>,
    commits: watch::Receiver<u64>,
    /// What the browser has.
    shown: Option<String>,
    is_over: bool,
}

enum Made {
    Page(String),
    /// Signed out, or the thing is no more.
    Gone,
}

impl Follower {
    /// The page once it differs; once it is not there for this visitor, that, and nothing more.
    async fn next(&mut self) -> Option<Event> {
        let ending = self.app.ending.clone();
        loop {
            if self.is_over {
                return None;
            }
            self.commits.mark_unchanged();
            let Made::Page(made) = self.make().await? else {
                self.is_over = true;
                return Some(Event::default().event("gone").data("now"));
            };
            if self.shown.as_ref() != Some(&made) {
                let event = Event::default().event("page").json_data(&made).ok()?;
                self.shown = Some(made);
                return Some(event);
            }
            tokio::select! {
                () = ending.cancelled() => return None,
                () = sleep(LOOK_EVERY) => {}
                changed = self.commits.changed() => {
                    changed.ok()?;
                    sleep(PACE).await;
                }
            }
        }
    }

    /// What the page is now; nothing when it cannot be made, and the browser asks again.
    async fn make(&self) -> Option<Made> {
        let mut request = Request::get(&self.page).body(Body::empty()).ok()?;
        *request.headers_mut() = self.headers.clone();
        request.extensions_mut().insert(Unattended);
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let Ok(response) = self.pages.clone().oneshot(request).await;
        if response.status().is_server_error() {
            return None;
        }
        if response.status() != StatusCode::OK {
            return Some(Made::Gone);
        }
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        String::from_utf8(bytes.to_vec()).ok().map(Made::Page)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, BodyDataStream};
    use axum::http::{Method, Request};
    use futures_util::StreamExt as _;
    use serde_json::json;

    use crate::in_process::{ControlPlane, OWNER};

    fn following(page: &str, bearer: &str) -> Request<Body> {
        let request = Request::get(format!("/live?page={page}"))
            .header("host", "cp.test:3000")
            .header("authorization", format!("Bearer {bearer}"));
        request.body(Body::empty()).unwrap()
    }

    /// Reads on until the text comes.
    async fn until(body: &mut BodyDataStream, text: &str) -> String {
        let mut heard = String::new();
        let reading = async {
            while !heard.contains(text) {
                let piece = body.next().await.expect("it goes on").unwrap();
                heard.push_str(std::str::from_utf8(&piece).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reading).await.expect("it comes in time");
        heard
    }

    #[tokio::test]
    async fn a_page_that_is_followed_comes_again_when_it_differs_and_says_when_it_is_gone() {
        let control_plane = ControlPlane::start().await;
        let token = control_plane.post("/api/v1/tokens", json!({"name": "browser"})).await.ok();
        let mut body = control_plane
            .stream(following("/", token["secret"].as_str().unwrap()))
            .await
            .into_body()
            .into_data_stream();
        until(&mut body, "event: page").await;
        let path = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
        control_plane.delete(&path).await.ok();
        until(&mut body, "event: gone").await;
        assert!(body.next().await.is_none(), "nothing comes after the end");
    }

    #[tokio::test]
    async fn only_pages_are_followed_and_only_by_who_is_signed_in() {
        let control_plane = ControlPlane::start().await;
        for page in ["//evil.example/", "https://evil.example/", "/live?page=/", ""] {
            let page = page.replace('?', "%3F").replace('=', "%3D");
            assert_eq!(control_plane.stream(following(&page, OWNER)).await.status(), 400, "{page}");
        }
        let stranger = control_plane.stream(following("/", "nvu_unknown")).await;
        assert_eq!(
            (stranger.status().as_u16(), &stranger.headers()["location"]),
            (303, &"/sign-in?next=%2Flive%3Fpage%3D%2F".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn a_control_plane_that_ends_ends_what_is_followed() {
        let control_plane = ControlPlane::start().await;
        let mut body = control_plane.stream(following("/", OWNER)).await.into_body().into_data_stream();
        until(&mut body, "event: page").await;
        control_plane.app.ending.cancel();
        let rest = async { while body.next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(20), rest).await.expect("the stream ends");
    }

    #[tokio::test]
    async fn a_page_that_is_left_open_does_not_keep_its_session_from_ending() {
        const HOUR_MS: i64 = 3_600_000;
        let control_plane = ControlPlane::start().await;
        for (page, expected) in [("/live?page=/", 401), ("/", 200)] {
            let opened = control_plane.call(Method::POST, "/api/v1/session/token", OWNER, "").await;
            let cookie = opened.header("set-cookie").split(';').next().unwrap().to_owned();
            let asking = |path: &str| {
                let request = Request::get(path).header("host", "cp.test:3000").header("cookie", &cookie);
                request.body(Body::empty()).unwrap()
            };
            control_plane.wait_ms(11 * HOUR_MS);
            let looking = control_plane.stream(asking(page)).await;
            assert_eq!(looking.status(), 200, "{page}");
            until(&mut looking.into_body().into_data_stream(), "Overview").await;
            control_plane.wait_ms(2 * HOUR_MS);
            let later = control_plane.stream(asking("/api/v1/executors")).await;
            assert_eq!(later.status().as_u16(), expected, "after {page}");
        }
    }
}
