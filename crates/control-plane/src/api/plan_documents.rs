//! `/api/v1/fleet/plans/…`: fleet plans before they are applied.

use axum::http::header;
use axum::response::IntoResponse;

use crate::plan_schema;

pub(crate) async fn schema() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], plan_schema::text())
}
