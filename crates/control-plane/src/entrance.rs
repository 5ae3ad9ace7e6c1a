//! The way in. A sync that can be read, by an executor that is known, is answered here: nearly every request is one, and
//! what stands around the routes would cost more than the answer. Everything else goes to the routes, also a sync that
//! is about to be refused, or that would rather wait: they say why, and wait.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http_body::Body as _;
use novacula_protocol::sync::{SYNC_PATH, SyncRequest};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tower::Service;

use crate::api::sync;
use crate::app::App;
use crate::auth;
use crate::clock::Stopwatch;
use crate::long_poll;
use crate::pace::Room;
use crate::problem::ApiError;
use crate::request_log;
use crate::said;

/// Whatever is longer has much to tell, and is not in a hurry.
const MOST_BYTES: u64 = 64 * 1024;

/// What a connection is served by.
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

    /// However long it takes, nobody who syncs waits behind it; it ends when nobody waits for it any more. A body is read
    /// by the thread that reads its connection: of uploads that another thread read some broke off in the middle.
    async fn elsewhere(mut self, request: Request) -> Result<Response, Infallible> {
        if !request.body().is_end_stream() {
            return self.routes.call(request).await;
        }
        let answered = AbortOnDropHandle::new(self.pool.spawn(self.routes.call(request))).await;
        answered.unwrap_or_else(|e| Ok(ApiError::internal(e).into_response()))
    }
}

impl Service<Request> for Entrance {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let request = match is_short_sync(&request) {
                true => match answer(&this.app, request).await {
                    Ok(response) => return Ok(response),
                    Err(request) => request,
                },
                false => request,
            };
            this.elsewhere(request).await
        })
    }
}

fn is_short_sync(request: &Request) -> bool {
    request.method() == Method::POST
        && request.uri().path() == SYNC_PATH
        && request.uri().query().is_none()
        && !long_poll::is_preferred(request.headers())
        && request.body().size_hint().upper().is_some_and(|most| most <= MOST_BYTES)
}

/// The answer to a sync; the request itself, as it came, where that is for the routes.
async fn answer(app: &Arc<App>, request: Request) -> Result<Response, Request> {
    let stopwatch = Stopwatch::start();
    let (parts, body) = request.into_parts();
    let Some(by) = auth::known_executor(&parts.headers, app) else {
        return Err(Request::from_parts(parts, body));
    };
    let has_room = Room::of(app, Some(&by));
    // Whoever breaks off in the middle hears no answer anyway.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Some(said) = read(&bytes) else { return Err(Request::from_parts(parts, Body::from(bytes))) };

    let under_way = app.pace.under_way();
    let answer = match has_room {
        Ok(_) => AssertUnwindSafe(sync::answer(app, by, said, &parts.headers)).catch_unwind().await,
        Err(full) => Ok(Err(full)),
    };
    let id = request_log::new_id(app);
    let mut response = match answer {
        Ok(Ok(answer)) => {
            let mut text = Vec::with_capacity(256);
            match serde_json::to_writer(&mut text, &answer) {
                Ok(()) => json(text),
                Err(e) => ApiError::internal(e).into_response(),
            }
        }
        Ok(Err(refused)) => refused.into_response(),
        Err(_) => ApiError::internal("a sync ended in a panic").into_response(),
    };
    let took = stopwatch.elapsed();
    drop(under_way);
    app.pace.took(took);
    app.metrics.synced(Some(took), response.status().is_success());
    app.metrics.count_problem(&response);
    request_log::tell_of_sync(app, by, response.status(), took, id);
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(request_log::REQUEST_ID, request_log::as_header(id));
    #[cfg(test)]
    response.extensions_mut().insert(auth::OperationId("syncExecutor"));
    Ok(response)
}

fn read(bytes: &[u8]) -> Option<SyncRequest> {
    // A list would be taken for the fields in their order.
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let said = serde_json::from_slice(bytes).ok().filter(|_| is_object)?;
    said::checked(said).ok()
}

fn json(text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
