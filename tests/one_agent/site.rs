//! One agent as a plain process, with everything it may touch in a directory of its own, and what must be true of it.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use novacula_agent::disk::sha256_of;
use novacula_agent::upgrade::trial::{Records, Verdict, find};
use novacula_lab::scripted::{Scripted, reply_with};
use novacula_lab::{Signer, builds, wait_for};
use novacula_protocol::Stage;
use novacula_protocol::spec::Intent;
use novacula_protocol::sync::SyncRequest;
use serde_json::{Value, json};

pub const OLD: &str = "1.0.0";
pub const NEW: &str = "1.1.0";
const UPGRADE_ID: &str = "0199f3b2-0000-7000-8000-000000000001";
const LIMIT: Duration = Duration::from_secs(40);

/// The two releases, built and signed once.
pub struct Releases {
    pub old: PathBuf,
    bytes: &'static [u8],
    pub old_sha256: String,
    pub new_sha256: String,
    signature: String,
}

impl Releases {
    pub fn build() -> Self {
        let (old, new) = (builds::agent(OLD), builds::agent(NEW));
        Self {
            bytes: fs::read(&new).unwrap().leak(),
            old_sha256: sha256_of(&old).unwrap(),
            new_sha256: sha256_of(&new).unwrap(),
            signature: Signer::trusted().sign_agent(&new, NEW),
            old,
        }
    }
}

/// How an upgrade ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub stage: Stage,
    pub runs_new: bool,
}

/// What an agent lives on.
pub trait Disk {
    /// The directory of `bin` and `data`.
    fn root(&self) -> &Path;

    /// Nothing will come back from it any more.
    fn is_cut(&self) -> bool {
        false
    }

    /// Lets go of whoever waits for it and is dead already.
    fn let_go(&self) {}
}

pub struct Site<'a, D: Disk> {
    pub releases: &'a Releases,
    pub control_plane: Scripted,
    pub agent: Option<Child>,
    pub disk: D,
    directory: tempfile::TempDir,
}

impl<D: Disk> Drop for Site<'_, D> {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("──── the log of the agent\n{}────", self.log());
        }
    }
}

impl<'a, D: Disk> Site<'a, D> {
    /// A host with what is on `disk`; what is not its own lies in `directory`.
    pub fn new(releases: &'a Releases, directory: tempfile::TempDir, disk: D) -> Self {
        let (bin, data) = (disk.root().join("bin"), disk.root().join("data"));
        // The record of an open trial names the binary.
        let records = Records::open(&data).unwrap();
        let binary = bin.join("novacula-agent");
        records.lock().unwrap().change_trial(|trial| trial.binary = binary).unwrap();
        let bytes = releases.bytes;
        let control_plane = Scripted::start(Box::new(move |head, connection| {
            serve(head, bytes, connection);
        }));
        let config = directory.path().join("agent.toml");
        // What the agent writes to its log would be counted with what it writes to its files.
        let text = format!(
            "[agent]\nname = \"bench\"\ndata_dir = {data:?}\nsync_interval_ms = 1000\n\
             [control_plane]\nurl = {:?}\naccess_token = \"nva_test\"\n[logging]\nlevel = \"error\"\n",
            control_plane.url()
        );
        fs::write(&config, text).unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
        Self { releases, control_plane, agent: None, disk, directory }
    }

    /// Of something that is not on its disk.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn binary(&self) -> PathBuf {
        self.disk.root().join("bin/novacula-agent")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Offers the upgrade, always as the same attempt.
    pub fn offer(&self, intent: Intent) {
        self.control_plane.offer(json!({
            "kind": "agent", "upgradeId": UPGRADE_ID, "attempt": 1, "intent": intent, "fromVersion": OLD,
            "targetVersion": NEW, "direction": "upgrade", "confirm": "auto", "healthWindowMs": 1000,
            "expiresAt": "2026-01-01T01:00:00Z", "size": self.releases.bytes.len(),
            "downloadUrl": format!("{}/artifact", self.control_plane.url()),
            "sha256": self.releases.new_sha256, "signature": self.releases.signature,
        }));
    }

    /// Starts what systemd would: the binary, or what it was before when there is none.
    pub fn start(&mut self) {
        let previous = self.disk.root().join("bin/novacula-agent.prev");
        let program = if self.binary().exists() { self.binary() } else { previous };
        self.spawn(&[program.as_os_str()], "run");
    }

    /// Starts the binary with another verb.
    pub fn start_with(&mut self, verb: &str) {
        self.spawn(&[self.binary().as_os_str()], verb);
    }

    pub fn spawn(&mut self, program: &[&OsStr], verb: &str) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        // Should this process be killed, the agent ends with it.
        let spawned = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .args(program)
            .args([verb, "--config"])
            .arg(self.path("agent.toml"))
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.agent = Some(spawned.expect("setpriv is there"));
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.agent.as_mut().and_then(|agent| agent.try_wait().unwrap())
    }

    /// How it ended; `None` if its disk did before.
    pub fn wait_until_ended(&mut self) -> Option<ExitStatus> {
        wait_for("the command comes to its end", LIMIT, || {
            let ended = self.ended();
            (ended.is_some() || self.disk.is_cut()).then_some(ended)
        })
    }

    /// A sysadmin gives the command once more.
    pub fn rolls_back_by_hand(&mut self) {
        self.start_with("rollback");
        let code = self.wait_until_ended().and_then(|ended| ended.code());
        assert!(matches!(code, Some(0 | 3)), "done, or nothing to do: {code:?}");
    }

    pub fn kill(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            self.disk.let_go();
            let _ = agent.wait();
        }
    }

    /// Lets the agent go on to an end, offers the same attempt once more, takes it back; `None` if the process ends
    /// on the way there.
    pub fn goes_to_the_end(&mut self, intent: Intent) -> Option<End> {
        self.control_plane.forget();
        self.offer(intent);
        let told = self.hears("an end is told", end_in)?;
        // Each answer to a sync was the offer; the one after the next shows what became of it.
        self.offer(Intent::Apply);
        self.control_plane.forget();
        let mut answered = 0;
        let found = self.hears("the attempt is offered again", |sync| {
            answered += 1;
            let found = end_in(sync);
            (answered == 2 || found != Some(told)).then_some(found)
        })?;
        assert_eq!(found, Some(told), "what was told stays the end when it is offered again");
        self.control_plane.offer(Value::Null);
        self.hears("a sync has nothing to tell", |sync| sync.upgrade.is_none().then_some(()))?;
        Some(told)
    }

    fn hears<T>(&mut self, sentence: &str, mut look: impl FnMut(&SyncRequest) -> Option<T>) -> Option<T> {
        let mut seen = 0;
        wait_for(sentence, LIMIT, || {
            for sync in self.control_plane.syncs_after(seen) {
                seen += 1;
                if let Some(found) = look(&sync) {
                    return Some(Some(found));
                }
            }
            (self.disk.is_cut() || self.ended().is_some()).then_some(None)
        })
    }

    /// A complete agent stands at the path; says whether it is the new one.
    #[track_caller]
    pub fn has_a_runnable_agent(&self) -> bool {
        let found = sha256_of(&self.binary()).expect("something stands at the path of the binary");
        let is_new = found == self.releases.new_sha256;
        assert!(is_new || found == self.releases.old_sha256, "neither the old nor the new binary: {found}");
        let ran = Command::new(self.binary()).arg("--version").output().expect("the binary can be run");
        let version = if is_new { NEW } else { OLD };
        assert_eq!(String::from_utf8_lossy(&ran.stdout), format!("novacula-agent {version}\n"));
        is_new
    }

    /// Which file stands at the path.
    pub fn inode(&self) -> u64 {
        fs::metadata(self.binary()).unwrap().ino()
    }

    /// The end that was decided, by what is on its disk: in the open trial, or among the ended attempts.
    pub fn decided(&self) -> Option<Stage> {
        let records = Records::at(&self.disk.root().join("data"));
        if let Some(ended) = find(&records.ended().unwrap(), UPGRADE_ID, 1) {
            return Some(ended.stage);
        }
        records.trial().unwrap().and_then(|trial| trial.verdict).map(|verdict| match verdict {
            Verdict::Commit => Stage::Completed,
            Verdict::RollBack(_) => Stage::RolledBack,
        })
    }

    /// Nothing is left but what must be.
    #[track_caller]
    pub fn is_tidy(&self) {
        let beside = |name: &String| !["novacula-agent", "novacula-agent.prev"].contains(&name.as_str());
        wait_for("nothing is left over beside the binary and the records", LIMIT, || {
            let leftovers = names(&self.disk.root().join("bin")).into_iter().filter(beside).count()
                + names(&self.disk.root().join("data")).iter().filter(|name| name.starts_with('.')).count();
            (leftovers == 0).then_some(())
        });
        let records = names(&self.disk.root().join("data"));
        assert!(!records.iter().any(|name| name.ends_with(".unreadable")), "{records:?}");
        assert!(!records.contains(&"trial.json".to_owned()), "the trial is closed");
    }
}

fn end_in(sync: &SyncRequest) -> Option<End> {
    let report = sync.upgrade.as_ref().filter(|report| report.stage.is_end())?;
    Some(End { stage: report.stage, runs_new: sync.current_version.to_string() == NEW })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Written by another process: whoever holds a program open for writing while it forks keeps it from being run.
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp is there");
    assert!(copied.success(), "{} can be copied", from.display());
}

/// A server that lets a download go on where it was cut short.
fn serve(head: &str, bytes: &[u8], connection: &mut TcpStream) {
    let range = head.lines().find_map(|line| {
        let from = line.to_ascii_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse();
        from.ok().filter(|from| *from < bytes.len())
    });
    match range {
        None => reply_with(connection, "200 OK", "etag: \"release\"\r\n", bytes),
        Some(from) => {
            let range = format!("content-range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
            reply_with(connection, "206 Partial Content", &range, &bytes[from..]);
        }
    }
}
