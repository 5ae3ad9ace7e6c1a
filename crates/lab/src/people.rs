//! A small client of the control plane's API for people.

use std::path::Path;
use std::time::Duration;

use novacula_protocol::people::{
    Executor, ExecutorKeyRequest, IssuedSecret, Page, Release, ReleasePatch, ReleaseStatus, Upgrade,
    UpgradeRequest,
};
use novacula_protocol::problem::{ErrorBody, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkout;
use crate::signing::Signer;
use crate::wait::{poll, wait_for};

const CALL_LIMIT: Duration = Duration::from_secs(20);
const ONLINE_LIMIT: Duration = Duration::from_secs(30);

/// Somebody with a token.
#[derive(Clone)]
pub struct Person {
    url: String,
    token: String,
    http: ureq::Agent,
}

impl Person {
    /// Talks to the control plane at `url` with this token.
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(CALL_LIMIT))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Self { url: url.to_owned(), token: token.to_owned(), http: config.into() }
    }

    /// Their token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Signs a file as this version of the agent with the trusted key, uploads and publishes it.
    pub fn publish(&self, version: &str, file: &Path) -> Release {
        self.publish_signed(version, file, &Signer::trusted().sign_agent(file, version))
    }

    /// Uploads a file with any signature as this version of the agent, and publishes it.
    ///
    /// # Panics
    /// When the control plane does not take it.
    pub fn publish_signed(&self, version: &str, file: &Path, signature: &str) -> Release {
        let fields = [
            ("kind", "agent"),
            ("version", version),
            ("channel", "stable"),
            ("notes", "from the laboratory"),
        ];
        let draft = self.upload(&fields, file, signature);
        let draft = draft.unwrap_or_else(|problem| panic!("{version} is taken: {}", problem.message));
        let publish = ReleasePatch { status: Some(ReleaseStatus::Published), ..ReleasePatch::default() };
        self.patch(&format!("releases/{}", draft.id), &publish)
    }

    /// The executor of this name, once the control plane has heard of it.
    #[must_use]
    pub fn executor(&self, name: &str) -> Option<Executor> {
        let page: Page<Executor> = self.get("executors?limit=200");
        let id = page.items.into_iter().find(|executor| executor.name == name)?.id;
        Some(self.get(&format!("executors/{id}")))
    }

    /// Waits until the executor of this name runs this version and syncs.
    ///
    /// # Panics
    /// When it does not in half a minute.
    #[track_caller]
    pub fn wait_for_version(&self, name: &str, version: &str) -> Executor {
        wait_for(&format!("{name} syncs as {version}"), ONLINE_LIMIT, || {
            self.executor(name).filter(|executor| executor.current_version.to_string() == version)
        })
    }

    /// Orders an upgrade, or a downgrade.
    ///
    /// # Panics
    /// When the control plane refuses.
    #[track_caller]
    pub fn request_upgrade(&self, executor: &Executor, version: &str, health_window: Duration) -> Upgrade {
        let version = version.parse().expect("a test names versions like 1.2.3");
        let window_ms = u64::try_from(health_window.as_millis()).expect("a window is short");
        let request = UpgradeRequest { health_window_ms: Some(window_ms), ..UpgradeRequest::to(version) };
        self.post(&format!("executors/{}/upgrade", executor.id), &request)
    }

    /// An upgrade, with its log.
    #[must_use]
    pub fn upgrade(&self, id: &str) -> Upgrade {
        self.get(&format!("upgrades/{id}"))
    }

    /// Waits until an upgrade has ended; `None` when it does not in time.
    #[must_use]
    pub fn wait_for_end(&self, id: &str, limit: Duration) -> Option<Upgrade> {
        poll(limit, || Some(self.upgrade(id)).filter(|upgrade| upgrade.stage.is_end()))
    }

    /// A key for the executor of this name.
    #[must_use]
    pub fn executor_key(&self, name: &str) -> String {
        let wanted = ExecutorKeyRequest { name: Some(name.to_owned()), expires_at: None };
        self.post::<IssuedSecret>("executor-keys", &wanted).secret
    }

    /// `GET /api/v1/{path}`, which must succeed.
    #[track_caller]
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.http.get(self.address(path)).header("authorization", self.bearer()).call();
        must(path, read(answer))
    }

    /// `POST /api/v1/{path}`, which must succeed.
    #[track_caller]
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> T {
        must(path, self.try_post(path, body))
    }

    /// `POST /api/v1/{path}`, which may be refused.
    ///
    /// # Errors
    /// What the control plane has against it.
    pub fn try_post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Problem> {
        read(self.with_json(self.http.post(self.address(path)), body))
    }

    /// `PATCH /api/v1/{path}`, which must succeed.
    #[track_caller]
    pub fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> T {
        must(path, read(self.with_json(self.http.patch(self.address(path)), body)))
    }

    fn with_json(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: &impl Serialize,
    ) -> Answer {
        let body = serde_json::to_vec(body).expect("a request can be written as JSON");
        request
            .header("authorization", self.bearer())
            .header("content-type", "application/json")
            .send(&body[..])
    }

    /// `POST /releases`, as a browser's form would.
    ///
    /// # Errors
    /// What the control plane has against it.
    pub fn upload(&self, fields: &[(&str, &str)], file: &Path, signature: &str) -> Result<Release, Problem> {
        let boundary = checkout::unique("boundary");
        let mut body = Vec::new();
        let texts = fields.iter().copied().chain([("signature", signature)]);
        for (name, text) in texts {
            body.extend_from_slice(
                format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
                    .as_bytes(),
            );
        }
        body.extend_from_slice(
            format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"artifact\"; filename=\"artifact\"\r\n\
                 content-type: application/octet-stream\r\n\r\n"
            )
            .as_bytes(),
        );
        body.extend(std::fs::read(file).unwrap_or_else(|e| panic!("{} can be read: {e}", file.display())));
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let request = self
            .http
            .post(self.address("releases"))
            .header("authorization", self.bearer())
            .header("content-type", format!("multipart/form-data; boundary={boundary}"));
        read(request.send(&body[..]))
    }

    fn address(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.url)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn read<T: DeserializeOwned>(answer: Answer) -> Result<T, Problem> {
    let mut answer = answer.unwrap_or_else(|e| panic!("the control plane answers: {e}"));
    let body = answer.body_mut().read_to_string().expect("the answer can be read");
    if answer.status().is_success() {
        return Ok(
            serde_json::from_str(&body).unwrap_or_else(|e| panic!("the answer is as agreed: {e}\n{body}"))
        );
    }
    let refused: ErrorBody = serde_json::from_str(&body)
        .unwrap_or_else(|e| panic!("an error is as agreed: {} {e}\n{body}", answer.status()));
    Err(refused.error)
}

#[track_caller]
fn must<T>(path: &str, answer: Result<T, Problem>) -> T {
    answer.unwrap_or_else(|problem| panic!("/api/v1/{path} succeeds: {}: {}", problem.code, problem.message))
}
