//! Pure: the rules of one upgrade. Reports arrive late, twice and in any order; an upgrade only ever moves forward.
//!
//! ```text
//! CONFIRM_START ─▶ … ─▶ CONFIRM_COMPLETION ─▶ COMPLETED | ROLLEDBACK | ABANDONED | FAILED   (said by the executor: final)
//!       ├────────── not picked up in time ──▶ FAILED `lapsed`                               (said by the server: until
//!       └─▶ … ───── no news in time ────────▶ FAILED `timed_out`                             the executor says an end)
//! ```

mod deadline;
mod table;

use jiff::Timestamp;
use novacula_protocol::people::{self, Artifact};
use novacula_protocol::spec::{AgentUpgradeSpec, PendingUpgrade, SpecHeader};
use novacula_protocol::sync::{ReportError, UpgradeReport};
use novacula_protocol::{Progress, Stage, Status};
use uuid::Uuid;

pub use deadline::has_moved;
use table::{Input, State, next, position};

use crate::clock::after_ms;

/// The code of an upgrade that nobody picked up in time.
pub const LAPSED: &str = "lapsed";
/// The code of an upgrade whose executor brought no news of it in time.
pub const TIMED_OUT: &str = "timed_out";

/// One upgrade, with what people do not see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Whose.
    pub account_id: Uuid,
    /// The end is the server's guess; what the executor says later counts more.
    pub ended_by_server: bool,
    /// What is offered, as it was when it was requested.
    pub artifact: Artifact,
    /// What people see.
    pub shown: people::Upgrade,
}

impl Upgrade {
    /// It has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shown.ended_at.is_none()
    }

    /// The executor has said something about it.
    #[must_use]
    pub fn is_picked_up(&self) -> bool {
        self.shown.started_at.is_some()
    }

    /// The executor shall hear of it: due, not ended, and in time unless it is already at work.
    #[must_use]
    pub fn is_offered(&self, now: Timestamp) -> bool {
        self.is_open()
            && self.shown.scheduled_at <= now
            && (self.is_picked_up() || now < self.shown.expires_at)
    }

    /// The spec, for an executor that fetches from `download_url`. The TTL limits the pick-up only: to an executor
    /// that is at work on it the spec stays fresh until `fresh_until`, however slow its link is.
    #[must_use]
    pub fn spec(&self, download_url: String, fresh_until: Timestamp) -> PendingUpgrade {
        let shown = &self.shown;
        let expires_at = match self.is_picked_up() {
            true => shown.expires_at.max(fresh_until),
            false => shown.expires_at,
        };
        PendingUpgrade::Agent(AgentUpgradeSpec {
            header: SpecHeader {
                upgrade_id: shown.id.clone(),
                attempt: shown.attempt,
                intent: shown.intent,
                from_version: shown.from_version.clone(),
                target_version: shown.target_version.clone(),
                direction: shown.direction,
                confirm: shown.confirm,
                health_window_ms: shown.health_window_ms,
                expires_at,
            },
            download_url,
            size: self.artifact.size,
            sha256: self.artifact.sha256.clone(),
            signature: self.artifact.signature.clone(),
        })
    }

    fn state(&self) -> State {
        match (self.is_open(), self.ended_by_server, self.is_picked_up()) {
            (true, _, false) => State::Waiting,
            (true, _, true) => State::At(self.shown.stage, self.shown.status),
            (false, true, _) => State::GivenUp,
            (false, false, _) => State::Over(self.shown.stage),
        }
    }

    fn move_to(&mut self, stage: Stage, status: Status) {
        self.shown.stage = stage;
        self.shown.status = status;
        self.shown.state = Progress::of(stage);
    }
}

/// The upgrade after a report: moved forward, or as it was.
#[must_use]
pub fn absorb(upgrade: &Upgrade, report: &UpgradeReport, now: Timestamp) -> Upgrade {
    let mut after = upgrade.clone();
    if !is_about(report, upgrade) {
        return after;
    }
    let Some(state) = next(upgrade.state(), Input::of(report)) else { return after };
    after.shown.started_at.get_or_insert(now);
    match state {
        State::Over(end) => {
            after.move_to(end, status_at(end));
            after.ended_by_server = false;
            after.shown.error = report.error.clone();
            after.shown.ended_at = Some(now);
        }
        State::At(stage, status) => {
            after.move_to(stage, status);
            let has_advanced = position(stage, status) > position(upgrade.shown.stage, upgrade.shown.status);
            // An executor that stamps the same trouble anew at every sync must not cost a durable write each time.
            if has_advanced || !is_same_trouble(upgrade.shown.error.as_ref(), report.error.as_ref()) {
                after.shown.error = report.error.clone();
            }
        }
        State::Waiting | State::GivenUp => return upgrade.clone(),
    }
    take_bytes(&mut after, report);
    after
}

/// The upgrade after it was not picked up in time; `None` while that has not happened.
#[must_use]
pub fn lapse(upgrade: &Upgrade, now: Timestamp) -> Option<Upgrade> {
    if now < upgrade.shown.expires_at {
        return None;
    }
    let message = format!(
        "the executor had to pick the upgrade up before {}, it did not; request it again when it is online",
        upgrade.shown.expires_at
    );
    give_up(upgrade, Input::NotPickedUp, LAPSED, message, now)
}

/// The upgrade after it has stood where it stands `since` then, for longer than its stage may last; `None` while
/// that has not happened.
#[must_use]
pub fn time_out(
    upgrade: &Upgrade,
    since: Timestamp,
    sync_interval_ms: u64,
    now: Timestamp,
) -> Option<Upgrade> {
    let limit_ms = deadline::limit_ms(upgrade, sync_interval_ms)?;
    if now < after_ms(since, limit_ms)? {
        return None;
    }
    let message = format!(
        "there was no news of {} for {} s, since {since}; look after the host. A success still counts when it is \
         heard, and a new upgrade can be requested now",
        upgrade.shown.stage,
        limit_ms / 1_000
    );
    give_up(upgrade, Input::TimedOut, TIMED_OUT, message, now)
}

fn give_up(upgrade: &Upgrade, why: Input, code: &str, message: String, now: Timestamp) -> Option<Upgrade> {
    if next(upgrade.state(), why) != Some(State::GivenUp) {
        return None;
    }
    let mut after = upgrade.clone();
    after.move_to(Stage::Failed, Status::Failed);
    after.ended_by_server = true;
    after.shown.ended_at = Some(now);
    after.shown.error =
        Some(ReportError { code: code.to_owned(), stage: upgrade.shown.stage, message, timestamp: now });
    Some(after)
}

/// More than the bytes has changed: it must be durable before it is answered.
#[must_use]
pub fn is_durable_change(before: &Upgrade, after: &Upgrade) -> bool {
    let mut level = after.clone();
    level.shown.bytes_done = before.shown.bytes_done;
    level.shown.bytes_total = before.shown.bytes_total;
    level != *before
}

/// The report speaks of this attempt, not of an older one.
#[must_use]
pub fn is_about(report: &UpgradeReport, upgrade: &Upgrade) -> bool {
    report.upgrade_id == upgrade.shown.id && report.attempt == upgrade.shown.attempt
}

fn status_at(end: Stage) -> Status {
    match end {
        Stage::Completed | Stage::Abandoned => Status::Completed,
        Stage::RolledBack => Status::RolledBack,
        _ => Status::Failed,
    }
}

fn is_same_trouble(known: Option<&ReportError>, reported: Option<&ReportError>) -> bool {
    let trouble = |e: &ReportError| (e.code.clone(), e.stage, e.message.clone());
    known.map(trouble) == reported.map(trouble)
}

fn take_bytes(after: &mut Upgrade, report: &UpgradeReport) {
    after.shown.bytes_done = after.shown.bytes_done.max(report.bytes_done);
    after.shown.bytes_total = after.shown.bytes_total.max(report.bytes_total);
}

#[cfg(test)]
pub(crate) mod tests;
