//! What a refusal is tried on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use novacula_agent::disk::sha256_of;
use novacula_lab::scripted::{Scripted, Serve};
use novacula_lab::{builds, install};
use novacula_protocol::{RefusalCode, Stage, Status};
use serde_json::{Value, json};

use super::{HERE, NEXT};

/// An agent as a plain process, with everything it may touch in a directory of its own.
pub struct Bench {
    pub control_plane: Scripted,
    agent: Child,
    directory: tempfile::TempDir,
    sha256: String,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

impl Bench {
    pub fn new(serve: Box<Serve>) -> Self {
        Self::prepared(serve, |_| {})
    }

    pub fn prepared(serve: Box<Serve>, prepare: impl FnOnce(&Path)) -> Self {
        let control_plane = Scripted::start(serve);
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("bin/novacula-agent");
        fs::create_dir(directory.path().join("bin")).unwrap();
        install(&fs::read(builds::agent(HERE)).unwrap(), &binary, 0o755);
        let config = directory.path().join("agent.toml");
        let text = format!(
            "[agent]\nname = \"bench\"\ndata_dir = {:?}\nsync_interval_ms = 1000\n\
             [control_plane]\nurl = {:?}\naccess_token = \"nva_test\"\n",
            directory.path().join("data"),
            control_plane.url()
        );
        fs::write(&config, text).unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
        prepare(directory.path());
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let agent = Command::new(&binary)
            .args(["run", "--config"])
            .arg(&config)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let sha256 = sha256_of(&binary).unwrap();
        Self { control_plane, agent, directory, sha256 }
    }

    pub fn spec(&self, release: &Path, signature: String) -> Value {
        json!({
            "kind": "agent", "upgradeId": "0199f3b2-0000-7000-8000-000000000001", "attempt": 1, "intent": "apply",
            "fromVersion": HERE, "targetVersion": NEXT, "direction": "upgrade", "confirm": "auto",
            "healthWindowMs": 1000, "expiresAt": "2026-01-01T01:00:00Z",
            "downloadUrl": format!("{}/artifact", self.control_plane.url()),
            "size": fs::metadata(release).unwrap().len(), "sha256": sha256_of(release).unwrap(),
            "signature": signature,
        })
    }

    /// Offers `spec` and expects exactly this end, an untouched host and an agent that goes on.
    pub fn is_refused(&mut self, spec: Value, code: RefusalCode) {
        self.control_plane.offer(spec);
        let report = self.control_plane.hears(&format!("a refusal with {code}"), |sync| {
            sync.upgrade.clone().filter(|report| report.stage.is_end())
        });
        let error = report.error.expect("a refusal says why");
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap();
        assert_eq!(error.code, code.as_str(), "{}\n{log}", error.message);
        assert_eq!((report.stage, report.status), (Stage::Failed, Status::Failed));
        assert!(!error.message.contains(['\n', '\x1b']), "{:?}", error.message);

        let folder = self.directory.path().join("bin");
        assert_eq!(sha256_of(&folder.join("novacula-agent")).unwrap(), self.sha256);
        let beside: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let expected: &[&str] = if code == RefusalCode::HostFailure {
            &["novacula-agent", "novacula-agent.prev"]
        } else {
            &["novacula-agent"]
        };
        let mut beside: Vec<_> = beside.iter().map(|name| name.to_str().unwrap()).collect();
        beside.sort_unstable();
        assert_eq!(beside, expected, "what is left beside the binary");

        // Offered again, it is told again and not tried again; taken back, the agent goes on as before.
        self.control_plane.forget();
        self.control_plane.offer(Value::Null);
        self.control_plane.hears("a sync without a report", |sync| sync.upgrade.is_none().then_some(()));
        assert!(self.agent.try_wait().unwrap().is_none(), "the agent has ended");
    }
}
