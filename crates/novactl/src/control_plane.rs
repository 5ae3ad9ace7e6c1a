//! The only home of network: calls of the control plane's API for people.

mod follow;

use std::io::{ErrorKind, Read};
use std::time::Duration;

use indicatif::ProgressBar;
use novacula_protocol::people::Page;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::Method;
use ureq::http::header;
use ureq::tls::TlsConfig;
use ureq::{Agent, SendBody};

use crate::answer::Answer;
use crate::connection::Connection;
use crate::ending::{Ending, Failure};
use crate::form::Form;

/// No answer of the API comes near this.
const MAX_ANSWER_BYTES: u64 = 32 * 1024 * 1024;
const USER_AGENT: &str = concat!("novactl/", env!("CARGO_PKG_VERSION"));

/// The client.
pub struct ControlPlane {
    http: Agent,
    connection: Connection,
}

impl ControlPlane {
    /// A client that has not connected yet.
    #[expect(clippy::disallowed_methods, reason = "the only home of network")]
    pub fn new(connection: Connection) -> Self {
        let http = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect is told, not followed: the token is for this origin only.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_per_write(Some(Duration::from_secs(60)))
            .timeout_recv_response(Some(Duration::from_secs(120)))
            .timeout_recv_body(Some(Duration::from_secs(60)))
            .tls_config(TlsConfig::builder().root_certs(connection.roots.clone()).build())
            .user_agent(USER_AGENT)
            // Only a simulation has so many calls under way.
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .build()
            .new_agent();
        Self { http, connection }
    }

    /// The same control plane and connections with another token.
    pub fn in_the_name_of(&self, token: &str) -> Self {
        let Connection { url, roots, .. } = &self.connection;
        let connection = Connection { url: url.clone(), token: token.to_owned(), roots: roots.clone() };
        Self { http: self.http.clone(), connection }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.connection.url
    }

    /// Reads one thing.
    pub fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Failure> {
        let mut request = self.http.get(self.address(path)).header(header::AUTHORIZATION, self.bearer());
        for (name, value) in query {
            request = request.query(name, value);
        }
        let answer = self.read(request.call())?;
        answer.value(&format!("GET {path}"), self.url())
    }

    /// Reads every page of a list.
    pub fn all<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<T>, Failure> {
        Ok(self.first(path, query, usize::MAX)?.0)
    }

    /// Reads a list up to so many rows, and whether there are more.
    pub fn first<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        most: usize,
    ) -> Result<(Vec<T>, bool), Failure> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut asked = query.to_vec();
            if let Some(cursor) = &cursor {
                asked.push(("cursor", cursor));
            }
            let page: Page<T> = self.get(path, &asked)?;
            items.extend(page.items);
            if items.len() > most || items.len() == most && page.next_cursor.is_some() {
                items.truncate(most);
                return Ok((items, true));
            }
            match page.next_cursor {
                None => return Ok((items, false)),
                Some(next) if cursor.as_ref() == Some(&next) => {
                    return Err(Failure::new(
                        Ending::Failed,
                        "answer_unreadable",
                        format!("{} answers GET {path} with the same page for ever", self.url()),
                    ));
                }
                Some(next) => cursor = Some(next),
            }
        }
    }

    /// Asks for something to be made or done.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.send(&Method::POST, path, body)
    }

    /// Sends a text as it is, for example a document; the value comes with the status of the answer.
    pub fn post_text<T: DeserializeOwned>(
        &self,
        path: &str,
        content_type: &str,
        text: &[u8],
    ) -> Result<(u16, T), Failure> {
        let request = self.http.post(self.address(path)).header(header::AUTHORIZATION, self.bearer());
        let answer = self.read(request.header(header::CONTENT_TYPE, content_type).send(text))?;
        Ok((answer.status, answer.value(&format!("POST {path}"), self.url())?))
    }

    /// Asks for something to be changed.
    pub fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.send(&Method::PATCH, path, body)
    }

    /// Asks for something to be as it is sent.
    pub fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.send(&Method::PUT, path, body)
    }

    /// Asks for something to be removed.
    pub fn delete(&self, path: &str) -> Result<(), Failure> {
        self.delete_because(path, None)
    }

    /// Asks for something to be removed, and may say why.
    pub fn delete_because(&self, path: &str, reason: Option<&str>) -> Result<(), Failure> {
        let mut request = self.http.delete(self.address(path)).header(header::AUTHORIZATION, self.bearer());
        if let Some(reason) = reason {
            request = request.query("reason", reason);
        }
        self.read(request.call())?.nothing(&format!("DELETE {path}"), self.url())
    }

    /// Sends a form; its file streams from disk as the field `artifact`.
    pub fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        form: Form<'_>,
        bar: &ProgressBar,
    ) -> Result<T, Failure> {
        let content_type = form.content_type();
        let (mut stream, length) = form.stream("artifact", bar).map_err(|e| {
            Failure::new(
                Ending::Failed,
                "artifact_unreadable",
                format!("the artifact cannot be read again ({e})"),
            )
        })?;
        let request = self
            .http
            .post(self.address(path))
            .header(header::AUTHORIZATION, self.bearer())
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CONTENT_LENGTH, length)
            // A control plane that refuses says so before the bytes are sent.
            .header(header::EXPECT, "100-continue");
        let sent = request.send(SendBody::from_reader(&mut stream)).map_err(|e| match e {
            ureq::Error::Io(e) if matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                self.upload_cut_off(&e)
            }
            e => self.unreachable(&e.to_string()),
        })?;
        let answer = self.read(Ok(sent))?;
        answer.value(&format!("POST {path}"), self.url())
    }

    fn send<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let call = format!("{method} {path}");
        let text = serde_json::to_vec(body)
            .map_err(|e| Failure::new(Ending::Failed, "failed", format!("{call} cannot be written ({e})")))?;
        let address = self.address(path);
        let request = match *method {
            Method::PATCH => self.http.patch(address),
            Method::PUT => self.http.put(address),
            _ => self.http.post(address),
        };
        let sent = request
            .header(header::AUTHORIZATION, self.bearer())
            .header(header::CONTENT_TYPE, "application/json")
            .send(text.as_slice());
        self.read(sent)?.value(&call, self.url())
    }

    fn address(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.connection.url)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.connection.token)
    }

    fn read(
        &self,
        answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, Failure> {
        let mut response = answered.map_err(|e| self.unreachable(&e.to_string()))?;
        let location =
            response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        response
            .body_mut()
            .as_reader()
            .take(MAX_ANSWER_BYTES)
            .read_to_end(&mut body)
            .map_err(|e| self.unreachable(&e.to_string()))?;
        Ok(Answer { status: response.status().as_u16(), body, location })
    }

    /// Who hangs up in the middle of an upload has seen enough of it, but its answer is lost.
    fn upload_cut_off(&self, found: &std::io::Error) -> Failure {
        Failure::new(
            Ending::Failed,
            "upload_cut_off",
            format!(
                "{} must take the artifact whole, it hung up before the end ({found}): the artifact may be larger than \
                 it, or a proxy on the way, takes; its log says more",
                self.url()
            ),
        )
    }

    fn unreachable(&self, found: &str) -> Failure {
        let url = self.url();
        Failure::new(
            Ending::Failed,
            "unreachable",
            format!(
                "the control plane at {url} must answer, it cannot be reached ({found}): check that it runs, \
                 and --url or NOVACULA_URL"
            ),
        )
        .passing()
    }
}
