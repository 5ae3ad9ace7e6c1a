//! A refused upload is heard out: a client that sends all its bytes before it reads would otherwise find a closed
//! connection instead of the reason.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;

/// What is more than this, or takes longer, is cut off after all.
const MOST_BYTES: usize = 64 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(10);

pub(crate) async fn hear_out(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = Lent(Arc::new(Mutex::new(body)));
    let rest = body.clone();
    let response = next.run(Request::from_parts(parts, Body::new(body))).await;
    if !response.status().is_success() {
        let _ = tokio::time::timeout(LONGEST, drain(rest)).await;
    }
    response
}

async fn drain(mut rest: Lent) {
    let mut heard = 0;
    while let Some(Ok(frame)) = rest.frame().await {
        heard += frame.data_ref().map_or(0, Bytes::len);
        if heard > MOST_BYTES {
            return;
        }
    }
}

/// A body that comes back when its reader has had enough.
#[derive(Clone)]
struct Lent(Arc<Mutex<Body>>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }
}
