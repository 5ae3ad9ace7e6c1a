//! The way in. A sync that can be read, by an executor that is known, is answered here: nearly every request is one, and
//! what stands around the routes would cost more than the answer. Everything else goes to the routes, also a sync that
//! is about to be refused, or that would rather wait: they say why, and wait.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use axum::response::IntoResponse as _;
use axum::{BoxError, response};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use http_body_util::{BodyExt as _, Full};
use novacula_protocol::sync::{SYNC_PATH, SyncRequest, SyncResponse};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tower::Service as _;

use crate::api::sync;
use crate::app::App;
use crate::auth;
use crate::clock::Stopwatch;
use crate::door::Peer;
use crate::fleet::KeyHolder;
use crate::long_poll;
use crate::pace::Room;
use crate::problem::{Answer, ApiError};
use crate::request_log;
use crate::said;

/// Whatever is longer has much to tell, and is not in a hurry.
const MOST_BYTES: u64 = 64 * 1024;

/// What is answered: a text that is ready, or what the routes make.
pub(crate) type Answered = Response<http_body_util::Either<Full<Bytes>, Body>>;

/// What a sync is told.
type Told = Answer<SyncResponse>;

/// What connections are served by.
#[derive(Clone)]
pub(crate) struct Entrance {
    app: Arc<App>,
    routes: Router,
    pool: Handle,
}

impl Entrance {
    /// What is not answered here is answered by the routes, in the pool.
    pub(crate) fn new(app: Arc<App>, routes: Router, pool: Handle) -> Self {
        Self { app, routes, pool }
    }

    pub(crate) fn app(&self) -> Arc<App> {
        Arc::clone(&self.app)
    }

    /// Answers a request of whoever is at the other end.
    pub(crate) async fn answer<B>(
        self: Arc<Self>,
        request: Request<B>,
        peer: Option<Peer>,
    ) -> Result<Answered, Infallible>
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let request = match is_short_sync(&request) {
            true => match answer(&self.app, request).await {
                Ok(answered) => return Ok(answered),
                Err(request) => request,
            },
            false => request.map(Body::new),
        };
        // Few come so far: no connection keeps room for it.
        Ok(Box::pin(self.elsewhere(request, peer)).await.map(http_body_util::Either::Right))
    }

    /// However long it takes, nobody who syncs waits behind it; it ends when nobody waits for it any more. A body is read
    /// by the thread that reads its connection: of uploads that another thread read some broke off in the middle.
    async fn elsewhere(&self, mut request: Request<Body>, peer: Option<Peer>) -> response::Response {
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let mut routes = self.routes.clone();
        let Ok(answered) = match request.body().is_end_stream() {
            true => AbortOnDropHandle::new(self.pool.spawn(routes.call(request)))
                .await
                .unwrap_or_else(|e| Ok(ApiError::internal(e).into_response())),
            false => routes.call(request).await,
        };
        answered
    }
}

fn is_short_sync<B: HttpBody>(request: &Request<B>) -> bool {
    request.method() == Method::POST
        && request.uri().path() == SYNC_PATH
        && request.uri().query().is_none()
        && !long_poll::is_preferred(request.headers())
        && request.body().size_hint().upper().is_some_and(|most| most <= MOST_BYTES)
}

/// The answer to a sync; the request itself, as it came, where that is for the routes.
async fn answer<B>(app: &Arc<App>, request: Request<B>) -> Result<Answered, Request<Body>>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let stopwatch = Stopwatch::start();
    let (parts, body) = request.into_parts();
    let Some(by) = auth::known_executor(&parts.headers, app) else {
        return Err(Request::from_parts(parts, Body::new(body)));
    };
    let has_room = Room::of(app, Some(&by));
    // Whoever breaks off in the middle hears no answer anyway.
    let bytes = all_of(body).await.unwrap_or_default();
    let under_way = app.pace.under_way();
    let told = match catch_unwind(AssertUnwindSafe(|| hear(app, by, &bytes, has_room, &parts.headers))) {
        Ok(Some(told)) => {
            // Of what waits now as little is kept as can be.
            drop((parts, bytes));
            AssertUnwindSafe(told).catch_unwind().await
        }
        Ok(None) => return Err(Request::from_parts(parts, Body::from(bytes))),
        Err(panicked) => Err(panicked),
    };
    let told = told.unwrap_or_else(|_| Err(ApiError::internal("a sync ended in a panic")));
    let id = request_log::new_id(app);
    let mut answered = match told {
        Ok(answer) => {
            let mut text = Vec::with_capacity(256);
            match serde_json::to_writer(&mut text, &answer) {
                Ok(()) => json(text),
                Err(e) => problem(ApiError::internal(e)),
            }
        }
        Err(refused) => problem(refused),
    };
    let took = stopwatch.elapsed();
    drop(under_way);
    app.pace.took(took);
    app.metrics.synced(Some(took), answered.status().is_success());
    app.metrics.count_problem(answered.extensions());
    request_log::tell_of_sync(app, by, answered.status(), took, id);
    let headers = answered.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(request_log::REQUEST_ID, request_log::as_header(id));
    #[cfg(test)]
    answered.extensions_mut().insert(auth::OperationId("syncExecutor"));
    Ok(answered)
}

/// Nearly every body comes in one piece, which needs no other place.
async fn all_of<B: HttpBody<Data = Bytes>>(body: B) -> Result<Bytes, B::Error> {
    let mut body = pin!(body);
    let first = match body.frame().await {
        Some(frame) => frame?.into_data().unwrap_or_default(),
        None => Bytes::new(),
    };
    if body.is_end_stream() {
        return Ok(first);
    }
    Ok([first, body.collect().await?.to_bytes()].concat().into())
}

/// `None` where it is no sync that can be read. What is answered at once is there at once.
fn hear<'a>(
    app: &'a Arc<App>,
    by: KeyHolder,
    text: &[u8],
    has_room: Answer<Room>,
    headers: &HeaderMap,
) -> Option<Either<Ready<Told>, BoxFuture<'a, Told>>> {
    let at_once = |told| Some(Either::Left(ready(told)));
    let print = app.fleet.print(text);
    let known = print.filter(|_| has_room.is_ok());
    if let Some(told) = known.and_then(|print| sync::answer_again(app, by, print, headers)) {
        return at_once(told);
    }
    let said = read(text)?;
    match has_room {
        Ok(_) => Some(sync::answer(app, by, said, print, headers)),
        Err(full) => at_once(Err(full)),
    }
}

fn read(bytes: &[u8]) -> Option<Arc<SyncRequest>> {
    // A list would be taken for the fields in their order.
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let said = serde_json::from_slice(bytes).ok().filter(|_| is_object)?;
    said::checked(said).ok().map(Arc::new)
}

fn json(text: Vec<u8>) -> Answered {
    let mut answered = Response::new(http_body_util::Either::Left(Full::from(text)));
    answered.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answered
}

fn problem(error: ApiError) -> Answered {
    error.into_response().map(http_body_util::Either::Right)
}
