//! The keeper of a host: a shell that holds the host's file system and tidies up, whatever happens to the test.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::checkout;
use crate::host::Suite;

/// Holds the place where one host lives; dropping it ends the host.
pub(super) struct Keeper {
    shell: Child,
    folder: PathBuf,
    groups: Vec<PathBuf>,
}

impl Keeper {
    /// Makes the place for a host of this name.
    pub fn start(name: &str, suite: Suite) -> Self {
        let tree = suite.tree();
        let hosts = checkout::cache().join("hosts");
        fs::create_dir_all(&hosts).expect("the folder of all hosts can be made");
        let folder = hosts.join(name);
        let groups: Vec<PathBuf> = group_roots().into_iter().map(|root| root.join(name)).collect();
        let mut shell = Command::new("unshare")
            .args(["--mount", "--propagation=private", "sh", "-c", include_str!("keeper.sh"), "keeper"])
            .arg(tree)
            .arg(&folder)
            .args(&groups)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of reach of an interrupt at the terminal: somebody must be left to tidy up.
            .process_group(0)
            .spawn()
            .expect("unshare is installed and may be used: the laboratory needs root");
        let mut answer = String::new();
        let stdout = shell.stdout.take().expect("the keeper's stdout is a pipe");
        BufReader::new(stdout).read_line(&mut answer).expect("the keeper's stdout can be read");
        assert_eq!(
            answer, "kept\n",
            "the keeper of {name} has made the host's place (see its message above)"
        );
        Self { shell, folder, groups }
    }

    /// A process that joins the host's control groups and sees its file system, for `script` to go on from.
    ///
    /// Each host needs control groups of its own: without them two systemd would share one tree of services.
    pub fn enter(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount=/proc/{}/ns/mnt", self.shell.id()))
            .args([
                "sh",
                "-c",
                &format!("for group; do echo $$ >\"$group/cgroup.procs\" || exit; done\n{script}"),
            ])
            .arg("enter")
            .args(&self.groups);
        command
    }

    /// The host's root as seen by a process that [`enter`](Self::enter)s.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// The host's root as seen from here, while it runs and while it does not.
    pub fn root_from_outside(&self) -> PathBuf {
        let root = self.root();
        Path::new(&format!("/proc/{}/root", self.shell.id())).join(root.strip_prefix("/").unwrap_or(&root))
    }

    /// What the host's console shows.
    pub fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        if let Err(e) = self.shell.wait() {
            eprintln!("lab: the keeper of {} cannot be waited for: {e}", self.folder.display());
        }
    }
}

/// Where control groups are made: in the one hierarchy, or where there are several, in the two systemd uses.
fn group_roots() -> Vec<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    if top.join("cgroup.controllers").exists() {
        return vec![top.to_owned()];
    }
    ["unified", "systemd"].map(|name| top.join(name)).into_iter().filter(|root| root.exists()).collect()
}
