//! Pure: what an upgrade waits for before its executor is told of it. The rules stand in the order in which they are
//! asked; the first that stops it is the answer.

use jiff::Timestamp;
use novacula_protocol::people::{Wait, WaitCode};
use novacula_protocol::spec::{Confirm, Intent};

use super::Upgrade;

/// What the rules look at, beside the upgrade itself.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The steps of its release that nobody has acknowledged.
    pub open_prerequisites: Vec<u32>,
    /// An older upgrade of the account, of another type, that was not picked up: its id, its type and its executor.
    pub older: Option<(String, String, String)>,
    /// The freeze or window that stops it.
    pub calendar: Option<Wait>,
}

/// The first rule that stops it; none while it is not waiting for its turn.
#[must_use]
pub fn gate(upgrade: &Upgrade, facts: &Facts, now: Timestamp) -> Option<Wait> {
    if !upgrade.is_waiting() {
        return None;
    }
    wants_a_person(upgrade, &facts.open_prerequisites)
        .or_else(|| not_due(upgrade, now))
        .or_else(|| in_the_way(upgrade, facts))
}

/// What only a person can change.
#[must_use]
pub fn wants_a_person(upgrade: &Upgrade, open_prerequisites: &[u32]) -> Option<Wait> {
    by_people(upgrade, open_prerequisites).or_else(|| awaits_its_start(upgrade))
}

/// What no force goes past: the word of another person.
#[must_use]
pub fn by_people(upgrade: &Upgrade, open_prerequisites: &[u32]) -> Option<Wait> {
    let shown = &upgrade.shown;
    if shown.intent == Intent::Pause {
        return stop(WaitCode::UpgradePaused, "a person paused it; continue it".to_owned());
    }
    if shown.approval.as_ref().is_some_and(|approval| approval.approved_by.is_none()) {
        let by = &shown.requested_by;
        let sentence = format!("it wants the approval of somebody else than {by}, who requested it");
        return stop(WaitCode::ApprovalWanted, sentence);
    }
    if !open_prerequisites.is_empty() {
        let numbers: Vec<_> = open_prerequisites.iter().map(u32::to_string).collect();
        let numbers = numbers.join(", ");
        let sentence = format!("the prerequisites {numbers} of its release are to be acknowledged first");
        return stop(WaitCode::PrerequisitesOpen, sentence);
    }
    None
}

/// What a person may go past with force, and a reason.
#[must_use]
pub fn in_the_way(upgrade: &Upgrade, facts: &Facts) -> Option<Wait> {
    if upgrade.shown.forced {
        return None;
    }
    let Some((id, kind, executor)) = &facts.older else { return facts.calendar.clone() };
    let message = format!(
        "the older upgrade {id} of `{executor}`, of type {kind}, comes first; start, reschedule or abandon that one"
    );
    Some(Wait { code: WaitCode::OlderUpgradePending, message, upgrade_id: Some(id.clone()) })
}

fn awaits_its_start(upgrade: &Upgrade) -> Option<Wait> {
    let shown = &upgrade.shown;
    if shown.confirm_start == Confirm::Auto || shown.started_by.is_some() {
        return None;
    }
    stop(WaitCode::StartAwaited, "a person has to start it".to_owned())
}

fn not_due(upgrade: &Upgrade, now: Timestamp) -> Option<Wait> {
    let due = upgrade.shown.scheduled_at;
    if due <= now {
        return None;
    }
    stop(WaitCode::NotDue, format!("it is scheduled for {due}"))
}

fn stop(code: WaitCode, message: String) -> Option<Wait> {
    Some(Wait { code, message, upgrade_id: None })
}
