//! How a page asks the public API: inside the process, with what the browser sent to say who it is.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, Method, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use novacula_protocol::problem::{ErrorBody, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

use super::Console;
use super::refused::Refused;
use crate::auth::Unattended;
use crate::door::Peer;
use crate::request_log;
use crate::session::CSRF_HEADER;

/// What says who asks and from where.
const CARRIED: [HeaderName; 6] = [
    header::COOKIE,
    header::AUTHORIZATION,
    header::HOST,
    header::ORIGIN,
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("x-forwarded-for"),
];

/// A browser as the API sees it.
#[derive(Clone)]
pub(crate) struct Guest {
    api: Router,
    headers: HeaderMap,
    extensions: Extensions,
    /// The page it asked for, to come back to.
    asked: String,
}

impl Guest {
    pub(crate) fn of(parts: &Parts, console: &Console) -> Self {
        let mut headers = HeaderMap::new();
        for name in CARRIED {
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let mut extensions = Extensions::new();
        if let Some(peer) = parts.extensions.get::<ConnectInfo<Peer>>() {
            extensions.insert(*peer);
        }
        if let Some(unattended) = parts.extensions.get::<Unattended>() {
            extensions.insert(*unattended);
        }
        request_log::carry(&parts.extensions, &mut extensions);
        let asked = match parts.method {
            Method::GET => parts.uri.path_and_query().map_or("/", |asked| asked.as_str()),
            _ => "/",
        };
        Self { api: console.api.clone(), headers, extensions, asked: asked.to_owned() }
    }

    /// Asks with the token that shows that the change was asked by a page of ours.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        csrf: Option<&str>,
        extra: HeaderMap,
        body: Body,
    ) -> Result<Response, Refused> {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}")).body(body);
        let mut request = request.map_err(|e| self.failed(format!("`{path}` is no path: {e}")))?;
        request.headers_mut().extend(self.headers.clone());
        request.headers_mut().extend(extra);
        if let Some(token) = csrf.and_then(|token| token.parse().ok()) {
            request.headers_mut().insert(CSRF_HEADER, token);
        }
        *request.extensions_mut() = self.extensions.clone();
        let Ok(response) = self.api.clone().oneshot(request).await;
        if response.status().is_success() || response.status().is_redirection() {
            return Ok(response);
        }
        let status = response.status();
        let problem = serde_json::from_slice::<ErrorBody>(&self.bytes(response).await?);
        let problem =
            problem.map_err(|e| self.failed(format!("the API refused in another form: {e}")))?.error;
        Err(Refused { status, problem, asked: self.asked.clone() })
    }

    /// What the API says at a path below `/api/v1`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refused> {
        let response = self.send(Method::GET, path, None, HeaderMap::new(), Body::empty()).await?;
        self.read(response).await
    }

    /// Asks for a change with a JSON body.
    pub(crate) async fn change(
        &self,
        method: Method,
        path: &str,
        csrf: Option<&str>,
        body: &impl Serialize,
    ) -> Result<Response, Refused> {
        let body = serde_json::to_vec(body).map_err(|e| self.failed(e.to_string()))?;
        self.send(method, path, csrf, HeaderMap::new(), Body::from(body)).await
    }

    /// The body of an answer.
    pub(crate) async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, Refused> {
        let bytes = self.bytes(response).await?;
        serde_json::from_slice(&bytes).map_err(|e| self.failed(format!("the API answered another form: {e}")))
    }

    async fn bytes(&self, response: Response) -> Result<Vec<u8>, Refused> {
        let body = response.into_body().collect().await.map_err(|e| self.failed(e.to_string()))?;
        Ok(body.to_bytes().to_vec())
    }

    fn failed(&self, cause: impl std::fmt::Display) -> Refused {
        tracing::error!("a page cannot be made: {cause}");
        let problem = Problem {
            code: "internal".to_owned(),
            message: "the control plane failed; its log says why".to_owned(),
            details: serde_json::Map::new(),
        };
        Refused { status: StatusCode::INTERNAL_SERVER_ERROR, problem, asked: self.asked.clone() }
    }
}
