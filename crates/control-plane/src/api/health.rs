//! `GET /healthz`: the process answers. `GET /readyz`: so does its store.

use std::sync::Arc;

use axum::extract::State;

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
