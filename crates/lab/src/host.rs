//! Real systemd hosts, one container each: booted in half a second, rebooted, cut off from power.

mod keeper;
mod tree;

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use tree::Suite;

use crate::checkout;
use crate::install::install;
use crate::lock::Lock;
use crate::wait::{poll, wait_for};
use keeper::Keeper;

const BOOT_LIMIT: Duration = Duration::from_secs(60);
const COMMAND_LIMIT_S: u32 = 60;
/// A machine with many processors would otherwise run a host for each of them.
const HOSTS_AT_ONCE: u32 = 4;
const TURN_LIMIT: Duration = Duration::from_secs(30 * 60);
/// What `systemd-nspawn` exits with when the host inside wants to boot again.
const EXIT_REBOOT: i32 = 133;

/// A machine with a systemd of its own; shares the network with the test. Ends, with all it wrote, when dropped.
pub struct Host {
    name: String,
    // Before the keeper: what runs ends before what it runs on.
    power: Option<Power>,
    keeper: Keeper,
    _turn: Option<Lock>,
}

/// A host that is switched on.
struct Power {
    nspawn: Child,
    init: Pid,
}

/// What a command on a host did.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code; 124 when it took too long.
    pub code: i32,
    /// What it said.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Host {
    /// Makes a new host and switches it on; comes back when its systemd is up.
    #[must_use]
    pub fn boot(suite: Suite) -> Self {
        Self::boot_with(Some(take_turn()), suite)
    }

    /// A second host for the same test, which therefore does not wait for its turn.
    #[must_use]
    pub fn neighbour(&self, suite: Suite) -> Self {
        Self::boot_with(None, suite)
    }

    fn boot_with(turn: Option<Lock>, suite: Suite) -> Self {
        let name = checkout::unique("novacula-lab");
        let keeper = Keeper::start(&name, suite);
        let mut host = Self { name, power: None, keeper, _turn: turn };
        // Its own identity, as if it had been installed: a first boot would go through presets and waste time.
        host.put("/etc/machine-id", format!("{}\n", checkout::random_hex::<16>()).as_bytes(), 0o444);
        host.boot_again();
        host
    }

    /// Switches a host on that was switched off or cut off.
    ///
    /// # Panics
    /// When it is on already, or does not come up.
    pub fn boot_again(&mut self) {
        assert!(self.power.is_none(), "{} is switched off", self.name);
        let console = OpenOptions::new().create(true).append(true).open(self.keeper.console());
        let console = console.expect("the host's console can be written");
        let script = format!(
            "exec systemd-nspawn --quiet --boot --register=no --keep-unit --link-journal=no \
             --resolv-conf=off --timezone=off --machine={} --directory={}",
            self.name,
            self.keeper.root().display()
        );
        let mut nspawn = self
            .keeper
            .enter(&script)
            .stdin(Stdio::null())
            .stdout(console.try_clone().expect("a file can be shared"))
            .stderr(console)
            .process_group(0)
            .spawn()
            .expect("nsenter is installed");
        let init = poll(BOOT_LIMIT, || match nspawn.try_wait() {
            Ok(None) => init_below(nspawn.id()).map(Some),
            ended => {
                eprintln!("lab: systemd-nspawn of {} has ended at once: {ended:?}", self.name);
                Some(None)
            }
        });
        let Some(Some(init)) = init else {
            let console = fs::read_to_string(self.keeper.console()).unwrap_or_default();
            panic!("systemd-nspawn starts {}; it says:\n{console}", self.name);
        };
        self.power = Some(Power { nspawn, init });
        wait_for("the host's systemd is up", BOOT_LIMIT, || {
            let state = self.systemctl(&["is-system-running"]).stdout;
            matches!(state.trim(), "running" | "degraded").then_some(())
        });
    }

    /// Switches it off as a power cut does: nobody inside hears of it.
    ///
    /// # Panics
    /// When it is off already.
    pub fn power_cut(&mut self) {
        let power = self.power.take().expect("the host is switched on");
        // The kernel ends a whole host with its PID 1; nspawn goes too, before it can say goodbye to anybody.
        for pid in [power.init, pid_of(&power.nspawn)] {
            kill(pid, Signal::SIGKILL).expect("a process of ours can be killed");
        }
        self.wait_off(power);
    }

    /// Boots it again in the orderly way.
    ///
    /// # Panics
    /// When it is off, or ends in another way than for a reboot.
    pub fn reboot(&mut self) {
        self.ok("systemctl --no-block reboot");
        let power = self.power.take().expect("the host is switched on");
        let code = self.wait_off(power);
        assert_eq!(code, Some(EXIT_REBOOT), "{} has ended for a reboot", self.name);
        self.boot_again();
    }

    fn wait_off(&self, mut power: Power) -> Option<i32> {
        let status = wait_for("systemd-nspawn has ended", BOOT_LIMIT, || {
            power.nspawn.try_wait().expect("a child of ours can be waited for")
        });
        wait_for("every process of the host has ended", BOOT_LIMIT, || {
            kill(power.init, None).is_err().then_some(())
        });
        status.code()
    }

    /// Runs a shell command on the host, as root.
    ///
    /// # Panics
    /// When the host is off.
    pub fn sh(&self, script: &str) -> Output {
        self.sh_within(COMMAND_LIMIT_S, script)
    }

    /// Like [`sh`](Self::sh), with another limit than a minute.
    ///
    /// # Panics
    /// When the host is off.
    pub fn sh_within(&self, limit_s: u32, script: &str) -> Output {
        let power = self.power.as_ref().expect("the host is switched on");
        let done = Command::new("timeout")
            .arg("--kill-after=5")
            .arg(limit_s.to_string())
            .args(["nsenter", "--all", "--target", &power.init.to_string(), "sh", "-c", script])
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .expect("timeout is installed");
        Output {
            code: done.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }

    /// Runs a shell command that must succeed; what it printed, without the last line's end.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn ok(&self, script: &str) -> String {
        let done = self.sh(script);
        assert_eq!(done.code, 0, "on {}: {script}\n{}{}", self.name, done.stdout, done.stderr);
        done.stdout.trim_end().to_owned()
    }

    /// `systemctl …` on the host.
    pub fn systemctl(&self, arguments: &[&str]) -> Output {
        self.sh(&format!("systemctl --no-pager {}", arguments.join(" ")))
    }

    /// One property of a unit, as `systemctl show` has it.
    #[track_caller]
    pub fn property(&self, unit: &str, property: &str) -> String {
        self.ok(&format!("systemctl show --value --property={property} {unit}"))
    }

    /// What a unit has logged since the host was made, over all its boots.
    pub fn journal(&self, unit: &str) -> String {
        self.sh(&format!("journalctl --no-pager --output=short-precise --unit='{unit}'")).stdout
    }

    /// Puts a file onto the host, whether it is on or off; what was there before is replaced, never written into.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, path: &str, bytes: &[u8], mode: u32) {
        install(bytes, &self.seen_from_outside(path), mode);
    }

    /// A file of the host, whether it is on or off; `None` when there is none.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.seen_from_outside(path)).ok()
    }

    /// Puts a program of this machine onto the host, with its loader and libraries: so it runs on every suite.
    ///
    /// # Panics
    /// When this machine has no such program.
    pub fn put_program(&self, program: &str) {
        let list = format!("found=$(command -v {program}) && echo $found && ldd $found");
        let needed = Command::new("sh").args(["-c", &list]).output().expect("sh is there");
        assert!(needed.status.success(), "{program} is installed (tests/prepare.sh)");
        let folder = format!("/opt/{program}");
        let mut loader = String::new();
        for path in
            String::from_utf8_lossy(&needed.stdout).split_whitespace().filter(|word| word.starts_with('/'))
        {
            let path = Path::new(path);
            let name = path.file_name().expect("a program has a name").to_string_lossy();
            if name.starts_with("ld-") {
                loader = format!("{folder}/{name}");
            }
            let bytes = fs::read(path).unwrap_or_else(|e| panic!("{} can be read: {e}", path.display()));
            self.put(&format!("{folder}/{name}"), &bytes, 0o755);
        }
        let run = format!("#!/bin/sh\nexec {loader} --library-path {folder} {folder}/{program} \"$@\"\n");
        self.put(&format!("/usr/local/bin/{program}"), run.as_bytes(), 0o755);
    }

    /// Its name, which is unique on this machine.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number, on this machine, of its PID 1: for tools that look at it from outside.
    ///
    /// # Panics
    /// When the host is off.
    #[must_use]
    pub fn init(&self) -> Pid {
        self.power.as_ref().expect("the host is switched on").init
    }

    fn seen_from_outside(&self, path: &str) -> PathBuf {
        assert!(path.starts_with('/'), "a path on a host is absolute, found {path}");
        let root = match &self.power {
            Some(power) => PathBuf::from(format!("/proc/{}/root", power.init)),
            None => self.keeper.root_from_outside(),
        };
        root.join(&path[1..])
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() && self.power.is_some() {
            let journal = self.sh("journalctl --no-pager --output=short-precise --lines=150").stdout;
            eprintln!("──── the journal of {}\n{journal}────", self.name);
        }
        if let Some(mut power) = self.power.take() {
            // An error means that it has ended by itself.
            let _ = kill(power.init, Signal::SIGKILL);
            let _ = kill(pid_of(&power.nspawn), Signal::SIGKILL);
            let _ = power.nspawn.wait();
        }
    }
}

/// The PID 1 of the host that this process runs: its child that is number 1 in a namespace of its own.
fn init_below(nspawn: u32) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let status = fs::read_to_string(Path::new("/proc").join(child).join("status")).ok()?;
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        let is_init =
            numbers.split_whitespace().count() > 1 && numbers.split_whitespace().last() == Some("1");
        is_init.then(|| child.parse().ok().map(Pid::from_raw)).flatten()
    })
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id fits"))
}

fn take_turn() -> Lock {
    let turns = checkout::cache().join("turns");
    wait_for("another test gives up its host", TURN_LIMIT, || {
        (0..HOSTS_AT_ONCE).find_map(|turn| Lock::now(&turns.join(turn.to_string())))
    })
}
