//! Server-sent events: what has happened so far, then what happens, until the end of what is followed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::app::App;
use crate::problem::{Answer, ApiError};

/// So many events are read at once.
pub(super) const PORTION: u32 = 200;
/// What happens in between is read together.
const PACE: Duration = Duration::from_millis(250);
/// Not everything that is told is worth a commit, so nobody tells of it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Something whose events are followed.
pub(super) trait Story: Send + 'static {
    /// Queues what is new. It may not overtake: what is read for its end is read before its events. `None` when there
    /// is nothing to be followed any more.
    fn look(&mut self, app: &App, queue: &mut Queue) -> impl Future<Output = Option<IsOver>> + Send;
}

/// Nothing comes after what is queued.
pub(super) struct IsOver(pub bool);

/// What is about to be sent.
#[derive(Default)]
pub(super) struct Queue(VecDeque<Event>);

impl Queue {
    /// Adds an event, which has an id where a browser may go on from it.
    pub(super) fn push(&mut self, name: &str, id: Option<u64>, data: &impl Serialize) -> Option<()> {
        let event = Event::default().event(name).json_data(data).ok()?;
        self.0.push_back(match id {
            Some(id) => event.id(id.to_string()),
            None => event,
        });
        Some(())
    }
}

/// The last event that a browser has which was cut off.
pub(super) fn last_event_id(headers: &HeaderMap) -> Answer<Option<u64>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let id = value.to_str().ok().and_then(|id| id.parse().ok());
    id.map(Some).ok_or_else(|| ApiError::invalid("`Last-Event-ID` must be the id of an event, a number"))
}

/// For a browser that comes back after the end and has heard it all: it is told to stay away.
pub(super) fn nothing_more() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Tells a story to its end, or until the control plane ends.
pub(super) fn tell(app: Arc<App>, story: impl Story) -> Response {
    let commits = app.store.watch_commits();
    let follower = Follower { app, story, commits, queue: Queue::default(), is_over: false };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

struct Follower<S> {
    app: Arc<App>,
    story: S,
    commits: watch::Receiver<u64>,
    queue: Queue,
    is_over: bool,
}

impl<S: Story> Follower<S> {
    async fn next(&mut self) -> Option<Event> {
        let ending = self.app.ending.clone();
        loop {
            if let Some(event) = self.queue.0.pop_front() {
                return Some(event);
            }
            if self.is_over || ending.is_cancelled() {
                return None;
            }
            self.commits.mark_unchanged();
            let IsOver(is_over) = self.story.look(&self.app, &mut self.queue).await?;
            self.is_over = is_over;
            if !self.queue.0.is_empty() {
                continue;
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
}
