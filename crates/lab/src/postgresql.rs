//! A real PostgreSQL of its own, reached through a socket in its folder and by no port. The cluster that the package may
//! have made is not touched.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::unistd::User;
use tempfile::TempDir;

use crate::guard::Guarded;
use crate::wait::wait_for;

const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// It refuses to run as root.
const USER: &str = "postgres";

/// A server that ends when this does. What it holds is not safe from a power cut, which no test tries with it.
pub struct Postgresql {
    server: Option<Guarded>,
    folder: TempDir,
    programs: PathBuf,
}

impl Postgresql {
    /// Starts one.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start() -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let user = User::from_name(USER).ok().flatten().expect("PostgreSQL is installed with its user");
        chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .expect("the folder can be given away");
        let mut make = as_user(&programs.join("initdb"), folder.path());
        make.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata=data"]);
        let (is_made, said) = Guarded::run(&mut make);
        assert!(is_made, "a cluster can be made: {said}");
        let mut this = Self { server: None, folder, programs };
        this.go_on();
        this
    }

    /// Starts the server of this cluster again.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn go_on(&mut self) {
        wait_for("PostgreSQL answers", STARTS_WITHIN, || {
            // It refuses to start while one that served a connection of the last server still ends.
            let is_running =
                self.server.as_mut().is_some_and(|server| matches!(server.program().try_wait(), Ok(None)));
            if !is_running {
                self.server = Some(self.spawn());
            }
            self.try_to_ask("postgres", "SELECT 1").ok()
        });
    }

    fn spawn(&self) -> Guarded {
        let mut command = as_user(&self.programs.join("postgres"), self.folder.path());
        command.args(["-D", "data", "-F", "-c", "listen_addresses=", "-c", "max_connections=400"]);
        command.args(["-c", "dynamic_shared_memory_type=mmap", "-c", "full_page_writes=off"]);
        command.arg("-c").arg(format!("unix_socket_directories={}", self.folder.path().display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Guarded::spawn(&mut command, self.folder.path())
    }

    /// Ends the server at once, as when its host dies; its cluster stays.
    pub fn kill(&mut self) {
        let group = self.server.as_mut().map(|server| server.program().id());
        // Those that serve a connection have groups of their own; they end when they notice.
        if let Some(group) = group {
            let _ = Command::new("kill").args(["-s", "KILL", "--", &format!("-{group}")]).status();
        }
        self.server = None;
    }

    /// How a database of it is reached.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgresql:///{database}?host={folder}&user={USER}")
    }

    /// What a database answers, a line a row.
    ///
    /// # Panics
    /// When it does not.
    pub fn ask(&self, database: &str, question: &str) -> String {
        self.try_to_ask(database, question).unwrap_or_else(|e| panic!("{question}: {e}"))
    }

    /// The same, where it may refuse.
    ///
    /// # Errors
    /// What it says.
    pub fn try_to_ask(&self, database: &str, question: &str) -> Result<String, String> {
        let output = Command::new(self.programs.join("psql"))
            .args([
                "-X",
                "-A",
                "-t",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                USER,
                "-d",
                database,
                "-c",
                question,
            ])
            .arg("-h")
            .arg(self.folder.path())
            .output()
            .map_err(|e| e.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

fn as_user(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"]).arg(program).current_dir(folder);
    command.env("HOME", folder).env("TZ", "UTC");
    command
}

/// Where the programs of the newest PostgreSQL that is installed are.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| version(path));
    newest.expect("PostgreSQL is installed below /usr/lib/postgresql").join("bin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_answers_through_its_socket_dies_and_comes_back_with_what_it_held() {
        let mut server = Postgresql::start();
        assert!(server.url("postgres").starts_with("postgresql:///postgres?host=%2F"));
        assert_eq!(server.ask("postgres", "CREATE TABLE t AS SELECT 7 AS n; SELECT n FROM t"), "7");
        server.kill();
        assert!(server.try_to_ask("postgres", "SELECT 1").is_err());
        server.go_on();
        assert_eq!(server.ask("postgres", "SELECT n FROM t"), "7");
    }
}
