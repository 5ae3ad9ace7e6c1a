//! One fault at one system call of a running agent, by strace; and what a run without a fault calls.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use novacula_lab::wait_for;

/// Everything by which the agent changes a disk, under the names of every architecture; a `?` in front makes strace
/// pass over names that this one lacks.
const CHANGES: [&str; 14] = [
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "link",
    "linkat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "fchmod",
    "fchown",
];

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// The process ends before the call does anything.
    Kill,
    /// The call fails: the disk is full.
    NoSpace,
    /// The call fails: the disk is broken.
    Broken,
}

impl Harm {
    /// What can go wrong with this call.
    pub fn of(syscall: &str) -> &'static [Harm] {
        match syscall {
            "write" | "pwrite64" | "link" | "linkat" | "rename" | "renameat" | "renameat2" => {
                &[Harm::Kill, Harm::NoSpace, Harm::Broken]
            }
            _ => &[Harm::Kill, Harm::Broken],
        }
    }
}

/// The `nth` call of `syscall` by one thread.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub syscall: String,
    pub nth: u32,
    pub harm: Harm,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} number {}", self.harm, self.syscall, self.nth)
    }
}

/// strace with its log.
pub struct Strace {
    log: PathBuf,
    attached: Option<Child>,
}

impl Drop for Strace {
    fn drop(&mut self) {
        // One that traces a program from its start ends with that program.
        if let Some(attached) = &mut self.attached {
            let _ = attached.kill();
            let _ = attached.wait();
        }
    }
}

impl Strace {
    /// Attaches to every thread of a running process, and to those that it will start. strace counts calls for each
    /// thread: from here, and not from the start, so that those of the thread that upgrades are reached.
    pub fn attach(process: u32, point: Option<&Point>, log: PathBuf) -> Self {
        let mut strace = command(point, &log);
        let attached = strace.arg("-p").arg(process.to_string()).stderr(Stdio::null()).spawn();
        let this = Self { log, attached: Some(attached.expect("strace is there")) };
        wait_for("strace has attached", Duration::from_secs(10), || {
            let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
            threads.flatten().all(|thread| is_traced(&thread.path())).then_some(())
        });
        this
    }

    /// What has to stand in front of a program to trace it from its start; its process is then the program's own.
    pub fn from_the_start(point: Option<&Point>, log: PathBuf) -> (Command, Self) {
        let mut strace = command(point, &log);
        strace.args(["-D", "--"]);
        (strace, Self { log, attached: None })
    }

    /// Whether a call was made to fail; a kill shows in the process.
    pub fn has_injected(&self) -> bool {
        self.calls().contains("(INJECTED)")
    }

    /// All calls, one a line.
    pub fn calls(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// The most calls of each kind that one thread made, by the log of a run.
pub fn counts(calls: &str) -> BTreeMap<String, u32> {
    let mut by_thread = BTreeMap::<(&str, &str), u32>::new();
    for line in calls.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        if CHANGES.contains(&name) {
            *by_thread.entry((name, thread)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::<String, u32>::new();
    for ((name, _), count) in by_thread {
        let known = most.entry(name.to_owned()).or_default();
        *known = count.max(*known);
    }
    most
}

fn command(point: Option<&Point>, log: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-o"]).arg(log).stdin(Stdio::null());
    match point {
        None => {
            let names = CHANGES.map(|name| format!("?{name}"));
            strace.args(["-e", &format!("trace={}", names.join(","))]);
        }
        Some(Point { syscall, nth, harm }) => {
            let what = match harm {
                Harm::Kill => "signal=KILL",
                Harm::NoSpace => "error=ENOSPC",
                Harm::Broken => "error=EIO",
            };
            strace.args(["-e", &format!("trace={syscall}")]);
            strace.args(["-e", &format!("inject={syscall}:{what}:when={nth}")]);
        }
    }
    strace
}

fn is_traced(thread: &Path) -> bool {
    let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
}
