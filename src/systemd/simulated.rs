//! What stands in for systemd on the hosts that `stopped.rs` stops: it takes the orders that `systemctl` would, and
//! answers as the units in `systemd/` make it.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{AGENT, ROLLBACK, Service, TRIAL_TIMER};
use crate::disk::stop::{Part, here, leave};
use crate::error::Error;

/// One systemd.
pub(crate) struct Simulated {
    /// What the rollback unit runs, and on which records.
    previous: PathBuf,
    data_dir: PathBuf,
    units: Mutex<Units>,
}

/// What it knows of the units.
#[derive(Clone, Debug)]
pub(crate) struct Units {
    pub(crate) agent: Service,
    pub(crate) timer_is_armed: bool,
    pub(crate) judge_is_due: bool,
}

impl Simulated {
    /// As it comes up at boot: the agent is to be started, the timer is armed if a trial is open.
    pub(crate) fn boot(previous: PathBuf, data_dir: PathBuf) -> Self {
        let timer_is_armed = data_dir.join("trial.json").exists();
        let agent = Service { active: "activating".to_owned(), ..Service::default() };
        let units = Mutex::new(Units { agent, timer_is_armed, judge_is_due: false });
        Self { previous, data_dir, units }
    }

    pub(crate) fn units(&self) -> MutexGuard<'_, Units> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut units = self.units();
        let arguments = arguments.strip_prefix(&["--no-block"]).unwrap_or(arguments);
        match arguments {
            ["show", AGENT, ..] => {
                let Service { active, result, restarts, main_pid } = &units.agent;
                return Ok(format!(
                    "ActiveState={active}\nResult={result}\nNRestarts={restarts}\nMainPID={main_pid}"
                ));
            }
            ["show", ROLLBACK, "-p", "ExecStart", "--value"] => {
                let (path, data_dir) = (self.previous.display(), self.data_dir.display());
                return Ok(format!("{{ path={path} ; argv[]={path} judge --data-dir {data_dir} ; }}"));
            }
            ["is-active", TRIAL_TIMER] if !units.timer_is_armed => {
                return Err(Error::host("the timer is not armed"));
            }
            ["is-active", TRIAL_TIMER] => {}
            ["restart", TRIAL_TIMER] => units.timer_is_armed = true,
            ["stop", TRIAL_TIMER] => units.timer_is_armed = false,
            ["start", ROLLBACK] => units.judge_is_due = true,
            ["reset-failed", AGENT] => {
                units.agent.restarts = 0;
                if units.agent.has_failed() {
                    units.agent.active = "inactive".to_owned();
                }
            }
            ["start", AGENT] if units.agent.is_down() => units.agent.active = "activating".to_owned(),
            ["start", AGENT] => {}
            ["restart", AGENT] => units.agent.active = "activating".to_owned(),
            ["stop", AGENT] => units.agent.active = "inactive".to_owned(),
            other => panic!("nobody has taught this systemd {other:?}"),
        }
        Ok(String::new())
    }
}

/// Whether this thread plays a part on a host with such a systemd.
pub(super) fn is_here() -> bool {
    here().is_some()
}

/// What `systemctl` prints there.
pub(super) fn systemctl(arguments: &[&str]) -> Option<Result<String, Error>> {
    let (life, part) = here()?;
    let answer = life.systemd.answer(arguments);
    let ends_agent = matches!(arguments, ["stop", AGENT] | ["--no-block", "restart", AGENT]);
    if ends_agent || part == Part::Agent && matches!(arguments, ["--no-block", "start", ROLLBACK]) {
        life.end_agent();
        if part == Part::Agent {
            // Who asked for its own end does not live to hear the answer.
            let _ = leave();
        }
    }
    Some(answer)
}
