//! What the agent says to systemd and asks of it.

#![expect(clippy::disallowed_methods, reason = "this is the home of systemctl and of systemd's environment")]

use std::env;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::{Doing as _, Error};

#[cfg(test)]
pub(crate) mod simulated; // what stands in for systemd in tests in this process

/// The agent itself.
pub const AGENT: &str = "novacula-agent.service";
/// Runs `.prev` as the judge of a trial.
pub const ROLLBACK: &str = "novacula-agent-rollback.service";
/// Starts the rollback service again and again while a trial is open.
pub const TRIAL_TIMER: &str = "novacula-agent-trial.timer";

/// This process was started by systemd as a service that notifies.
#[must_use]
pub fn supervises_us() -> bool {
    (cfg!(test) || env::var_os("NOTIFY_SOCKET").is_some()) && is_running()
}

/// systemd is the init of this host.
#[must_use]
pub fn is_running() -> bool {
    #[cfg(test)]
    return simulated::is_here();
    #[cfg(not(test))]
    Path::new("/run/systemd/system").is_dir()
}

/// The longest time systemd waits for a sign of life, if it does.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    env::var("WATCHDOG_USEC").ok()?.parse().ok().map(Duration::from_micros)
}

/// Gives the watchdog so much more patience, from now on: nobody feeds it while a sync waits for its answer.
pub fn extend_watchdog(by_ms: u64) {
    if let Some(limit) = watchdog().filter(|_| by_ms > 0) {
        notify(&format!("WATCHDOG_USEC={}", limit.as_micros() + u128::from(by_ms) * 1_000));
    }
}

/// Sends a line of the notify protocol; without a listener it goes nowhere, and that is fine.
pub fn notify(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        // A notification that does not arrive is what the watchdog is for.
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}

/// What systemd knows of the agent's service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// `ActiveState`.
    pub active: String,
    /// `Result`: why it last ended.
    pub result: String,
    /// `NRestarts`: automatic restarts since somebody started or reset it.
    pub restarts: u32,
    /// `MainPID`, 0 when there is none.
    pub main_pid: u32,
}

impl Service {
    /// systemd has given up on it.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.active == "failed"
    }

    /// It does not run, and nobody is about to start it.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.has_failed() || self.active == "inactive"
    }
}

/// Asks systemd for the state of the agent's service.
///
/// # Errors
/// systemd does not answer.
pub fn agent_service() -> Result<Service, Error> {
    let text = systemctl(&["show", AGENT, "-p", "ActiveState,Result,NRestarts,MainPID"])?;
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default().to_owned()
    };
    Ok(Service {
        active: value("ActiveState"),
        result: value("Result"),
        restarts: value("NRestarts").parse().unwrap_or(0),
        main_pid: value("MainPID").parse().unwrap_or(0),
    })
}

/// Arms the dead-man's switch of a trial, and makes sure that it will run `previous` on the records in `data_dir`.
///
/// # Errors
/// It would not: the units are missing, or written for another place.
pub fn arm_trial_timer(previous: &Path, data_dir: &Path) -> Result<(), Error> {
    // What crashed before the swap must not be counted against what comes after it.
    forget_starts()?;
    must_judge(previous, data_dir)?;
    systemctl(&["restart", TRIAL_TIMER])?;
    // A start that is skipped because of a condition counts as done.
    systemctl(&["is-active", TRIAL_TIMER])
        .map(drop)
        .map_err(|_| Error::host(format!("{TRIAL_TIMER} must be active after its start, it is not")))
}

/// Makes sure that the judge is `previous`, and looks at the records in `data_dir`.
///
/// # Errors
/// Its unit says something else, or is not there.
pub fn must_judge(previous: &Path, data_dir: &Path) -> Result<(), Error> {
    let (path, judged) = (exec_path(ROLLBACK), judged_data_dir());
    if path.as_deref() == Some(previous) && judged.as_deref() == Some(data_dir) {
        return Ok(());
    }
    Err(Error::host(format!("{ROLLBACK} must run {} on {}", previous.display(), data_dir.display())))
}

/// How long the dead-man's switch has been armed, in ms of the monotonic clock `now_ms`; `None` when it is not.
#[must_use]
pub fn armed_for_ms(now_ms: u64) -> Option<u64> {
    let text = systemctl(&["show", TRIAL_TIMER, "-p", "ActiveEnterTimestampMonotonic", "--value"]).ok()?;
    let since_us: u64 = text.trim().parse().ok().filter(|since| *since > 0)?;
    Some(now_ms.saturating_sub(since_us / 1_000))
}

/// The file that systemd has read a unit from; `None` when it knows none.
#[must_use]
pub fn fragment_path(unit: &str) -> Option<PathBuf> {
    let text =
        is_running().then(|| systemctl(&["show", unit, "-p", "FragmentPath", "--value"]).ok()).flatten()?;
    Some(text.trim()).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The program that a unit runs; `None` when the unit is not known.
#[must_use]
pub fn exec_path(unit: &str) -> Option<PathBuf> {
    exec_start(unit)?.split("path=").nth(1)?.split(" ;").next().map(PathBuf::from)
}

/// The records that the judge looks at, as the unit says; `None` when it does not.
#[must_use]
pub fn judged_data_dir() -> Option<PathBuf> {
    let text = exec_start(ROLLBACK)?;
    let after = text.split("--data-dir ").nth(1)?;
    after.split([' ', ';']).next().map(PathBuf::from)
}

fn exec_start(unit: &str) -> Option<String> {
    is_running().then(|| systemctl(&["show", unit, "-p", "ExecStart", "--value"]).ok()).flatten()
}

/// Disarms the dead-man's switch. Does not wait: it may be the timer itself that started us.
///
/// # Errors
/// systemd does not answer.
pub fn disarm_trial_timer() -> Result<(), Error> {
    systemctl(&["--no-block", "stop", TRIAL_TIMER]).map(drop)
}

/// Lets the starts so far count no more: the limit is there to end a trial, not an agent that others restart often.
///
/// # Errors
/// systemd does not answer.
pub fn forget_starts() -> Result<(), Error> {
    systemctl(&["reset-failed", AGENT]).map(drop)
}

/// Asks for a restart of the agent, and does not wait: the asker is in the cgroup that ends with it.
///
/// # Errors
/// systemd does not answer.
pub fn restart_agent() -> Result<(), Error> {
    // A start that is refused because of earlier starts would look like a crash of the new binary.
    forget_starts()?;
    systemctl(&["--no-block", "restart", AGENT]).map(drop)
}

/// Starts the agent, whatever its past.
///
/// # Errors
/// systemd does not answer.
pub fn start_agent() -> Result<(), Error> {
    forget_starts()?;
    systemctl(&["--no-block", "start", AGENT]).map(drop)
}

/// Stops the agent and waits for its end; only from outside its cgroup.
///
/// # Errors
/// systemd does not answer or cannot stop it.
pub fn stop_agent() -> Result<(), Error> {
    systemctl(&["stop", AGENT]).map(drop)
}

/// Starts the rollback service without waiting.
///
/// # Errors
/// systemd does not answer.
pub fn start_rollback() -> Result<(), Error> {
    systemctl(&["--no-block", "start", ROLLBACK]).map(drop)
}

/// Runs `systemctl` and gives what it printed.
///
/// # Errors
/// It cannot be run, or says no: with its own words.
pub fn systemctl(arguments: &[&str]) -> Result<String, Error> {
    #[cfg(test)]
    if let Some(answer) = simulated::systemctl(arguments) {
        return answer;
    }
    let ran = Command::new("systemctl")
        .args(arguments)
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .output()
        .doing(|| format!("run systemctl {}", arguments.join(" ")))?;
    if ran.status.success() {
        return Ok(String::from_utf8_lossy(&ran.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let said = said.trim().lines().last().unwrap_or("it gave no reason").to_owned();
    Err(Error::host(format!("systemctl {} failed: {}", arguments.join(" "), crate::error::printable(&said))))
}
