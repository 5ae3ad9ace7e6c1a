//! Every URL, in one table.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use crate::api::{
    activity, artifacts, enroll, enrolment_tokens, executor_keys, executors, explain, four_eyes, health,
    preflight, releases, request_upgrade, steer, sync, upgrades, upload,
};
use crate::app::App;
use crate::clock::Clock;
use crate::hear_out::hear_out;
use crate::metrics;
use crate::problem::ApiError;

/// A sync with 200 long log lines fits; nothing else is larger but artifacts, which have a limit of their own.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

pub(crate) fn router(app: Arc<App>) -> Router {
    let clock = app.clock.clone();
    let api = Router::new()
        // Executors
        .route(
            "/syncExecutor",
            post(sync::sync).layer(from_fn_with_state(Arc::clone(&app), metrics::time_sync)),
        )
        .route("/enroll", post(enroll::enroll))
        .route("/artifacts/{sha256}", get(artifacts::fetch))
        // People: who may sync
        .route("/executor-keys", get(executor_keys::list).post(executor_keys::create))
        .route("/executor-keys/{id}", delete(executor_keys::revoke))
        .route("/enrolment-tokens", get(enrolment_tokens::list).post(enrolment_tokens::create))
        .route("/enrolment-tokens/{id}", delete(enrolment_tokens::revoke))
        // People: the catalogue
        .route(
            "/releases",
            get(releases::list)
                .merge(post(upload::upload).layer(DefaultBodyLimit::disable()).layer(from_fn(hear_out))),
        )
        .route("/releases/{id}", get(releases::show).patch(releases::patch))
        // People: the fleet
        .route("/executors", get(executors::list))
        .route("/executors/{id}", get(executors::show).delete(executors::delete))
        .route("/executors/{id}/explain", get(explain::show))
        .route("/executors/{id}/preflight", get(preflight::show).post(preflight::ask))
        .route("/executors/{id}/preflight/checks/{check}", post(preflight::ask_for_one))
        .route("/executors/{id}/upgrade", post(request_upgrade::request))
        .route("/upgrades", get(upgrades::list))
        .route("/upgrades/{id}", get(upgrades::show).patch(steer::reschedule))
        .route("/upgrades/{id}/start", post(steer::start))
        .route("/upgrades/{id}/validate", post(steer::validate))
        .route("/upgrades/{id}/approve", post(steer::approve))
        .route("/upgrades/{id}/pause", post(steer::pause))
        .route("/upgrades/{id}/continue", post(steer::go_on))
        .route("/upgrades/{id}/retry", post(steer::retry))
        .route("/upgrades/{id}/rollback", post(steer::roll_back))
        .route("/upgrades/{id}/abandon", post(steer::abandon))
        .route("/upgrades/{id}/complete", post(steer::complete))
        .route("/four-eyes", get(four_eyes::show).put(four_eyes::set))
        // People: who did what
        .route("/activity", get(activity::list))
        .route("/activity/verify", get(activity::verify));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(|_| ApiError::internal("a request ended in a panic").into_response()))
        .layer(from_fn_with_state(Arc::clone(&app), metrics::count_denied))
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

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use crate::in_process::ControlPlane;

    const NOBODY: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";

    #[tokio::test]
    async fn what_is_not_there_is_404_and_a_wrong_method_405() {
        let control_plane = ControlPlane::start().await;
        for path in ["/", "/api/v1", "/api/v2/releases", "/api/v1/releases/", "/.env"] {
            assert_eq!(control_plane.get(path).await.problem(), (404, "not_found".to_owned()), "{path}");
        }
        for (method, path) in [
            (Method::GET, "/api/v1/syncExecutor"),
            (Method::PUT, "/api/v1/releases"),
            (Method::POST, "/healthz"),
            (Method::DELETE, "/api/v1/upgrades/x"),
        ] {
            let refused = control_plane.call(method, path, "", "").await;
            assert_eq!(refused.problem(), (405, "method_not_allowed".to_owned()), "{path}");
        }
        assert_eq!(control_plane.get("/healthz").await.bytes, b"ok\n");
        assert_eq!(control_plane.get("/readyz").await.bytes, b"ready\n");
    }

    #[tokio::test]
    async fn an_unknown_id_is_not_found_whatever_it_looks_like() {
        let control_plane = ControlPlane::start().await;
        for collection in ["releases", "executors", "upgrades"] {
            for id in [NOBODY, "1", "'%20OR%201=1"] {
                let path = format!("/api/v1/{collection}/{id}");
                assert_eq!(control_plane.get(&path).await.problem(), (404, "not_found".to_owned()), "{path}");
            }
        }
        for collection in ["executors", "executor-keys", "enrolment-tokens"] {
            let path = format!("/api/v1/{collection}/{NOBODY}");
            assert_eq!(control_plane.delete(&path).await.problem(), (404, "not_found".to_owned()), "{path}");
        }
        let path = format!("/api/v1/releases/{NOBODY}");
        let patched = control_plane.patch(&path, serde_json::json!({"status": "published"})).await;
        assert_eq!(patched.problem(), (404, "not_found".to_owned()));
        assert_eq!(control_plane.request(NOBODY, "1.0.0").await.problem(), (404, "not_found".to_owned()));
    }

    #[tokio::test]
    async fn a_persons_call_with_anything_but_a_persons_token_is_unauthenticated() {
        let control_plane = ControlPlane::start().await;
        let key = control_plane.key().await;
        let id = NOBODY;
        for (method, path) in [
            (Method::GET, "/api/v1/executor-keys".to_owned()),
            (Method::POST, "/api/v1/executor-keys".to_owned()),
            (Method::DELETE, format!("/api/v1/executor-keys/{id}")),
            (Method::GET, "/api/v1/enrolment-tokens".to_owned()),
            (Method::POST, "/api/v1/enrolment-tokens".to_owned()),
            (Method::DELETE, format!("/api/v1/enrolment-tokens/{id}")),
            (Method::GET, "/api/v1/releases".to_owned()),
            (Method::POST, "/api/v1/releases".to_owned()),
            (Method::GET, format!("/api/v1/releases/{id}")),
            (Method::PATCH, format!("/api/v1/releases/{id}")),
            (Method::GET, "/api/v1/executors".to_owned()),
            (Method::GET, format!("/api/v1/executors/{id}")),
            (Method::DELETE, format!("/api/v1/executors/{id}")),
            (Method::GET, format!("/api/v1/executors/{id}/explain")),
            (Method::GET, format!("/api/v1/executors/{id}/preflight")),
            (Method::POST, format!("/api/v1/executors/{id}/preflight")),
            (Method::POST, format!("/api/v1/executors/{id}/preflight/checks/clock")),
            (Method::POST, format!("/api/v1/executors/{id}/upgrade")),
            (Method::GET, "/api/v1/upgrades".to_owned()),
            (Method::GET, format!("/api/v1/upgrades/{id}")),
            (Method::GET, "/api/v1/activity".to_owned()),
            (Method::GET, "/api/v1/activity/verify".to_owned()),
        ] {
            for bearer in [key.as_str(), "nvu_unknown", "nve_unknown", ""] {
                let refused = control_plane.call(method.clone(), &path, bearer, "{}").await;
                assert_eq!(
                    refused.problem(),
                    (401, "invalid_api_key".to_owned()),
                    "{method} {path} {bearer}"
                );
            }
        }
    }

    #[tokio::test]
    async fn every_answer_names_its_request() {
        let control_plane = ControlPlane::start().await;
        assert!(!control_plane.get("/nowhere").await.header("x-request-id").is_empty());
        assert_eq!(control_plane.get("/healthz").await.header("x-content-type-options"), "nosniff");
    }
}
