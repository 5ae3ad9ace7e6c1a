//! One line for every request: which, by whom, what came of it and how long it took. Never a header, a query or a body,
//! because those carry secrets; and of a path only what our own are made of.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use novacula_protocol::sync::SYNC_PATH;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Fetcher;
use crate::clock::Stopwatch;
use crate::fleet::KeyHolder;
use crate::routes;
use crate::store::Person;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request an id of ours, whatever the caller calls it, and says in the end what came of it.
pub(crate) async fn log_request(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = new_id(&app);
    request.headers_mut().remove(&REQUEST_ID);
    let who = Arc::new(OnceLock::new());
    request.extensions_mut().insert(Slot(Arc::clone(&who)));
    let mut line = Line {
        app,
        method: known(request.method()),
        path: shown(request.uri().path()),
        who,
        status: None,
        took: None,
        stopwatch: Stopwatch::start(),
        span: span(id),
    };
    line.span.in_scope(|| tracing::trace!(method = line.method, path = line.path, "begun"));
    let mut response = next.run(request).instrument(line.span.clone()).await;
    line.status = Some(response.status());
    response.headers_mut().insert(REQUEST_ID, as_header(id));
    response
}

/// An id for a request: in the order of time, told apart by a number, and no secret.
pub(crate) fn new_id(app: &App) -> Uuid {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let ms = u64::try_from(app.clock.now().as_millisecond()).unwrap_or_default();
    let mut rest = [0; 10];
    rest[..2].copy_from_slice(&of_this_process().to_be_bytes()[..2]);
    rest[2..].copy_from_slice(&(number ^ of_this_process()).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(ms, &rest).into_uuid()
}

/// Two processes give no two requests one id.
fn of_this_process() -> u64 {
    static ANY: OnceLock<u64> = OnceLock::new();
    *ANY.get_or_init(|| RandomState::new().hash_one(std::process::id()))
}

pub(crate) fn as_header(id: Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static(""))
}

fn span(id: Uuid) -> tracing::Span {
    tracing::error_span!("request", %id)
}

/// Says what came of a sync, where somebody wants to hear of it.
pub(crate) fn tell_of_sync(app: &Arc<App>, by: KeyHolder, status: StatusCode, took: Duration, id: Uuid) {
    if status.is_success() && !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let line = Line {
        app: Arc::clone(app),
        method: "POST",
        path: SYNC_PATH.to_owned(),
        who: Arc::new(OnceLock::from(Who::Executor(by))),
        status: Some(status),
        took: Some(took),
        stopwatch: Stopwatch::start(),
        span: span(id),
    };
    drop(line);
}

/// Where the gate leaves who it let in.
#[derive(Clone)]
struct Slot(Arc<OnceLock<Who>>);

enum Who {
    Person(Person),
    Executor(KeyHolder),
    Account(Uuid),
}

/// A page asks for the same caller, in the same line of the log.
pub(crate) fn carry(from: &Extensions, to: &mut Extensions) {
    if let Some(slot) = from.get::<Slot>() {
        to.insert(slot.clone());
    }
}

/// Leaves for the log whom the gate has let in.
pub(crate) fn note_who(parts: &Parts) {
    let extensions = &parts.extensions;
    let Some(Slot(slot)) = extensions.get() else { return };
    let who = extensions
        .get::<Person>()
        .map(|person| Who::Person(person.clone()))
        .or_else(|| extensions.get::<KeyHolder>().map(|key| Who::Executor(*key)))
        .or_else(|| extensions.get::<Fetcher>().map(|by| Who::Account(by.account_id)));
    if let Some(who) = who {
        let _ = slot.set(who);
    }
}

/// Written when it is dropped, so that a caller who hangs up is told of too.
struct Line {
    app: Arc<App>,
    method: &'static str,
    path: String,
    who: Arc<OnceLock<Who>>,
    status: Option<StatusCode>,
    took: Option<Duration>,
    stopwatch: Stopwatch,
    span: tracing::Span,
}

impl Drop for Line {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        let is_routine = self.status.is_some_and(|status| status.is_success()) && is_routine(&self.path);
        if is_routine && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let (account, by) = self.caller();
        let status = self.status.map(|status| status.as_u16());
        let said = if status.is_some() { "answered" } else { "the caller hung up" };
        let took = self.took.unwrap_or_else(|| self.stopwatch.elapsed());
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (method, path) = (self.method, &self.path);
        if is_routine {
            tracing::debug!(method, path, status, duration_ms, account, by, "{said}");
        } else {
            tracing::info!(method, path, status, duration_ms, account, by, "{said}");
        }
    }
}

impl Line {
    fn caller(&self) -> (Option<String>, Option<String>) {
        match self.who.get() {
            Some(Who::Person(person)) => {
                (Some(person.account_id.to_string()), Some(format!("user {}", person.name)))
            }
            Some(Who::Executor(key)) => {
                let by = match self.app.fleet.bound_name(key.key_id) {
                    Some(name) => format!("executor {name}"),
                    None => format!("key {}", key.key_id),
                };
                (Some(key.account_id.to_string()), Some(by))
            }
            Some(Who::Account(account_id)) => (Some(account_id.to_string()), None),
            None => (None, None),
        }
    }
}

/// A fleet asks these all the time; that it could is worth a line to nobody.
fn is_routine(path: &str) -> bool {
    matches!(path, SYNC_PATH | "/healthz" | "/readyz" | "/metrics") || path.starts_with("/assets/")
}

/// A method as it is logged: anything may stand where it stands.
fn known(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    known.into_iter().find(|known| method.as_str() == *known).unwrap_or("…")
}

/// A path as it is logged: what our own paths are made of. Anything else may be a secret, or a part of one.
fn shown(path: &str) -> String {
    let is_hash = |part: &str| part.len() == 64 && part.bytes().all(|c| c.is_ascii_hexdigit());
    let is_number = |part: &str| part.len() <= 4 && part.bytes().all(|c| c.is_ascii_digit());
    let is_ours = |part: &str| words().contains(part) || is_number(part) || part.parse::<Uuid>().is_ok();
    let shown = |part| if is_ours(part) || is_hash(part) { part } else { "…" };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
}

/// Every word that stands in a path of ours.
fn words() -> &'static HashSet<String> {
    static WORDS: OnceLock<HashSet<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let paths =
            routes::operations().into_iter().map(|operation| operation.path).chain(routes::page_paths());
        let of_a_path = |path: String| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        paths.flat_map(of_a_path).filter(|word| !word.starts_with('{')).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_only_names_ids_and_hashes_are_shown() {
        let (id, hash) = ("01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "9f".repeat(32));
        for (path, expected) in [
            ("/".to_owned(), "/".to_owned()),
            (format!("/api/v1/upgrades/{id}"), format!("/api/v1/upgrades/{id}")),
            (format!("/api/v1/artifacts/{hash}"), format!("/api/v1/artifacts/{hash}")),
            (format!("/api/v1/executors/nva_{hash}/explain"), "/api/v1/executors/…/explain".to_owned()),
            ("/api/v1/upgrades/nvw_ab/cd/3/steps".to_owned(), "/api/v1/upgrades/…/…/3/steps".to_owned()),
            (format!("/nvu%5F{hash}"), "/…".to_owned()),
            (format!("/{}", "x".repeat(9_000)), "/…".to_owned()),
        ] {
            assert_eq!(shown(&path), expected);
        }
    }
}
