//! `/api/v1/about`: the control plane itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use novacula_protocol::people::About;

use super::sync::base_url;
use crate::app::App;
use crate::problem::Answer;

pub(crate) async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer<Json<About>> {
    Ok(Json(About { version: app.version.clone(), url: base_url(&app.rules, &headers)? }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::in_process::ControlPlane;

    #[tokio::test]
    async fn it_says_where_executors_reach_it() {
        let control_plane = ControlPlane::start().await;
        let about = control_plane.get("/api/v1/about").await.ok();
        assert_eq!(about, json!({"version": "3.0.0", "url": "http://cp.test:3000"}));
    }
}
