//! The real control plane, with an empty database of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::guard::Guarded;
use crate::people::Person;
use crate::{builds, checkout};

type Stdout = Lines<BufReader<ChildStdout>>;

/// The program, and its stdout held open for whatever it may still have to say.
struct Running {
    _program: Guarded,
    stdout: Stdout,
}

/// A control plane on a free port of loopback. Ends, with all it wrote, when dropped.
pub struct ControlPlane {
    running: Option<Running>,
    folder: TempDir,
    port: u16,
    owner: Person,
    environment: Vec<(String, String)>,
}

impl ControlPlane {
    /// Starts one with an empty database; comes back when it listens.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Vec::new())
    }

    /// Like [`Self::start`], with these in its environment.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with(environment: Vec<(String, String)>) -> Self {
        let folders = checkout::cache().join("control-planes");
        fs::create_dir_all(&folders).expect("the folder of all control planes can be made");
        let folder = tempfile::Builder::new().prefix("novacula-lab-").tempdir_in(folders);
        let folder = folder.expect("a folder for the control plane can be made");
        let mut running = serve(folder.path(), 0, &environment);
        let token = said(&mut running.stdout, "owner token (shown once): ");
        let url = said(&mut running.stdout, "listening on ");
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the control plane listens on a port, it says {url}"));
        let owner = Person::new(&url, &token);
        Self { running: Some(running), folder, port, owner, environment }
    }

    /// Where it is, as agents and people write it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The first person it knows.
    #[must_use]
    pub fn owner(&self) -> &Person {
        &self.owner
    }

    /// Ends it at once, as a crash would.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it again on what it has kept, at the same address.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.stop();
        let mut running = serve(self.folder.path(), self.port, &self.environment);
        said(&mut running.stdout, "listening on ");
        self.running = Some(running);
    }

    /// Its database, for whoever changes it while it stands still.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("novacula.sqlite")
    }

    /// A copy of all it has kept, taken while it stands still.
    ///
    /// # Panics
    /// When the copy cannot be made.
    pub fn back_up(&mut self) -> TempDir {
        let copy = tempfile::tempdir().expect("a temporary folder can be made");
        self.stop();
        copy_all(self.folder.path(), copy.path());
        self.start_again();
        copy
    }

    /// Starts it again on a copy of what it once kept, as after an accident.
    ///
    /// # Panics
    /// When the copy cannot be put back.
    pub fn restore(&mut self, copy: &TempDir) {
        self.stop();
        fs::remove_dir_all(self.folder.path()).expect("the folder of the control plane can be removed");
        fs::create_dir(self.folder.path()).expect("the folder of the control plane can be made");
        copy_all(copy.path(), self.folder.path());
        self.start_again();
    }

    /// What it has said on stderr since it was made.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            let log = self.log();
            let last: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("──── the log of the control plane");
            last.iter().rev().for_each(|line| eprintln!("{line}"));
            eprintln!("────");
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().expect("cp is there");
    assert!(copied.success(), "{} can be copied", from.display());
}

fn serve(folder: &Path, port: u16, environment: &[(String, String)]) -> Running {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
    let mut program = Guarded::spawn(
        Command::new(builds::control_plane())
            .arg("serve")
            .current_dir(folder)
            .env("DATA_DIR", folder)
            .env("PORT", port.to_string())
            .env("SYNC_INTERVAL_MS", "1000")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("the control plane's log can be written")),
        folder,
    );
    let stdout = program.program().stdout.take().expect("its stdout is a pipe");
    Running { _program: program, stdout: BufReader::new(stdout).lines() }
}

/// The rest of the first line that begins like this.
fn said(stdout: &mut Stdout, beginning: &str) -> String {
    let found = stdout.map_while(Result::ok).find_map(|line| line.strip_prefix(beginning).map(str::to_owned));
    found.unwrap_or_else(|| panic!("the control plane says `{beginning}…` before it ends"))
}
