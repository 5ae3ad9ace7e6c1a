//! Pure: the rules of one upgrade. Reports arrive late, twice and in any order; an upgrade only ever moves forward.
//!
//! ```text
//! CONFIRM_START ─▶ … ─▶ CONFIRM_COMPLETION ─▶ COMPLETED | ROLLEDBACK | ABANDONED | FAILED   (said by the executor: final)
//!       └────────── not picked up in time ──▶ FAILED `lapsed`                               (said by the server: until
//!                                                                                            the executor says an end)
//! ```

use jiff::Timestamp;
use novacula_protocol::people::{self, Artifact};
use novacula_protocol::spec::{AgentUpgradeSpec, PendingUpgrade, SpecHeader};
use novacula_protocol::sync::{ReportError, UpgradeReport};
use novacula_protocol::{Progress, Stage, Status};
use uuid::Uuid;

/// The code of an upgrade that nobody picked up in time.
pub const LAPSED: &str = "lapsed";

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
    if let Some(end) = end_of(report) {
        if upgrade.is_open() || upgrade.ended_by_server {
            after.move_to(end, status_at(end));
            after.ended_by_server = false;
            after.shown.error = report.error.clone();
            after.shown.started_at.get_or_insert(now);
            after.shown.ended_at = Some(now);
            take_bytes(&mut after, report);
        }
        return after;
    }
    if !upgrade.is_open() {
        return after;
    }
    after.shown.started_at.get_or_insert(now);
    let (here, there) =
        (position(upgrade.shown.stage, upgrade.shown.status), position(report.stage, report.status));
    if there < here {
        return after;
    }
    after.move_to(report.stage, report.status);
    // An executor that stamps the same trouble anew at every sync must not cost a durable write each time.
    if there > here || !is_same_trouble(upgrade.shown.error.as_ref(), report.error.as_ref()) {
        after.shown.error = report.error.clone();
    }
    take_bytes(&mut after, report);
    after
}

/// The upgrade after it was not picked up in time; `None` while that has not happened.
#[must_use]
pub fn lapse(upgrade: &Upgrade, now: Timestamp) -> Option<Upgrade> {
    if !upgrade.is_open() || upgrade.is_picked_up() || now < upgrade.shown.expires_at {
        return None;
    }
    let mut after = upgrade.clone();
    after.move_to(Stage::Failed, Status::Failed);
    after.ended_by_server = true;
    after.shown.ended_at = Some(now);
    after.shown.error = Some(ReportError {
        code: LAPSED.to_owned(),
        stage: Stage::ConfirmStart,
        message: format!(
            "the executor had to pick the upgrade up before {}, it did not; request it again when it is online",
            upgrade.shown.expires_at
        ),
        timestamp: now,
    });
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

/// The end a report speaks of. A stage up to VERIFY that failed is one too, whatever word stands there: nothing was
/// swapped, so nothing can follow. From SWAP on a failed stage is followed by the news of the rollback.
fn end_of(report: &UpgradeReport) -> Option<Stage> {
    match (report.stage, report.status) {
        (stage, _) if stage.is_end() => Some(stage),
        (_, Status::RolledBack) => Some(Stage::RolledBack),
        (stage, Status::Failed) if stage <= Stage::Verify => Some(Stage::Failed),
        _ => None,
    }
}

fn status_at(end: Stage) -> Status {
    match end {
        Stage::Completed | Stage::Abandoned => Status::Completed,
        Stage::RolledBack => Status::RolledBack,
        _ => Status::Failed,
    }
}

/// How far along: paused and underway are the same distance, since a person moves an upgrade between them.
fn position(stage: Stage, status: Status) -> (Stage, u8) {
    let within = match status {
        Status::Unstarted => 0,
        Status::Underway | Status::Paused => 1,
        Status::Completed | Status::RolledBack | Status::Failed => 2,
    };
    (stage, within)
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
