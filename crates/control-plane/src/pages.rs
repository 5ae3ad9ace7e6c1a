//! The console: what people see in a browser. One file a page, each a guest of the public API: it asks the same routes
//! with the visitor's own cookie, so that rights, refusals and the activity are the same for a browser and a program.
//!
//! To add a page, write a row into `routes()` of its file, and its template into `templates/`; `sample.rs` renders every
//! page in a test.

pub(crate) mod accounts;
pub(crate) mod action;
pub(crate) mod activity;
pub(crate) mod assets;
pub(crate) mod executors;
pub(crate) mod form;
pub(crate) mod guest;
pub(crate) mod keys;
pub(crate) mod layout;
pub(crate) mod live;
pub(crate) mod myself;
pub(crate) mod overview;
pub(crate) mod people;
pub(crate) mod picture;
pub(crate) mod plans;
pub(crate) mod refused;
pub(crate) mod releases;
pub(crate) mod rules;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod sign_in;
pub(crate) mod upgrades;
pub(crate) mod visitor;
pub(crate) mod webhooks;
pub(crate) mod windows;
pub(crate) mod words;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::routing::MethodRouter;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;

/// What every page can reach.
#[derive(Clone)]
pub(crate) struct Console {
    pub app: Arc<App>,
    /// The public API, as a browser or a program finds it.
    api: Router,
    /// The pages themselves, for who follows one.
    pages: Arc<OnceLock<Router>>,
}

/// A path and what is done there.
pub(crate) type Row = (&'static str, MethodRouter<Console>);

/// Nothing is fetched but our own; nothing in a page is a script or a style.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

pub(crate) fn router(app: Arc<App>, api: Router, rows: Vec<Row>) -> Router {
    let console = Console { app, api, pages: Arc::default() };
    let pages = rows.into_iter().fold(Router::new(), |router, (path, handler)| router.route(path, handler));
    let pages = HEADERS.into_iter().fold(pages, |pages, (name, value)| {
        pages.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)))
    });
    let pages: Router = pages.with_state(console.clone());
    // Set once, here: nobody else has seen it.
    let _ = console.pages.set(pages.clone());
    pages
}
