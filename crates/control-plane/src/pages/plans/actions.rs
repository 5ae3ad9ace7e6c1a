//! What a visitor can do to a plan: what works now, and why the rest does not.

use novacula_protocol::people::{FleetPlan, PlanState, Wave, WaveState};

use super::said;
use crate::pages::action::{Action, Look};
use crate::pages::visitor::Visitor;
use crate::pages::words;
use crate::right::Right;

/// The rights of a visitor, as far as they matter here: why each is lacking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cannot {
    pub steer: Option<String>,
    pub administer: Option<String>,
    /// Who looks.
    pub name: String,
}

impl Cannot {
    pub(crate) fn of(visitor: &Visitor) -> Self {
        Self {
            steer: visitor.cannot(Right::Steer),
            administer: visitor.cannot(Right::Administer),
            name: visitor.session.name.clone(),
        }
    }
}

/// What can be done to the whole plan, what most people come for first.
pub(crate) fn of_plan(plan: &FleetPlan, cannot: &Cannot) -> Vec<Action> {
    let action = |label: &str, verb: &str, look: Look, not_now: Option<String>| {
        // Who approves a wave approves the one that they saw waiting.
        let wave =
            said::current(plan).filter(|_| verb == "approve" && plan.state != PlanState::ApprovalWanted);
        let wave = wave.map(|(_, wave)| format!("?{}", words::query([("wave", wave.name.as_str())])));
        let href = format!("/plans/{}/{verb}{}", plan.id, wave.unwrap_or_default());
        Action::new(label, href, look).unless(cannot.steer.clone()).unless(not_now)
    };
    let approve = not_to_approve(plan, &cannot.name);
    let first = |is_first: bool| if is_first { Look::First } else { Look::Plain };
    let is_halted = plan.state == PlanState::Halted;
    vec![
        action("Approve", "approve", first(approve.is_none()), approve),
        action("Halt", "halt", Look::Plain, not_to_halt(plan)),
        action("Resume", "resume", first(is_halted), not_to_resume(plan)),
        action("Roll back", "rollback", Look::Grave, not_to_roll_back(plan)),
        action("Delete", "delete", Look::Grave, not_to_delete(plan)),
    ]
}

/// What can be done to one wave.
pub(crate) fn of_wave(plan: &FleetPlan, wave: &Wave, cannot: &Cannot) -> Action {
    let href = format!("/plans/{}/rollback?{}", plan.id, words::query([("wave", wave.name.as_str())]));
    let not_now = match wave.state {
        WaveState::Pending => Some("It has not begun; nothing is to be undone.".to_owned()),
        WaveState::RolledBack => Some("It is rolled back.".to_owned()),
        _ => not_to_roll_back(plan),
    };
    Action::new("Roll back this wave", href, Look::Grave).unless(cannot.steer.clone()).unless(not_now)
}

/// To let a wave past one of its gates.
pub(crate) fn of_gate(plan: &FleetPlan, wave: &Wave, gate: &str, cannot: &Cannot) -> Action {
    let query = words::query([("wave", wave.name.as_str()), ("gate", gate)]);
    let is_skipped = wave.gates.iter().any(|one| one.name == gate && one.skipped);
    let not_now = if is_skipped {
        Some("It is skipped.")
    } else if wave.state == WaveState::Passed {
        Some("The wave has passed.")
    } else if plan.state.is_end() {
        Some("The plan has ended.")
    } else {
        None
    };
    Action::new("Skip", format!("/plans/{}/skip-gate?{query}", plan.id), Look::Plain)
        .unless(cannot.administer.clone())
        .unless(not_now.map(str::to_owned))
}

fn not_to_approve(plan: &FleetPlan, name: &str) -> Option<String> {
    if plan.state == PlanState::ApprovalWanted {
        let is_own = plan.requested_by == name;
        return is_own.then(|| format!("{name} applied the plan; somebody else has to approve it."));
    }
    let is_under_way = matches!(plan.state, PlanState::Running | PlanState::Paused);
    let wave = said::current(plan).filter(|(_, wave)| is_under_way && wave.state == WaveState::Gate);
    let is_asked = wave.is_some_and(|(_, wave)| said::open_approvals(plan, wave).next().is_some());
    (!is_asked).then(|| "No wave waits for an approval now; a wave does so when it has soaked.".to_owned())
}

fn not_to_halt(plan: &FleetPlan) -> Option<String> {
    use PlanState::{ApprovalWanted, Paused, Running};
    let can = matches!(plan.state, ApprovalWanted | Paused | Running);
    (!can).then(|| format!("Nothing goes on: {}.", stands(plan)))
}

fn not_to_resume(plan: &FleetPlan) -> Option<String> {
    let said = match plan.state {
        PlanState::Halted => return None,
        PlanState::Paused => {
            "It goes on by itself once the reason is gone; only what is halted is resumed.".to_owned()
        }
        _ => format!("Only what is halted is resumed: {}.", stands(plan)),
    };
    Some(said)
}

fn not_to_roll_back(plan: &FleetPlan) -> Option<String> {
    (plan.state == PlanState::RolledBack).then(|| "What it did is undone.".to_owned())
}

fn not_to_delete(plan: &FleetPlan) -> Option<String> {
    let is_at_work = matches!(plan.state, PlanState::Running | PlanState::Paused | PlanState::RollingBack);
    is_at_work.then(|| format!("Halt it first: {}.", stands(plan)))
}

fn stands(plan: &FleetPlan) -> String {
    format!("it is {}", said::plan(&plan.state).word.to_lowercase())
}
