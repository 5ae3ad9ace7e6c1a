//! The control plane that a simulation runs on: its own process, with nothing but its own folder, ended with it.

#![expect(clippy::disallowed_methods, reason = "the only home of the program that a simulation starts")]

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::pace::Pace;
use crate::ending::{Ending, Failure};

const NAME: &str = "novacula-control-plane";
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// The program, its folder and how it is started.
pub struct Program {
    path: PathBuf,
    folder: PathBuf,
    pace: Pace,
    running: Child,
    /// Where it listens.
    pub url: String,
    /// The owner's token.
    pub token: String,
}

/// The program beside this one, else whatever `PATH` has.
pub fn beside_this_one() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|this| this.with_file_name(NAME));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| NAME.into())
}

impl Program {
    /// Starts it in `folder`, where it also trusts the key `public_key`; comes back when it listens.
    pub fn start(path: &Path, folder: &Path, pace: Pace, public_key: &str) -> Result<Self, Failure> {
        let key = folder.join("simulation.pub");
        File::create(&key)
            .and_then(|mut file| file.write_all(public_key.as_bytes()))
            .map_err(|e| failed(format!("{} must be writable, it is not ({e})", folder.display())))?;
        let (running, url, token) = spawn(path, folder, pace, 0)?;
        let token = token.ok_or_else(|| {
            failed(format!(
                "{} must be a folder without a control plane in it: choose another",
                folder.display()
            ))
        })?;
        Ok(Self { path: path.to_owned(), folder: folder.to_owned(), pace, running, url, token })
    }

    /// Ends it as a power cut would, and starts it again on what it has kept, at the same address.
    pub fn kill_and_start_again(&mut self) -> Result<(), Failure> {
        self.end();
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
        let (running, _, _) = spawn(&self.path, &self.folder, self.pace, port)?;
        self.running = running;
        Ok(())
    }

    /// Why it has ended, if it has.
    pub fn has_ended(&mut self) -> Option<Failure> {
        let status = self.running.try_wait().ok().flatten()?;
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let last = log.lines().last().unwrap_or("nothing").to_owned();
        Some(failed(format!(
            "the control plane has ended by itself ({status}); the last line of its log: {last}"
        )))
    }

    fn end(&mut self) {
        // SIGKILL; an error means that it has ended already.
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(
    path: &Path,
    folder: &Path,
    pace: Pace,
    port: u16,
) -> Result<(Child, String, Option<String>), Failure> {
    let log = OpenOptions::new().create(true).append(true).open(folder.join("log"));
    let log = log.map_err(|e| failed(format!("{} must be writable, it is not ({e})", folder.display())))?;
    let mut child = Command::new(path)
        .arg("serve")
        .env_clear()
        .env("DATA_DIR", folder.join("data"))
        .env("LISTEN", "127.0.0.1")
        .env("PORT", port.to_string())
        .env("TEST_CLOCK", pace.test_clock())
        .env("TEST_KEY", folder.join("simulation.pub"))
        .env("SYNC_INTERVAL_MS", pace.sync_interval_ms.to_string())
        // The judge knows of one interval.
        .env("SYNC_INTERVAL_MAX_MS", pace.sync_interval_ms.to_string())
        .env("HEARTBEAT_TIMEOUT_MS", pace.heartbeat_timeout_ms.to_string())
        .env("PENDING_UPGRADE_TTL_MS", pace.pending_upgrade_ttl_ms.to_string())
        .env("RUST_LOG", "warn")
        .env("LOG_FORMAT", "text")
        // An interrupt at the terminal is for us, and we end it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|e| {
            let shown = path.display();
            failed(format!("the control plane {shown} must be a program that can be started ({e}): name it with --control-plane"))
        })?;
    let (sender, lines) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
    }
    let mut token = None;
    loop {
        match lines.recv_timeout(STARTS_WITHIN) {
            Ok(line) => {
                if let Some(shown) = line.strip_prefix("owner token (shown once): ") {
                    token = Some(shown.to_owned());
                }
                if let Some(url) = line.strip_prefix("listening on ") {
                    return Ok((child, url.to_owned(), token));
                }
            }
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or("nothing");
                return Err(failed(format!(
                    "the control plane does not start; the last line of its log: {last}"
                )));
            }
        }
    }
}

fn failed(message: String) -> Failure {
    Failure::new(Ending::Failed, "control_plane_failed", message)
}
