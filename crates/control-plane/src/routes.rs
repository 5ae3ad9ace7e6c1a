//! Every URL, in one table: the router, the check of rights, the served description and the tests are made from it.
//! `operation.rs` says how to add a row.

mod calendar;
mod catalogue;
mod executors;
mod fleet;
mod groups;
mod pages;
mod people;
mod plan_documents;
mod plan_events;
mod plans;
mod running;
mod steering;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;
use crate::auth::{Gate, enforce};
use crate::metrics;
use crate::operation::Operation;
use crate::pages::refused::Refused;
use crate::problem::ApiError;
use crate::request_log::log_request;

/// Of everything but syncs and artifacts, which have limits of their own.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Every operation there is.
pub(crate) fn operations() -> Vec<Operation> {
    let api = [
        executors::operations(),
        people::operations(),
        catalogue::operations(),
        fleet::operations(),
        groups::operations(),
        steering::operations(),
        calendar::operations(),
        plan_documents::operations(),
        plans::operations(),
        plan_events::operations(),
        webhooks::operations(),
        running::operations(),
    ];
    let api = api.into_iter().flatten().map(|row| row.below("/api/v1"));
    api.chain(running::at_the_root()).collect()
}

pub(crate) fn router(app: Arc<App>) -> Router {
    let api = api(&app);
    let pages = crate::pages::router(Arc::clone(&app), api.clone(), pages::rows());
    api.merge(pages).layer(from_fn_with_state(app, log_request))
}

/// The paths of the console.
pub(crate) fn page_paths() -> impl Iterator<Item = String> {
    pages::rows().into_iter().map(|(path, _)| path.to_owned())
}

/// What programs ask; the console's pages ask it too.
fn api(app: &Arc<App>) -> Router {
    operations()
        .into_iter()
        .fold(Router::new(), |router, operation| {
            let gate = Gate {
                app: Arc::clone(app),
                operation: operation.id,
                right: operation.right,
                query: (!operation.takes_any_query).then_some(operation.query),
            };
            let handler = operation.handler.route_layer(from_fn_with_state(Arc::new(gate), enforce));
            router.route(&operation.path, (operation.wrap)(handler, app))
        })
        .fallback(nothing_here)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(|_| ApiError::internal("a request ended in a panic").into_response()))
        .layer(from_fn_with_state(Arc::clone(app), metrics::count_denied))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(Arc::clone(app))
}

/// A program is told so in the API's words, a browser sees a page.
async fn nothing_here(request: Request) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepts.is_some_and(|accept| accept.contains("text/html")) {
        return Refused::no_such_page().into_response();
    }
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path").into_response()
}

async fn no_such_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path does not take this method")
}

#[cfg(test)]
mod matrix;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::body::Body;
    use axum::http::{Method, Request};

    use super::*;
    use crate::in_process::ControlPlane;
    use crate::right::Right;

    const NOBODY: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";

    #[tokio::test]
    async fn what_is_not_there_is_404_and_a_wrong_method_405() {
        let control_plane = ControlPlane::start().await;
        for path in ["/nowhere", "/api/v1", "/api/v2/releases", "/api/v1/releases/", "/.env"] {
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

    /// A path of the operation, with nobody's ids.
    pub(super) fn path_of(operation: &Operation) -> String {
        operation
            .path
            .replace("{check}", "clock")
            .replace("{number}", "1")
            .replace("{sha256}", &"0".repeat(64))
            .replace("{deliveryId}", NOBODY)
            .replace("{id}", NOBODY)
    }

    #[tokio::test]
    async fn a_call_without_the_right_bearer_is_unauthenticated_whatever_it_brings() {
        let control_plane = ControlPlane::start().await;
        let key = control_plane.key().await;
        let owner = control_plane.owner();
        for operation in operations() {
            let strangers = match operation.right {
                Right::Nobody => continue,
                Right::Executor | Right::Enrol => vec![owner, "nva_unknown", "nve_unknown", ""],
                Right::Fetch => vec!["nvu_unknown", "nva_unknown", "nve_unknown", ""],
                _ => vec![key.as_str(), "nvu_unknown", "nve_unknown", ""],
            };
            for bearer in strangers {
                // An enrolment token is held against its uses by the handler, after the body is read.
                if operation.right == Right::Enrol && bearer.starts_with("nve_") {
                    continue;
                }
                // Whoever brings bad secrets all the time is slowed down.
                control_plane.wait_ms(1_000);
                let path = format!("{}?surprise=1", path_of(&operation));
                let refused = control_plane.call(operation.method.clone(), &path, bearer, "no JSON").await;
                assert_eq!(
                    refused.problem(),
                    (401, "invalid_api_key".to_owned()),
                    "{} {bearer}",
                    operation.id
                );
            }
        }
    }

    #[tokio::test]
    async fn a_query_parameter_that_an_operation_does_not_have_is_refused() {
        let control_plane = ControlPlane::start().await;
        let key = control_plane.key().await;
        for operation in operations().into_iter().filter(|operation| !operation.takes_any_query) {
            let bearer = match operation.right {
                Right::Executor => key.as_str(),
                Right::Enrol => "nve_unknown",
                _ => control_plane.owner(),
            };
            let path = format!("{}?surprise=1", path_of(&operation));
            let refused = control_plane.call(operation.method.clone(), &path, bearer, "{}").await;
            assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{}", operation.id);
        }
        let twice = control_plane.get("/api/v1/executors?name=a&name=b").await;
        assert_eq!(twice.problem(), (400, "invalid_request".to_owned()));
        control_plane.get("/api/v1/executors?label=a%3Db&label=c%3Dd").await.ok();
    }

    #[test]
    fn every_operation_says_what_it_is_and_none_stands_twice() {
        let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
        for operation in operations() {
            let id = operation.id;
            assert!(!operation.summary.is_empty() && !operation.summary.ends_with('.'), "{id}");
            assert!(!operation.answers.is_empty(), "{id} answers something");
            assert!(id.bytes().all(|c| c.is_ascii_alphabetic()), "{id}");
            assert!(ids.insert(id), "{id} stands twice");
            assert!(places.insert((operation.method.to_string(), operation.path.clone())), "{id}");
        }
    }

    #[tokio::test]
    async fn every_answer_names_its_request() {
        let control_plane = ControlPlane::start().await;
        assert!(!control_plane.get("/nowhere").await.header("x-request-id").is_empty());
        let claimed = Request::builder().uri("/healthz").header("x-request-id", "mine").body(Body::empty());
        let answer = control_plane.send(claimed.unwrap()).await;
        assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
        assert!(
            answer.header("x-request-id").parse::<uuid::Uuid>().is_ok(),
            "what the caller claims does not count"
        );
        assert_eq!(control_plane.get("/healthz").await.header("x-content-type-options"), "nosniff");
    }
}
