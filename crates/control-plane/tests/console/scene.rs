//! A control plane with people, releases and executors, made through its API.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use novacula_lab::{Person, Signer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fleet::{Fleet, Host};
use crate::server::{Answer, Server, TARGET};

/// Of everybody here.
pub const PASSWORD: &str = "correct horse battery";

/// Everything that a walk needs besides a browser. What ends first stands first.
pub struct Scene {
    pub fleet: Fleet,
    pub owner: Person,
    pub server: Arc<Server>,
    folder: TempDir,
}

impl Scene {
    /// Releases are 1.0.0, which the hosts may run, and 1.1.0.
    pub fn with(hosts: Vec<Host>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A host that is switched off shows soon.
        let server = Server::start_with(folder.path(), None, &[("HEARTBEAT_TIMEOUT_MS", "8000")]);
        let server = Arc::new(server);
        let owner = Person::new(&server.url, server.owner.as_ref().unwrap());
        release(&owner, folder.path(), "1.0.0", &[("channel", "stable"), ("notes", "The first.")]);
        release(
            &owner,
            folder.path(),
            "1.1.0",
            &[("channel", "stable"), ("notes", "Faster, and says why it waits.")],
        );
        let fleet = Fleet::start(&server, hosts);
        Self { fleet, owner, server, folder }
    }

    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// A published release with these fields of the upload.
    pub fn release(&self, version: &str, fields: &[(&str, &str)]) -> String {
        release(&self.owner, self.folder.path(), version, fields)
    }

    /// The two files that a release manager has in hand.
    pub fn signed(&self, version: &str) -> (PathBuf, PathBuf) {
        let (file, text) = sign(self.folder.path(), version);
        let signature = self.folder.path().join(format!("agent-{version}.minisig"));
        fs::write(&signature, text).unwrap();
        (file, signature)
    }

    /// Somebody with a role who signs in with [`PASSWORD`].
    pub fn person(&self, name: &str, role: &str, is_release_manager: bool) {
        let wanted = json!({
            "name": name, "role": role, "releaseManager": is_release_manager, "oneTimePassword": true,
        });
        let made: Value = self.owner.post("users", &wanted);
        let once = made["oneTimePassword"].as_str().unwrap();
        let http: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        let session = format!("{}/api/v1/session", self.server.url);
        let login = json!({"name": name, "password": once}).to_string();
        let json = "application/json";
        let own = ("sec-fetch-site", "same-origin");
        let begun = http.post(&session).header("content-type", json).header(own.0, own.1).send(login);
        let mut begun = begun.unwrap();
        let cookie = begun.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let token: Value = serde_json::from_str(&begun.body_mut().read_to_string().unwrap()).unwrap();
        let change =
            http.put(format!("{session}/password")).header("content-type", json).header(own.0, own.1);
        let change =
            change.header("cookie", &cookie).header("x-csrf-token", token["csrfToken"].as_str().unwrap());
        change.send(json!({"current": once, "new": PASSWORD}).to_string()).unwrap();
    }

    /// The id of an executor.
    pub fn executor(&self, name: &str) -> String {
        self.owner.executor(name).unwrap_or_else(|| panic!("{name} is known")).id
    }

    /// The last upgrade of an executor.
    pub fn last_upgrade(&self, executor: &str) -> Value {
        let page: Value = self.owner.get(&format!("upgrades?executorId={}&limit=1", self.executor(executor)));
        page["items"][0].clone()
    }

    /// The plan of this name; nothing where there is none.
    pub fn plan(&self, name: &str) -> Value {
        let page: Value = self.owner.get("fleet/plans?limit=100");
        let found = page["items"].as_array().and_then(|plans| plans.iter().find(|plan| plan["name"] == name));
        found.cloned().unwrap_or_default()
    }

    /// Asks for an upgrade with more than its target; its id.
    #[track_caller]
    pub fn request(&self, executor: &str, version: &str, more: &Value) -> String {
        let mut wanted = more.clone();
        wanted["targetVersion"] = json!(version);
        let asked: Value =
            self.owner.post(&format!("executors/{}/upgrade", self.executor(executor)), &wanted);
        asked["id"].as_str().unwrap().to_owned()
    }

    /// What has no answer worth reading, or none at all.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        match self.server.call(method, path, self.owner.token(), body) {
            Answer::Accepted(answer) => answer,
            other => panic!("{method} {path}: {other:?}"),
        }
    }
}

fn release(owner: &Person, folder: &Path, version: &str, fields: &[(&str, &str)]) -> String {
    let (file, signature) = sign(folder, version);
    let fields: Vec<_> =
        [("kind", "agent"), ("version", version)].into_iter().chain(fields.iter().copied()).collect();
    let draft =
        owner.upload(&fields, &file, &signature).unwrap_or_else(|e| panic!("{version}: {}", e.message));
    let published: Value = owner.patch(&format!("releases/{}", draft.id), &json!({"status": "published"}));
    published["id"].as_str().unwrap().to_owned()
}

fn sign(folder: &Path, version: &str) -> (PathBuf, String) {
    let file = folder.join(format!("agent-{version}"));
    // Of a size that downloads can be seen of.
    let size = 2_000_000 + version.bytes().map(usize::from).sum::<usize>() * 997;
    let mut bytes = version.as_bytes().to_vec();
    bytes.resize(size, b'.');
    fs::write(&file, bytes).unwrap();
    let signature = Signer::trusted().sign(&file, &format!("kind:agent version:{version} target:{TARGET}"));
    (file, signature)
}
