//! `GET /api/v1/artifacts/{sha256}`: the bytes, whole or in part, from disk as they are read.

use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::app::App;
use crate::auth::Fetcher;
use crate::problem::{Answer, ApiError};
use crate::range::{self, Wanted};

pub(crate) async fn fetch(
    State(app): State<Arc<App>>,
    fetcher: Fetcher,
    Path(sha256): Path<String>,
    method: Method,
    asked: HeaderMap,
) -> Answer<Response> {
    // The name is checked against the catalogue before it is a path.
    let size = app
        .store
        .artifact_size(fetcher.account_id, sha256.clone(), fetcher.least)
        .await?
        .ok_or_else(|| ApiError::not_found("artifact"))?;
    let etag = format!("\"{sha256}\"");
    let text = |name| asked.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let mut headers = HeaderMap::new();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, etag.clone());
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::CACHE_CONTROL, "private, max-age=31536000, immutable".to_owned());

    // Only GET knows ranges (RFC 9110, section 14.2).
    let range = text(header::RANGE).filter(|_| method == Method::GET);
    let (status, first, length) = match range::wanted(range, text(header::IF_RANGE), &etag, size) {
        Wanted::Whole => (StatusCode::OK, 0, size),
        Wanted::Part { first, last } => {
            set(header::CONTENT_RANGE, format!("bytes {first}-{last}/{size}"));
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
        Wanted::Unsatisfiable => {
            set(header::CONTENT_RANGE, format!("bytes */{size}"));
            let sentence = format!("the range must begin inside the artifact, which has {size} bytes");
            let refused = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", sentence);
            return Ok((headers, refused).into_response());
        }
    };
    set(header::CONTENT_TYPE, "application/octet-stream".to_owned());
    set(header::CONTENT_LENGTH, length.to_string());
    let body = read(&app, &sha256, first, length).await.map_err(|e| {
        ApiError::internal(format!("the artifact {sha256} is in the catalogue but cannot be read: {e}"))
    })?;
    Ok((status, headers, body).into_response())
}

async fn read(app: &App, sha256: &str, first: u64, length: u64) -> std::io::Result<Body> {
    let mut file = tokio::fs::File::open(app.artifacts.path(sha256)).await?;
    file.seek(SeekFrom::Start(first)).await?;
    Ok(Body::from_stream(ReaderStream::with_capacity(file.take(length), 64 * 1024)))
}
