//! What the binary on trial does about itself, and what every binary does with a trial it finds at its start.

use std::path::Path;
use std::thread;

use jiff::Timestamp;
use novacula_protocol::spec::{Confirm, Intent};
use novacula_protocol::sync::{LogLine, UpgradeReport};
use novacula_protocol::{LogLevel, Refusal, RefusalCode, Stage, Status};

use super::{Agent, Course, RESTART_LIMIT, RestartDue};
use crate::error::{Error, chain};
use crate::upgrade::judge::{self, Decision, InPlace, OnTrial};
use crate::upgrade::swap;
use crate::upgrade::trial::{Elapsed, EndedAttempt, Trial, Verdict, find, report_error};
use crate::{disk, systemd, units};

impl Agent<'_> {
    /// What was open when the last process ended comes first.
    pub(super) fn settle(&self, course: &mut Course<'_>) -> Result<Option<RestartDue>, Error> {
        if self.records.trial()?.is_none() {
            self.note_first_start();
            return Ok(None);
        }
        // Decided under the lock only: another process may be between its record and its rename.
        let mut records = self.records.lock()?;
        let Some(trial) = self.records.trial()? else { return Ok(None) };
        let now = (self.clock.wall)();
        match (&trial.verdict, swap::in_place(&trial)?) {
            (Some(Verdict::RollBack(_)), InPlace::New | InPlace::Other) => {
                log::warn!("a rollback to {} was cut short, going on with it", trial.from_version);
                drop(records);
                return self.finish_rollback().map(Some);
            }
            (Some(_), _) => swap::finish(&mut records, &trial, now)?,
            (None, InPlace::New) if self.build.version == trial.target_version => {
                log::info!("{} is on trial", self.build.version);
                course.trial = records.change_trial(|trial| trial.seen_in_place = true)?;
            }
            (None, InPlace::New) => {
                log::warn!("{} is in place, and this is {} still", trial.target_version, self.build.version);
            }
            (None, found) => {
                log::warn!("the trial of {} left nothing to judge", trial.target_version);
                swap::discard(&mut records, &trial, found, now)?;
                records.remove_trial()?;
            }
        }
        Ok(None)
    }

    /// What a sysadmin installed belongs here until a trial commits something else.
    fn note_first_start(&self) {
        let noted = || -> Result<(), Error> {
            if self.records.committed()?.is_none() {
                let sha256 = disk::sha256_of(&self.places.binary)?;
                self.records.lock()?.note_committed(&self.build.version, &sha256)?;
            }
            Ok(())
        };
        if let Err(e) = noted() {
            log::warn!("{}", chain(&e));
        }
    }

    /// The control plane accepted a sync of this version: half of the proof.
    pub(super) fn note_accepted_sync(&self, course: &mut Course<'_>) {
        if course.trial.as_ref().is_none_or(|trial| trial.synced) {
            return;
        }
        let now_ms = (self.clock.ticks_ms)();
        let noted = self.records.lock().and_then(|mut records| {
            records.change_trial(|trial| {
                trial.synced = true;
                trial.inconclusive = false;
                trial.elapsed = Elapsed::begin(&self.boot_id, now_ms);
            })
        });
        match noted {
            Ok(trial) => course.trial = trial,
            Err(e) => log::error!("{}", chain(&e)),
        }
    }

    /// Commits, hands over to known-good code, or waits. A disk that is full is no reason to end: what cannot be
    /// written now is written at the next look.
    pub(super) fn look_at_trial(&self, course: &mut Course<'_>) -> Option<RestartDue> {
        self.judge(course).unwrap_or_else(|e| {
            log::error!("{}", chain(&e));
            None
        })
    }

    fn judge(&self, course: &mut Course<'_>) -> Result<Option<RestartDue>, Error> {
        let Some(trial) = &course.trial else { return Ok(None) };
        let up_ms = (self.clock.ticks_ms)().saturating_sub(self.started.1);
        match judge::by_itself(trial, OnTrial { up_ms, intent: course.intent }) {
            Decision::Commit => self.commit(course),
            Decision::AwaitConfirmation if !trial.healthy => {
                log::info!(
                    "{} is healthy and waits for a person to complete the upgrade",
                    self.build.version
                );
                course.trial = self.records.lock()?.change_trial(|trial| trial.healthy = true)?;
                self.ring(course);
                Ok(None)
            }
            Decision::RollBack(refusal) => {
                log::warn!("{refusal}");
                let error = report_error(refusal, (self.clock.wall)());
                course.trial = self.records.lock()?.decide(Verdict::RollBack(error))?;
                match &course.trial {
                    Some(_) => self.finish_rollback().map(Some),
                    None => Ok(None),
                }
            }
            Decision::FinishRollback => self.finish_rollback().map(Some),
            _ => Ok(None),
        }
    }

    fn commit(&self, course: &mut Course<'_>) -> Result<Option<RestartDue>, Error> {
        let mut records = self.records.lock()?;
        let Some(trial) = records.decide(Verdict::Commit)? else {
            course.trial = None;
            return Ok(None);
        };
        if let Some(Verdict::RollBack(_)) = trial.verdict {
            // The watcher was first, and a verdict is final.
            drop(records);
            return self.finish_rollback().map(Some);
        }
        swap::finish(&mut records, &trial, (self.clock.wall)())?;
        drop(records);
        let (at, level) = ((self.clock.wall)(), LogLevel::Success);
        let message = format!("{} had a sync accepted and stayed up: committed", self.build.version);
        log::info!("{message}");
        course.lines.push(LogLine { at, level, message });
        let ended = self.records.ended()?;
        course.telling = find(&ended, &trial.upgrade_id, trial.attempt).filter(|ended| ended.untold).cloned();
        course.trial = None;
        self.disarm(course);
        self.refresh_units();
        self.ring(course);
        Ok(None)
    }

    /// The units travel with the release, a step behind it: those of a version that may be rolled back are never
    /// written. At every start as well, for a version that a sysadmin has put back, or that was cut short here.
    pub(super) fn refresh_units(&self) {
        if !systemd::supervises_us()
            || !self.is_without_trial()
            || systemd::exec_path(systemd::AGENT).as_ref() != Some(&self.places.binary)
        {
            return;
        }
        match units::refresh(&self.build.version, self.places, self.records) {
            Ok(written) if written.is_empty() => {}
            Ok(written) => log::info!("{} now as {} wants them", written.join(", "), self.build.version),
            Err(e) => log::warn!("the units stay as they were: {}", chain(&e)),
        }
    }

    /// The old binary carries the rollback out, since it is known to be good; only where no systemd starts it do we
    /// do so ourselves.
    fn finish_rollback(&self) -> Result<RestartDue, Error> {
        if systemd::supervises_us() {
            systemd::notify("READY=1\nWATCHDOG=1");
            match systemd::start_rollback() {
                Ok(()) => thread::sleep(RESTART_LIMIT),
                Err(e) => log::warn!("{}", chain(&e)),
            }
        }
        let mut records = self.records.lock()?;
        if let Some(trial) = self.records.trial()? {
            swap::finish(&mut records, &trial, (self.clock.wall)())?;
        }
        Ok(RestartDue)
    }

    /// The time until the window is over, in ms, once only the window is missing.
    pub(super) fn until_healthy_ms(&self, course: &Course<'_>) -> Option<u64> {
        let trial = course.trial.as_ref().filter(|trial| trial.synced && !trial.healthy)?;
        let up_ms = (self.clock.ticks_ms)().saturating_sub(self.started.1);
        Some(trial.health_window_ms.saturating_sub(up_ms).max(1))
    }
}

/// What the binary on trial tells about its upgrade.
pub(super) fn report(trial: &Trial, intent: Option<Intent>, now: Timestamp) -> Option<UpgradeReport> {
    if !trial.reported {
        return None;
    }
    let stage = match trial.healthy && trial.confirm == Confirm::Manual {
        true => Stage::ConfirmCompletion,
        false => Stage::CheckHealth,
    };
    let error = (intent == Some(Intent::Abandon)).then(|| {
        let sentence = "an upgrade can be abandoned before the swap only; request a rollback instead";
        report_error(Refusal::new(RefusalCode::TooLate, sentence), now)
    });
    let ended = EndedAttempt::of_trial(trial, &Verdict::Commit, now);
    Some(UpgradeReport { stage, status: Status::Underway, error, ..ended.report() })
}

/// Sets the dead-man's switch, where there is a systemd to set it.
pub(super) fn arm_if_supervised(previous: &Path, data_dir: &Path) -> Result<(), Error> {
    if !systemd::supervises_us() {
        log::warn!("not a service of systemd: nobody but this binary watches the next one");
        return Ok(());
    }
    arm(previous, data_dir)
}

/// Sets the dead-man's switch.
///
/// # Errors
/// `units_missing`.
pub fn arm(previous: &Path, data_dir: &Path) -> Result<(), Error> {
    systemd::arm_trial_timer(previous, data_dir).map_err(|e| {
        let sentence = "the units that roll a bad release back must be installed for this agent (run \
                        `novacula-agent install`)";
        Error::refused(RefusalCode::UnitsMissing, format!("{sentence}: {}", chain(&e)))
    })
}

/// Asks systemd for the restart; where it does not answer, ending is enough, since it restarts whatever ends.
pub(super) fn restart() -> RestartDue {
    if systemd::supervises_us() {
        match systemd::restart_agent() {
            Ok(()) => thread::sleep(RESTART_LIMIT),
            Err(e) => log::warn!("{}", chain(&e)),
        }
    }
    RestartDue
}
