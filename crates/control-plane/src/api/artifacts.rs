//! `GET /api/v1/artifacts/{sha256}`: the bytes, whole or in part, as they are read; or where to fetch them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use novacula_protocol::people::ReleaseStatus;

use crate::app::App;
use crate::artifacts::Trouble;
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
    // Executors follow redirects, and show their key to us alone; people's programs need not.
    if fetcher.least == ReleaseStatus::Published
        && method == Method::GET
        && let Some(url) = app.artifacts.signed_url(&sha256).await?
    {
        let headers = [(header::LOCATION, url), (header::CACHE_CONTROL, "no-store".to_owned())];
        return Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response());
    }
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
    let body = app.artifacts.read(&sha256, first, length, size).await.map_err(|e| match e {
        Trouble::Disk(e) => {
            ApiError::internal(format!("the artifact {sha256} is in the catalogue but cannot be read: {e}"))
        }
        e => e.into(),
    })?;
    Ok((status, headers, body).into_response())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Method, Request};

    use crate::in_process::{Answered, ControlPlane};

    async fn fetch(
        control_plane: &ControlPlane,
        method: Method,
        path: &str,
        bearer: &str,
        headers: &[(&str, &str)],
    ) -> Answered {
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {bearer}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        control_plane.send(request.body(Body::empty()).unwrap()).await
    }

    #[tokio::test]
    async fn an_artifact_is_fetched_whole_or_in_part() {
        let control_plane = ControlPlane::start().await;
        let release = control_plane.publish("1.2.3").await;
        let sha256 = release["artifacts"][0]["sha256"].as_str().unwrap();
        let (path, key) = (format!("/api/v1/artifacts/{sha256}"), control_plane.key().await);
        let etag = format!("\"{sha256}\"");
        for (sentence, headers, status, body, content_range) in [
            ("whole", vec![], 200, "1.2.3", ""),
            ("from the middle", vec![("range", "bytes=2-")], 206, "2.3", "bytes 2-4/5"),
            ("one byte", vec![("range", "bytes=0-0")], 206, "1", "bytes 0-0/5"),
            ("the end", vec![("range", "bytes=-1")], 206, "3", "bytes 4-4/5"),
            ("the same bytes", vec![("range", "bytes=2-"), ("if-range", &etag)], 206, "2.3", "bytes 2-4/5"),
            ("other bytes", vec![("range", "bytes=2-"), ("if-range", "\"x\"")], 200, "1.2.3", ""),
            ("two ranges", vec![("range", "bytes=0-0,2-2")], 200, "1.2.3", ""),
        ] {
            let answer = fetch(&control_plane, Method::GET, &path, &key, &headers).await;
            assert_eq!(answer.status.as_u16(), status, "{sentence}");
            assert_eq!(answer.bytes, body.as_bytes(), "{sentence}");
            assert_eq!(answer.header("content-range"), content_range, "{sentence}");
            assert_eq!(answer.header("content-length"), body.len().to_string(), "{sentence}");
            assert_eq!((answer.header("etag"), answer.header("accept-ranges")), (etag.as_str(), "bytes"));
        }
        let behind = fetch(&control_plane, Method::GET, &path, &key, &[("range", "bytes=5-")]).await;
        assert_eq!(behind.problem(), (416, "range_not_satisfiable".to_owned()));
        assert_eq!(behind.header("content-range"), "bytes */5");
        let head = fetch(&control_plane, Method::HEAD, &path, &key, &[("range", "bytes=2-")]).await;
        assert_eq!((head.status.as_u16(), head.header("content-length"), head.bytes.len()), (200, "5", 0));
    }

    #[tokio::test]
    async fn an_artifact_is_for_executors_once_it_is_published_and_for_nobody_without_a_key() {
        let control_plane = ControlPlane::start().await;
        let draft = control_plane.draft("1.0.0", b"draft").await;
        let path = format!("/api/v1/artifacts/{}", draft["artifacts"][0]["sha256"].as_str().unwrap());
        let key = control_plane.key().await;
        assert_eq!(control_plane.get(&path).await.bytes, b"draft");
        let hidden = fetch(&control_plane, Method::GET, &path, &key, &[]).await;
        assert_eq!(hidden.problem(), (404, "not_found".to_owned()));
        for bearer in ["", "nva_x", "nvu_x", "nve_x"] {
            let refused = fetch(&control_plane, Method::GET, &path, bearer, &[]).await;
            assert_eq!(refused.problem(), (401, "invalid_api_key".to_owned()), "{bearer}");
        }
        for name in ["..%2f..%2fnovacula.sqlite", "%00", &"0".repeat(64), ".upload-x"] {
            let refused =
                fetch(&control_plane, Method::GET, &format!("/api/v1/artifacts/{name}"), &key, &[]).await;
            assert_eq!(refused.problem(), (404, "not_found".to_owned()), "{name}");
        }
    }
}
