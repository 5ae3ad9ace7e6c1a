//! For tests: a whole control plane without a socket, with a clock that the test moves and keys that it signs with.

pub(crate) mod counted;
pub(crate) mod database;
pub(crate) mod dice;
mod moved;
pub(crate) mod people;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use novacula_protocol::signature::TrustedKeys;
use semver::Version;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::app::{App, Rules};
use crate::artifacts::{Artifacts, Bucket};
use crate::attempts::Attempts;
use crate::calendar::LiveCalendar;
use crate::caller::TrustedProxies;
use crate::clock::Clock;
use crate::entrance::Entrance;
use crate::in_process::database::TestDatabase;
use crate::ledger::remember;
use crate::metrics::Metrics;
use crate::oidc::{Oidc, OidcSettings};
use crate::openapi::documented;
use crate::outgoing::Client;
use crate::outgoing::address::Leave;
use crate::pace::live::LivePace;
use crate::password::Passwords;
use crate::routes;
use crate::secrets::SecretHash;
use crate::store::OwnerToken;
use crate::suspended::Suspended;

pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";
pub(crate) const OWNER: &str = "nvu_the-owner-of-the-test";

#[derive(Clone)]
pub(crate) struct ControlPlane {
    pub app: Arc<App>,
    entrance: Arc<Entrance>,
    now_ms: Arc<AtomicI64>,
    folder: Arc<TempDir>,
    database: Arc<TestDatabase>,
}

pub(crate) struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    /// Status and code of a problem, or an empty code.
    pub(crate) fn problem(&self) -> (u16, String) {
        let code = match self.status.is_success() {
            true => String::new(),
            false => self.json()["error"]["code"].as_str().unwrap().to_owned(),
        };
        (self.status.as_u16(), code)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, String::from_utf8_lossy(&self.bytes));
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }
}

impl ControlPlane {
    pub(crate) async fn start() -> Self {
        Self::anew(1 << 20, None, None).await
    }

    /// With its artifacts in this bucket.
    pub(crate) async fn with_bucket(bucket: Bucket) -> Self {
        Self::anew(64 << 20, None, Some(bucket)).await
    }

    pub(crate) async fn with_max_artifact_bytes(most: u64) -> Self {
        Self::anew(most, None, None).await
    }

    pub(crate) async fn with_oidc(oidc: OidcSettings) -> Self {
        Self::anew(1 << 20, Some(oidc), None).await
    }

    async fn anew(max_artifact_bytes: u64, oidc: Option<OidcSettings>, bucket: Option<Bucket>) -> Self {
        let (folder, now_ms) = (tempfile::tempdir().unwrap(), AtomicI64::new(1_790_000_000_000));
        let database = Arc::new(TestDatabase::new(folder.path()));
        Self::open((Arc::new(folder), database), Arc::new(now_ms), max_artifact_bytes, oidc, bucket).await
    }

    /// On PostgreSQL, whatever the engine of the run is.
    pub(crate) async fn at_a_server() -> Self {
        let (folder, now_ms) = (tempfile::tempdir().unwrap(), AtomicI64::new(1_790_000_000_000));
        let database = Arc::new(TestDatabase::at_a_server());
        Self::open((Arc::new(folder), database), Arc::new(now_ms), 1 << 20, None, None).await
    }

    /// Another one on the same database, with the same folder and clock.
    pub(crate) async fn beside(&self) -> Self {
        let shared = (Arc::clone(&self.folder), Arc::clone(&self.database));
        Self::open(shared, Arc::clone(&self.now_ms), 1 << 20, None, None).await
    }

    /// The same data directory, read by a new process.
    pub(crate) async fn restart(self) -> Self {
        self.app.keep_presence(std::time::Duration::ZERO).await.unwrap();
        Self::open((self.folder, self.database), self.now_ms, 1 << 20, None, None).await
    }

    /// The same data directory, read by a new process after this one was killed.
    pub(crate) async fn killed(self) -> Self {
        Self::open((self.folder, self.database), self.now_ms, 1 << 20, None, None).await
    }

    async fn open(
        (folder, database): (Arc<TempDir>, Arc<TestDatabase>),
        now_ms: Arc<AtomicI64>,
        max_artifact_bytes: u64,
        oidc: Option<OidcSettings>,
        bucket: Option<Bucket>,
    ) -> Self {
        let clock = {
            let now_ms = Arc::clone(&now_ms);
            Clock::told_by(move || Timestamp::from_millisecond(now_ms.load(Ordering::Relaxed)).unwrap())
        };
        let store = database.open();
        store
            .found_account(OwnerToken {
                ids: [clock.new_id(), clock.new_id(), clock.new_id()],
                hash: SecretHash::of(OWNER),
                now: clock.now(),
            })
            .await
            .unwrap();
        let suspended = Suspended::remembering(store.suspended_accounts().await.unwrap());
        let fleet = remember(&store, clock.now()).await.unwrap();
        let calendar = LiveCalendar::of(store.calendar(clock.now()).await.unwrap(), clock.now());
        let rules = Rules {
            pending_upgrade_ttl_ms: 900_000,
            heartbeat_timeout_ms: 30_000,
            sync_interval_ms: 5_000,
            sync_interval_max_ms: 60_000,
            max_artifact_bytes,
            public_url: None,
            artifact_base_url: None,
            is_https: false,
            trusted_proxies: TrustedProxies::default(),
            serves_tls: false,
        };
        let app = Arc::new(App {
            store,
            fleet,
            pace: LivePace::new(rules.pace()),
            calendar,
            metrics: Metrics::default(),
            attempts: Attempts::default(),
            passwords: Passwords::default(),
            suspended,
            oidc: oidc.map(Oidc::new),
            artifacts: Artifacts::open(folder.path().join("artifacts"), bucket).unwrap(),
            keys: signer("trusted").keys(),
            started_at: clock.now(),
            clock,
            rules,
            webhooks: Client::new(Leave::of_webhooks(true), None).unwrap(),
            gates: Client::new(Leave::of_gates(true), None).unwrap(),
            version: Version::new(3, 0, 0),
            ending: tokio_util::sync::CancellationToken::new(),
        });
        let routes = routes::router(Arc::clone(&app));
        let entrance = Arc::new(Entrance::new(Arc::clone(&app), routes, tokio::runtime::Handle::current()));
        Self { entrance, app, now_ms, folder, database }
    }

    pub(crate) fn owner(&self) -> &'static str {
        OWNER
    }

    /// The account of the owner.
    pub(crate) async fn account_id(&self) -> Uuid {
        let now = self.app.clock.now();
        self.app.store.by_token(SecretHash::of(OWNER), now).await.unwrap().unwrap().person.account_id
    }

    pub(crate) fn wait_ms(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) fn entrance(&self) -> &Arc<Entrance> {
        &self.entrance
    }

    pub(crate) fn database(&self) -> &TestDatabase {
        &self.database
    }

    pub(crate) fn artifact_files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("artifacts")).unwrap().count()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answered {
        let (parts, body) = self.stream(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        documented::check(&parts, &bytes);
        Answered { status: parts.status, headers: parts.headers, bytes }
    }

    /// An answer whose body comes bit by bit.
    pub(crate) async fn stream(&self, request: Request<Body>) -> axum::response::Response {
        Arc::clone(&self.entrance).answer(request, None).await.unwrap().map(Body::new)
    }

    /// Calls with a bearer and a body that is sent as it is.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        bearer: &str,
        body: impl Into<Body>,
    ) -> Answered {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "cp.test:3000")
            .header("authorization", format!("Bearer {bearer}"))
            .body(body.into())
            .unwrap();
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.call(Method::GET, path, OWNER, "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answered {
        self.call(Method::DELETE, path, OWNER, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answered {
        self.call(Method::POST, path, OWNER, body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answered {
        self.call(Method::PATCH, path, OWNER, body.to_string()).await
    }

    pub(crate) async fn sync(&self, key: &str, said: Value) -> Answered {
        self.call(Method::POST, "/api/v1/syncExecutor", key, said.to_string()).await
    }

    pub(crate) async fn key(&self) -> String {
        self.post("/api/v1/executor-keys", json!({})).await.ok()["secret"].as_str().unwrap().to_owned()
    }

    /// A key and the id of an executor that has just synced with it.
    pub(crate) async fn executor(&self, name: &str, version: &str) -> (String, String) {
        let key = self.key().await;
        self.sync(&key, said(name, version)).await.ok();
        let found = self.get(&format!("/api/v1/executors?name={name}")).await.ok();
        (key, found["items"][0]["id"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn upload(&self, fields: &[(&str, &[u8])]) -> Answered {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/releases")
            .header("authorization", format!("Bearer {OWNER}"))
            .header("content-type", "multipart/form-data; boundary=XYZ")
            .body(Body::from(form(fields)))
            .unwrap();
        self.send(request).await
    }

    /// A draft of one target, signed by the trusted key.
    pub(crate) async fn draft(&self, version: &str, bytes: &[u8]) -> Value {
        let signature = signer("trusted").sign(bytes, &comment(version, TARGET));
        let fields: &[(&str, &[u8])] = &[
            ("kind", b"agent"),
            ("version", version.as_bytes()),
            ("signature", signature.as_bytes()),
            ("artifact", bytes),
        ];
        self.upload(fields).await.ok()
    }

    pub(crate) async fn publish(&self, version: &str) -> Value {
        let id = self.draft(version, version.as_bytes()).await["id"].as_str().unwrap().to_owned();
        self.patch(&format!("/api/v1/releases/{id}"), json!({"status": "published"})).await.ok()
    }

    pub(crate) async fn request(&self, executor_id: &str, version: &str) -> Answered {
        let path = format!("/api/v1/executors/{executor_id}/upgrade");
        self.post(&path, json!({"targetVersion": version})).await
    }
}

pub(crate) fn said(name: &str, version: &str) -> Value {
    json!({"name": name, "kind": "agent", "currentVersion": version, "target": TARGET})
}

/// A sync that reports on an upgrade.
pub(crate) fn reported(name: &str, version: &str, upgrade_id: &str, stage: &str, status: &str) -> Value {
    let mut whole = said(name, version);
    whole["upgrade"] = json!({"upgradeId": upgrade_id, "attempt": 1, "stage": stage, "status": status});
    whole
}

pub(crate) fn comment(version: &str, target: &str) -> String {
    format!("kind:agent version:{version} target:{target}")
}

pub(crate) fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let file = if *name == "artifact" { "; filename=\"agent\"" } else { "" };
        body.extend(
            format!("--XYZ\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes(),
        );
        body.extend(*value);
        body.extend(b"\r\n");
    }
    body.extend(b"--XYZ--\r\n");
    body
}

/// A key pair of minisign, made once a test run.
pub(crate) struct Signer(TempDir);

pub(crate) fn signer(name: &str) -> &'static Signer {
    static TRUSTED: OnceLock<Signer> = OnceLock::new();
    static STRANGER: OnceLock<Signer> = OnceLock::new();
    let one = if name == "trusted" { &TRUSTED } else { &STRANGER };
    one.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (public, secret) = (folder.path().join("key.pub"), folder.path().join("key.sec"));
        minisign(&["-G", "-W"], &[("-p", &public), ("-s", &secret)]);
        Signer(folder)
    })
}

impl Signer {
    pub(crate) fn keys(&self) -> TrustedKeys {
        let text = std::fs::read_to_string(self.0.path().join("key.pub")).unwrap();
        TrustedKeys::from_texts([("test", text.as_str())]).unwrap()
    }

    /// The id of the key.
    pub(crate) fn id(&self) -> String {
        self.keys().ids().next().unwrap().to_owned()
    }

    pub(crate) fn sign(&self, bytes: &[u8], comment: &str) -> String {
        self.sign_as(&["-S"], bytes, comment)
    }

    pub(crate) fn sign_legacy(&self, bytes: &[u8], comment: &str) -> String {
        self.sign_as(&["-S", "-l"], bytes, comment)
    }

    fn sign_as(&self, how: &[&str], bytes: &[u8], comment: &str) -> String {
        let work = tempfile::tempdir().unwrap();
        let (file, signature) = (work.path().join("artifact"), work.path().join("artifact.minisig"));
        std::fs::write(&file, bytes).unwrap();
        let how = [how, &["-t", comment]].concat();
        minisign(&how, &[("-s", &self.0.path().join("key.sec")), ("-x", &signature), ("-m", &file)]);
        std::fs::read_to_string(signature).unwrap()
    }
}

fn minisign(how: &[&str], paths: &[(&str, &PathBuf)]) {
    let mut command = Command::new("minisign");
    command.args(how);
    for (flag, path) in paths {
        command.arg(flag).arg::<&Path>(path);
    }
    let output = command.output().expect("minisign is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
