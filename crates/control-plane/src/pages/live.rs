//! `GET /live?page=…`: a page that is followed. It is made again while somebody looks, and sent whenever it differs, so
//! that every page is live without a second way of making it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Query, State};
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
    _: Visitor,
    State(console): State<Console>,
    Query(Followed { page }): Query<Followed>,
    parts: Parts,
) -> Response {
    let is_a_page = page.starts_with('/') && !page.starts_with("//") && !page.starts_with("/live");
    let Some(pages) = console.pages.get().filter(|_| is_a_page) else {
        return (StatusCode::BAD_REQUEST, "`page` must be the path of a page\n").into_response();
    };
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().copied();
    let headers = parts.headers;
    let commits = console.app.store.watch_commits();
    let app = Arc::clone(&console.app);
    let follower = Follower { app, pages: pages.clone(), page, headers, peer, commits, shown: None };
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
}

impl Follower {
    /// The page once it differs; nothing more once it is not there for this visitor.
    async fn next(&mut self) -> Option<Event> {
        let ending = self.app.ending.clone();
        loop {
            self.commits.mark_unchanged();
            let made = self.make().await?;
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

    async fn make(&self) -> Option<String> {
        let mut request = Request::get(&self.page).body(Body::empty()).ok()?;
        *request.headers_mut() = self.headers.clone();
        // A page that is left open does not keep its session from ending.
        request.extensions_mut().insert(Unattended);
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let Ok(response) = self.pages.clone().oneshot(request).await;
        if response.status() != StatusCode::OK {
            return None;
        }
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        String::from_utf8(bytes.to_vec()).ok()
    }
}
