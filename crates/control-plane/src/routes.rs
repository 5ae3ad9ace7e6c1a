//! Every URL, in one table.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use crate::api::{
    artifacts, enroll, enrolment_tokens, executor_keys, executors, health, releases, request_upgrade, sync,
    upgrades, upload,
};
use crate::app::App;
use crate::clock::Clock;
use crate::problem::ApiError;

/// A sync with 200 long log lines fits; nothing else is larger but artifacts, which have a limit of their own.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

pub(crate) fn router(app: Arc<App>) -> Router {
    let clock = app.clock.clone();
    let api = Router::new()
        // Executors
        .route("/syncExecutor", post(sync::sync))
        .route("/enroll", post(enroll::enroll))
        .route("/artifacts/{sha256}", get(artifacts::fetch))
        // People: who may sync
        .route("/executor-keys", get(executor_keys::list).post(executor_keys::create))
        .route("/executor-keys/{id}", delete(executor_keys::revoke))
        .route("/enrolment-tokens", get(enrolment_tokens::list).post(enrolment_tokens::create))
        .route("/enrolment-tokens/{id}", delete(enrolment_tokens::revoke))
        // People: the catalogue
        .route("/releases", get(releases::list).post(upload::upload).layer(DefaultBodyLimit::disable()))
        .route("/releases/{id}", get(releases::show).patch(releases::patch))
        // People: the fleet
        .route("/executors", get(executors::list))
        .route("/executors/{id}", get(executors::show).delete(executors::delete))
        .route("/executors/{id}/upgrade", post(request_upgrade::request))
        .route("/upgrades", get(upgrades::list))
        .route("/upgrades/{id}", get(upgrades::show));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(|_| ApiError::internal("a request ended in a panic").into_response()))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(SetRequestIdLayer::new(REQUEST_ID, OurIds(clock)))
        .with_state(app)
}

async fn no_such_path() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

async fn no_such_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path does not take this method")
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Clone)]
struct OurIds(Clock);

impl MakeRequestId for OurIds {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        HeaderValue::try_from(self.0.new_id().to_string()).ok().map(RequestId::new)
    }
}

/// Method, path and id; no header and no query, because those may carry what must not be logged.
fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", id, method = %request.method(), path = request.uri().path())
}
