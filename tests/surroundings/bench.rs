//! One agent as a plain process, with everything it may touch in a directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use novacula_agent::disk::sha256_of;
use novacula_lab::scripted::{Scripted, Serve};
use novacula_lab::{Signer, builds, install, wait_for};
use novacula_protocol::sync::UpgradeReport;
use novacula_protocol::{Stage, Status};
use serde_json::{Value, json};

pub const HERE: &str = "1.0.0";
pub const NEXT: &str = "1.1.0";
pub const KEY: &str = "nva_test";
pub const LIMIT: Duration = Duration::from_secs(60);

/// A release that is in order.
pub struct Release {
    pub bytes: Vec<u8>,
    pub sha256: String,
    pub signature: String,
}

impl Release {
    pub fn good() -> Self {
        let file = builds::agent(NEXT);
        Self {
            bytes: fs::read(&file).unwrap(),
            sha256: sha256_of(&file).unwrap(),
            signature: Signer::trusted().sign_agent(&file, NEXT),
        }
    }

    /// A dry run, which goes the whole way but for the swap.
    pub fn dry_run(&self, url: &str) -> Value {
        let mut spec = self.upgrade(url);
        spec["intent"] = json!("validate");
        spec
    }

    pub fn upgrade(&self, url: &str) -> Value {
        json!({
            "kind": "agent", "upgradeId": "0199f3b2-0000-7000-8000-000000000001", "attempt": 1, "intent": "apply",
            "fromVersion": HERE, "targetVersion": NEXT, "direction": "upgrade", "confirm": "auto",
            "healthWindowMs": 1000, "expiresAt": "2026-01-01T01:00:00Z", "downloadUrl": url,
            "size": self.bytes.len(), "sha256": self.sha256, "signature": self.signature,
        })
    }
}

/// A control plane that serves no artifacts.
pub fn control_plane() -> Scripted {
    let serve: Box<Serve> = Box::new(|head, _| panic!("nobody asks the control plane for this: {head}"));
    Scripted::start(serve)
}

/// The last report that tells an end.
pub fn end_of(control_plane: &Scripted) -> UpgradeReport {
    wait_for("the upgrade has ended", LIMIT, || {
        let syncs = control_plane.syncs_after(0);
        syncs
            .into_iter()
            .rev()
            .find_map(|sync| sync.upgrade.filter(|report| report.status != Status::Underway))
    })
}

#[track_caller]
pub fn passed(report: &UpgradeReport) {
    assert_eq!((report.stage, report.status), (Stage::Verify, Status::Completed), "{report:#?}");
}

#[track_caller]
pub fn refused(report: &UpgradeReport, code: novacula_protocol::RefusalCode) {
    let error = report.error.as_ref().unwrap_or_else(|| panic!("a refusal says why: {report:#?}"));
    assert_eq!((report.stage, error.code.as_str()), (Stage::Failed, code.as_str()), "{}", error.message);
}

pub struct Agent {
    directory: tempfile::TempDir,
    bin: PathBuf,
    running: Option<Child>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("──── the log of the agent\n{}────", self.log());
        }
    }
}

impl Agent {
    /// One that syncs with this URL every second; not started yet.
    pub fn new(url: &str) -> Self {
        Self::configured(&format!("url = {url:?}\naccess_token = {KEY:?}\n"))
    }

    /// One with these lines in `[control_plane]`; not started yet.
    pub fn configured(control_plane: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bin = directory.path().join("bin");
        let agent = Self { directory, bin, running: None };
        install(&fs::read(builds::agent(HERE)).unwrap(), &agent.binary(), 0o755);
        agent.configure(control_plane);
        agent
    }

    pub fn configure(&self, control_plane: &str) {
        let text = format!(
            "[agent]\nname = \"bench\"\ndata_dir = {:?}\nsync_interval_ms = 1000\n[control_plane]\n{control_plane}",
            self.path("data")
        );
        fs::write(self.config(), text).unwrap();
        fs::set_permissions(self.config(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// From now on it is started from the binary of another agent.
    pub fn share_binary(&mut self, other: &Self) {
        self.bin.clone_from(&other.bin);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn binary(&self) -> PathBuf {
        self.bin.join("novacula-agent")
    }

    pub fn config(&self) -> PathBuf {
        self.path("agent.toml")
    }

    pub fn start(&mut self) {
        self.start_through(&[]);
    }

    /// Starts it by way of these words, such as `env NAME=value`.
    pub fn start_through(&mut self, words: &[String]) {
        self.spawn(words_then(words, &self.binary()));
    }

    /// Starts it by another name of its binary.
    pub fn start_as(&mut self, name: &Path) {
        self.spawn(words_then(&[], name));
    }

    fn spawn(&mut self, mut command: Command) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        command.args(["run", "--config"]).arg(self.config()).stdout(Stdio::null()).stderr(log);
        self.running = Some(command.spawn().expect("setpriv is there"));
    }

    /// One command of this agent, to its end.
    pub fn command_through(&self, words: &[String], arguments: &[&str]) -> Output {
        let mut command = words_then(words, &self.binary());
        command.args(arguments).arg("--config").arg(self.config()).output().expect("setpriv is there")
    }

    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.kill();
            let _ = running.wait();
        }
    }

    pub fn runs(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| running.try_wait().unwrap().is_none())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// How often the log has this.
    pub fn says(&self, part: &str) -> usize {
        self.log().matches(part).count()
    }

    #[track_caller]
    pub fn wait_until_it_says(&self, part: &str) {
        wait_for(&format!("the log says `{part}`"), LIMIT, || (self.says(part) > 0).then_some(()));
    }

    /// The old binary stands alone, with nothing beside it.
    #[track_caller]
    pub fn is_untouched(&self) {
        assert_eq!(sha256_of(&self.binary()).unwrap(), sha256_of(&builds::agent(HERE)).unwrap());
        assert_eq!(names(&self.bin), ["novacula-agent"], "what is left beside the binary");
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Should this process be killed, the program ends with it; whatever proxy this one uses, the program knows of none.
pub fn words_then(words: &[String], program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(words).arg(program);
    command.env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}
