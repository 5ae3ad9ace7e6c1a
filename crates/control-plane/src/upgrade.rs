//! Pure: the rules of one upgrade. Reports arrive late, twice and in any order; an attempt only ever moves forward.
//! [`table`] has every move there is; here is what each does to the upgrade.

mod deadline;
mod gate;
mod table;

use jiff::Timestamp;
use novacula_protocol::people::{self, Artifact, Validation, ValidationState};
use novacula_protocol::spec::{AgentUpgradeSpec, Intent, PendingUpgrade, SpecHeader};
use novacula_protocol::sync::{ReportError, UpgradeReport};
use novacula_protocol::{Progress, Stage, Status};
use uuid::Uuid;

pub use deadline::{has_moved, timeout_at};
pub use gate::{Facts, by_people, gate, in_the_way, wants_a_person};
pub use table::Ask;
use table::{Input, Next, State, next, position};

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

/// Why a person's word is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotAllowed {
    /// In one word.
    pub code: &'static str,
    /// Why, and what to do instead.
    pub message: String,
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

    /// Its executor is not told of it yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.state() == State::Waiting
    }

    /// The executor tries it out, or is about to: nothing will be swapped.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.shown.intent == Intent::Validate
    }

    /// The executor shall hear of it: offered, not ended, and in time unless it is already at work.
    #[must_use]
    pub fn is_offered(&self, now: Timestamp) -> bool {
        match self.state() {
            State::Offered => now < self.shown.expires_at,
            State::At(..) => true,
            State::Waiting | State::GivenUp(_) | State::Dropped | State::Over(_) => false,
        }
    }

    /// The executor works on what a person has dropped, because it had been told before: it has to be told again.
    #[must_use]
    pub fn is_dropped_under_work(&self, report: &UpgradeReport) -> bool {
        self.state() == State::Dropped
            && is_about(report, self)
            && !matches!(Input::of(report), Input::Ended(_))
    }

    /// The spec, for an executor that fetches from `download_url`. The TTL limits the pick-up only: to an executor
    /// that is at work on it the spec stays fresh until `fresh_until`, however slow its link is.
    #[must_use]
    pub fn spec(&self, download_url: String, fresh_until: Timestamp) -> PendingUpgrade {
        let shown = &self.shown;
        let (intent, expires_at) = match self.state() {
            State::Offered | State::Waiting => (shown.intent, shown.expires_at),
            State::At(..) => (shown.intent, shown.expires_at.max(fresh_until)),
            State::Dropped | State::GivenUp(_) | State::Over(_) => (Intent::Abandon, fresh_until),
        };
        PendingUpgrade::Agent(AgentUpgradeSpec {
            header: SpecHeader {
                upgrade_id: shown.id.clone(),
                attempt: shown.attempt,
                intent,
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
        let shown = &self.shown;
        match (self.is_open(), self.is_picked_up(), shown.offered_at) {
            (true, true, _) => State::At(shown.stage, shown.status),
            (true, false, Some(_)) => State::Offered,
            (true, false, None) => State::Waiting,
            (false, ..) if !self.ended_by_server => State::Over(shown.stage),
            (false, ..) if shown.stage == Stage::Abandoned => State::Dropped,
            (false, true, _) => State::GivenUp(shown.error.as_ref().map(|error| error.stage)),
            (false, false, _) => State::GivenUp(None),
        }
    }

    fn put(&mut self, state: State, intent: Intent, now: Timestamp) {
        let (stage, status) = match state {
            State::Waiting if intent == Intent::Pause => (Stage::ConfirmStart, Status::Paused),
            State::Waiting | State::Offered => (Stage::ConfirmStart, Status::Unstarted),
            State::At(stage, status) => (stage, status),
            State::GivenUp(_) => (Stage::Failed, Status::Failed),
            State::Dropped => (Stage::Abandoned, Status::Completed),
            State::Over(end) => (end, status_at(end)),
        };
        let shown = &mut self.shown;
        (shown.stage, shown.status, shown.intent, shown.state) = (stage, status, intent, Progress::of(stage));
        self.ended_by_server = matches!(state, State::GivenUp(_) | State::Dropped);
        match state {
            State::Waiting => (shown.offered_at, shown.ended_at, shown.error) = (None, None, None),
            State::Offered => {
                shown.offered_at.get_or_insert(now);
            }
            State::At(..) => {
                shown.started_at.get_or_insert(now);
                shown.ended_at = None;
            }
            State::GivenUp(_) | State::Dropped => shown.ended_at = Some(now),
            State::Over(_) => {
                shown.started_at.get_or_insert(now);
                shown.ended_at = Some(now);
            }
        }
    }

    /// What was heard belongs to the attempts before; this one has not begun.
    fn begin_anew(&mut self, now: Timestamp) {
        let shown = &mut self.shown;
        shown.attempt += 1;
        (shown.started_at, shown.bytes_done, shown.bytes_total) = (None, 0, self.artifact.size);
        self.put(State::Waiting, Intent::Apply, now);
    }
}

/// The upgrade after a report: moved forward, or as it was.
#[must_use]
pub fn absorb(upgrade: &Upgrade, report: &UpgradeReport, now: Timestamp) -> Upgrade {
    if !is_about(report, upgrade) {
        return upgrade.clone();
    }
    let input = Input::of(report);
    let Some(step) = next(upgrade.state(), upgrade.shown.intent, input) else { return upgrade.clone() };
    let mut after = upgrade.clone();
    match step {
        Next::NewAttempt => {
            let passed = matches!(input, Input::Reached(..));
            after.end_dry_run(
                if passed { None } else { report.error.clone().or_else(|| ended_early(now)) },
                now,
            );
            return after;
        }
        Next::To(state, intent) => {
            let has_advanced =
                position(report.stage, report.status) > position(upgrade.shown.stage, upgrade.shown.status);
            after.put(state, intent, now);
            // An executor that stamps the same trouble anew at every sync must not cost a durable write each time.
            let is_news =
                has_advanced || !is_same_trouble(upgrade.shown.error.as_ref(), report.error.as_ref());
            after.shown.error = match state {
                State::At(..) if !is_news => upgrade.shown.error.clone(),
                _ => report.error.clone(),
            };
        }
    }
    after.shown.bytes_done = after.shown.bytes_done.max(report.bytes_done);
    after.shown.bytes_total = after.shown.bytes_total.max(report.bytes_total);
    after
}

/// The upgrade after a person said something about it.
///
/// # Errors
/// When it is not the time for that: with a code, and what to do instead.
pub fn steer(upgrade: &Upgrade, ask: Ask, now: Timestamp) -> Result<Upgrade, NotAllowed> {
    let (state, intent) = (upgrade.state(), upgrade.shown.intent);
    let Some(step) = next(state, intent, Input::Asked(ask)) else {
        let (code, message) = table::refused(state, intent, ask);
        return Err(NotAllowed { code, message });
    };
    let mut after = upgrade.clone();
    match step {
        Next::NewAttempt => after.begin_anew(now),
        Next::To(state, intent) => {
            // Whoever goes on with what was given up has read why.
            if ask == Ask::Continue {
                after.shown.error = None;
            }
            after.put(state, intent, now);
        }
    }
    Ok(after)
}

/// The upgrade after nothing stands in its way any more; its executor has `ttl_ms` to pick it up. As it was, where that
/// is not what it waits for.
#[must_use]
pub fn offer(upgrade: &Upgrade, ttl_ms: u64, now: Timestamp) -> Upgrade {
    let mut after = upgrade.clone();
    if let Some(Next::To(state, intent)) = next(upgrade.state(), upgrade.shown.intent, Input::Cleared) {
        after.put(state, intent, now);
        after.may_be_picked_up_for(ttl_ms, now);
    }
    after
}

/// The upgrade after something stands in its way again; `None` where it was picked up, or not offered.
#[must_use]
pub fn withdraw(upgrade: &Upgrade, now: Timestamp) -> Option<Upgrade> {
    moved(upgrade, Input::Withdrawn, now)
}

/// The upgrade after it was not picked up in time; `None` while that has not happened. While its deadline lies ahead
/// the wish stands, and it is offered again.
#[must_use]
pub fn lapse(upgrade: &Upgrade, now: Timestamp) -> Option<Upgrade> {
    if upgrade.state() != State::Offered || now < upgrade.shown.expires_at {
        return None;
    }
    if upgrade.shown.deadline.is_some_and(|deadline| now < deadline)
        && let Some(waiting) = withdraw(upgrade, now)
    {
        return Some(waiting);
    }
    let message = format!(
        "the executor had to pick the upgrade up before {}, it did not; retry it when the executor is online",
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
    if now < timeout_at(upgrade, since, sync_interval_ms)? {
        return None;
    }
    let message = format!(
        "there was no news of {} since {since}; look after the host. A success still counts when it is heard, and the \
         upgrade can be continued, retried or requested anew now",
        upgrade.shown.stage,
    );
    give_up(upgrade, Input::TimedOut, TIMED_OUT, message, now)
}

fn give_up(upgrade: &Upgrade, why: Input, code: &str, message: String, now: Timestamp) -> Option<Upgrade> {
    let error = ReportError { code: code.to_owned(), stage: upgrade.shown.stage, message, timestamp: now };
    let mut after = upgrade.clone();
    match next(upgrade.state(), upgrade.shown.intent, why)? {
        Next::NewAttempt => after.end_dry_run(Some(error), now),
        Next::To(state, intent) => {
            after.put(state, intent, now);
            after.shown.error = Some(error);
        }
    }
    Some(after)
}

fn moved(upgrade: &Upgrade, input: Input, now: Timestamp) -> Option<Upgrade> {
    let Next::To(state, intent) = next(upgrade.state(), upgrade.shown.intent, input)? else { return None };
    let mut after = upgrade.clone();
    after.put(state, intent, now);
    Some(after)
}

impl Upgrade {
    /// It may be picked up until then, and no longer.
    pub fn may_be_picked_up_for(&mut self, ttl_ms: u64, now: Timestamp) {
        self.shown.expires_at = after_ms(now, ttl_ms).unwrap_or(self.shown.expires_at);
    }

    fn end_dry_run(&mut self, error: Option<ReportError>, now: Timestamp) {
        if let Some(validation) = &mut self.shown.validation {
            validation.state =
                if error.is_none() { ValidationState::Passed } else { ValidationState::Failed };
            (validation.ended_at, validation.error) = (Some(now), error);
        }
        self.begin_anew(now);
    }

    /// A person asked for the dry run that is about to begin.
    pub fn note_validation(&mut self, by: &str, now: Timestamp) {
        self.shown.validation = Some(Validation {
            state: ValidationState::Running,
            attempt: self.shown.attempt,
            asked_by: by.to_owned(),
            asked_at: now,
            ended_at: None,
            error: None,
        });
    }
}

/// More than the bytes has changed: it must be durable before it is answered.
#[must_use]
pub fn is_durable_change(before: &Upgrade, after: &Upgrade) -> bool {
    let mut level = after.clone();
    level.shown.bytes_done = before.shown.bytes_done;
    level.shown.bytes_total = before.shown.bytes_total;
    level != *before
}

/// Between the two lies work of the executor, and nothing that others must hear of: neither its pick-up nor its end.
#[must_use]
pub fn is_step(before: &Upgrade, after: &Upgrade) -> bool {
    let is_at_work = |upgrade: &Upgrade| upgrade.is_open() && upgrade.is_picked_up();
    is_at_work(before) && is_at_work(after) && before.is_dry_run() == after.is_dry_run()
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

fn ended_early(now: Timestamp) -> Option<ReportError> {
    let message = "the host ended the dry run and did not say why; look at its log".to_owned();
    Some(ReportError { code: "not_validated".to_owned(), stage: Stage::Verify, message, timestamp: now })
}

fn is_same_trouble(known: Option<&ReportError>, reported: Option<&ReportError>) -> bool {
    let trouble = |e: &ReportError| (e.code.clone(), e.stage, e.message.clone());
    known.map(trouble) == reported.map(trouble)
}

#[cfg(test)]
pub(crate) mod tests;
