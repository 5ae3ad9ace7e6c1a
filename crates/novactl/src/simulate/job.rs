//! Pure: one attempt of one upgrade, as an executor carries it out, from the offer to its end.

use jiff::Timestamp;
use novacula_protocol::spec::{Confirm, Intent, SpecHeader};
use novacula_protocol::sync::{ReportError, UpgradeReport};
use novacula_protocol::{Stage, Status};
use semver::Version;

use super::dice::Dice;
use super::pace::later;

/// How many bytes an artifact seems to have: none is downloaded.
pub const BYTES: u64 = 4_000_000;

const SECOND_MS: u64 = 1_000;

/// One attempt of one upgrade.
pub type Attempt = (String, u32);

/// The attempt in hand, or the last one until it is no longer offered.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which.
    pub attempt: Attempt,
    /// What the control plane wants of it now.
    pub intent: Intent,
    /// What ran before.
    pub from: Version,
    /// What it leads to.
    pub target: Version,
    /// Where it stands.
    pub stage: Stage,
    /// How that stage is doing.
    pub status: Status,
    /// The new version was put in place.
    pub has_swapped: bool,
    /// When it goes on by itself.
    pub due: Option<Timestamp>,
    confirm: Confirm,
    window_ms: u64,
    interval_ms: u64,
    error: Option<ReportError>,
}

impl Job {
    /// Takes an offer up: refused, dropped, or begun. `interval_ms` lies between two syncs.
    pub fn begin(
        told: &SpecHeader,
        runs: &Version,
        interval_ms: u64,
        now: Timestamp,
        dice: &mut Dice,
    ) -> Self {
        let mut job = Self {
            attempt: (told.upgrade_id.clone(), told.attempt),
            intent: told.intent,
            from: told.from_version.clone(),
            target: told.target_version.clone(),
            stage: Stage::ConfirmStart,
            status: Status::Unstarted,
            has_swapped: false,
            due: None,
            confirm: told.confirm,
            window_ms: told.health_window_ms,
            interval_ms,
            error: None,
        };
        if told.expires_at <= now {
            job.fail("stale_spec", &format!("the spec expired at {}, it is {now}", told.expires_at), now);
        } else if told.from_version != *runs {
            let found =
                format!("the spec is for a host that runs {}, this one runs {runs}", told.from_version);
            job.fail("unexpected_state", &found, now);
        } else {
            match told.intent {
                Intent::Apply | Intent::Validate | Intent::Complete => job.enter(Stage::Preflight, now, dice),
                Intent::Pause => job.status = Status::Paused,
                Intent::Abandon | Intent::Rollback => job.end(Stage::Abandoned),
            }
        }
        job
    }

    /// Hears what the control plane wants of it now.
    pub fn steer(&mut self, intent: Intent, now: Timestamp, dice: &mut Dice) {
        if self.intent == intent || self.stage.is_end() {
            return;
        }
        let before = std::mem::replace(&mut self.intent, intent);
        match intent {
            Intent::Rollback if self.has_swapped => {
                self.error = Some(self.trouble("rollback_requested", "a person asked for it", now));
                self.end(Stage::RolledBack);
            }
            Intent::Abandon | Intent::Rollback if !self.has_swapped => self.end(Stage::Abandoned),
            Intent::Abandon => {
                self.error = Some(self.trouble("too_late", "the new version is in place already", now));
            }
            Intent::Complete if self.stage == Stage::ConfirmCompletion => self.end(Stage::Completed),
            // It stands still where it is; a trial runs to its end.
            Intent::Pause if !self.has_swapped => (self.status, self.due) = (Status::Paused, None),
            Intent::Apply | Intent::Validate if before == Intent::Pause && self.status == Status::Paused => {
                let stage = self.stage.max(Stage::Preflight);
                self.enter(stage, now, dice);
            }
            _ => {}
        }
    }

    /// Does the next step, whose time has come.
    pub fn step(&mut self, now: Timestamp, dice: &mut Dice) {
        self.due = None;
        let next = match self.stage {
            Stage::ConfirmStart => Stage::Preflight,
            Stage::Preflight => Stage::Download,
            Stage::Download => Stage::Verify,
            Stage::Verify if self.intent == Intent::Validate => {
                self.status = Status::Completed;
                return;
            }
            Stage::Verify => Stage::Swap,
            Stage::Swap => Stage::Restart,
            Stage::Restart => Stage::CheckHealth,
            Stage::CheckHealth if self.confirm == Confirm::Manual => Stage::ConfirmCompletion,
            Stage::CheckHealth | Stage::ConfirmCompletion => return self.end(Stage::Completed),
            Stage::Completed | Stage::RolledBack | Stage::Abandoned | Stage::Failed => return,
        };
        self.enter(next, now, dice);
    }

    /// The new version does not start: the old one is brought back by its own code.
    pub fn go_back(&mut self, now: Timestamp) {
        self.error = Some(self.trouble("crash_loop", "the new version ended three times (simulated)", now));
        self.end(Stage::RolledBack);
    }

    /// What runs on the host by its doing.
    pub fn runs(&self) -> &Version {
        match self.stage {
            Stage::CheckHealth | Stage::ConfirmCompletion | Stage::Completed => &self.target,
            _ => &self.from,
        }
    }

    /// Nothing more comes of this attempt.
    pub fn is_over(&self) -> bool {
        self.stage.is_end() || (self.stage == Stage::Verify && self.status == Status::Completed)
    }

    /// What its trouble is called.
    pub fn error_code(&self) -> Option<String> {
        self.error.as_ref().map(|error| error.code.clone())
    }

    /// It leads to a higher version: faults are those of new versions.
    pub fn is_forward(&self) -> bool {
        self.target > self.from
    }

    /// What is said of it.
    pub fn report(&self) -> UpgradeReport {
        UpgradeReport {
            upgrade_id: self.attempt.0.clone(),
            attempt: self.attempt.1,
            stage: self.stage,
            status: self.status,
            bytes_done: if self.stage >= Stage::Verify { BYTES } else { 0 },
            bytes_total: if self.stage >= Stage::Download { BYTES } else { 0 },
            error: self.error.clone(),
            log: Vec::new(),
        }
    }

    fn enter(&mut self, stage: Stage, now: Timestamp, dice: &mut Dice) {
        (self.stage, self.status) = (stage, Status::Underway);
        self.has_swapped |= stage >= Stage::Swap;
        let (least, most) = match stage {
            Stage::Preflight | Stage::Verify => (1, 5),
            // So long that executors of one wave are at it together, however fast time goes.
            Stage::Download => {
                let share = dice.within(3, 10);
                self.due = Some(later(now, self.interval_ms / 10 * share + 10 * SECOND_MS));
                return;
            }
            Stage::Swap => (1, 1),
            Stage::Restart => (2, 8),
            Stage::CheckHealth => {
                self.due = Some(later(now, self.window_ms));
                return;
            }
            // A person says when.
            _ => return,
        };
        self.due = Some(later(now, dice.within(least * SECOND_MS, most * SECOND_MS)));
    }

    fn end(&mut self, end: Stage) {
        self.due = None;
        self.status = match end {
            Stage::RolledBack => Status::RolledBack,
            Stage::Failed => Status::Failed,
            _ => Status::Completed,
        };
        self.stage = end;
    }

    fn fail(&mut self, code: &str, found: &str, now: Timestamp) {
        self.error = Some(self.trouble(code, found, now));
        self.end(Stage::Failed);
    }

    fn trouble(&self, code: &str, message: &str, now: Timestamp) -> ReportError {
        ReportError { code: code.to_owned(), stage: self.stage, message: message.to_owned(), timestamp: now }
    }
}
