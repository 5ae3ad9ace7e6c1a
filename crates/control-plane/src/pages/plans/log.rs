//! What happened to a plan, as the activity tells it.

use novacula_protocol::people::{Action, Activity, Page};

use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;

/// The last entries of the activity about a plan.
pub(crate) async fn of(visitor: &Visitor, id: &str) -> Result<Vec<Activity>, Refused> {
    let page: Page<Activity> = visitor.get(&format!("/activity?limit=50&target={id}")).await?;
    Ok(page.items)
}

/// What was done, as people say it.
pub(crate) fn deed(action: &Action) -> String {
    let said = match action {
        Action::PlanApplied => "applied",
        Action::PlanApproved => "approved",
        Action::PlanApprovalWanted => "approval wanted",
        Action::PlanWaveBegan => "wave began",
        Action::PlanWavePassed => "wave passed",
        Action::PlanHalted => "halted",
        Action::PlanPaused => "paused",
        Action::PlanResumed => "resumed",
        Action::PlanGateSkipped => "gate skipped",
        Action::PlanRollbackRequested => "rollback asked for",
        Action::PlanRolledBack => "rolled back",
        Action::PlanCompleted => "completed",
        other => return other.to_string(),
    };
    said.to_owned()
}

/// The wave it is about.
pub(crate) fn wave(entry: &Activity) -> Option<&str> {
    entry.after.as_ref()?.get("wave")?.as_str()
}
