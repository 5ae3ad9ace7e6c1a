//! `GET /healthz`: the process answers. `GET /readyz`: its store can be written. `GET /metrics`: how it goes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::app::App;
use crate::problem::Answer;

/// Executors on trial ask this to learn whose fault a missing sync is.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Answer<&'static str> {
    app.store.ping().await?;
    Ok("ready\n")
}

/// The text format of Prometheus. Open to everybody like its neighbours, so it holds numbers only.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Answer<impl IntoResponse> {
    let text = app.measured().await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
