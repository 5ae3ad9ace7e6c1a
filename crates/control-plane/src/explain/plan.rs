//! Pure: what of a fleet plan keeps an executor waiting.

use std::collections::BTreeMap;

use novacula_protocol::people::{LateArrivers, MemberOutcome, PlanState, Rule, Selector, WaveState};
use semver::Version;

use crate::in_plan::wave_by_labels;
use crate::labels::Labels;
use crate::store::PlanOfExecutor;

/// Where an executor stands in a plan that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStand {
    /// What the plan is called.
    pub plan: String,
    /// Where it leads.
    pub target_version: Version,
    /// Where it stands.
    pub state: PlanState,
    /// Why.
    pub reason: String,
    /// The wave that has the executor, or will.
    pub wave: WaveStand,
    /// The first wave that has not passed.
    pub current: WaveStand,
    /// What became of it, once its wave has begun.
    pub member: Option<MemberStand>,
}

/// Where a wave stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveStand {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub state: WaveState,
    /// Why.
    pub reason: String,
}

/// What became of an executor in its wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStand {
    /// What.
    pub outcome: MemberOutcome,
    /// Why, where that is not plain.
    pub reason: String,
    /// It goes before the rest of its wave.
    pub canary: bool,
}

impl PlanStand {
    /// Where an executor with these labels stands in a plan; `None` when no wave has it, or will.
    #[must_use]
    pub fn of(seen: &PlanOfExecutor, labels: &Labels, groups: &BTreeMap<String, Selector>) -> Option<Self> {
        let PlanOfExecutor { plan, waves, member } = seen;
        let specs = &plan.document.spec.waves;
        let stand = |place: usize| {
            let (spec, row) = (specs.get(place)?, waves.get(place)?);
            Some(WaveStand { name: spec.name.clone(), state: row.state, reason: row.reason.clone() })
        };
        let place = match member {
            Some(member) => member.wave as usize,
            None => {
                let today = wave_by_labels(specs, groups, labels)?;
                let late = specs.get(today)?.late_arrivers;
                match (waves.get(today)?.state, late) {
                    (WaveState::Pending, _) => today,
                    (WaveState::Canary | WaveState::Running, LateArrivers::Join) => today,
                    (_, LateArrivers::Never) => return None,
                    _ => {
                        today
                            + 1
                            + waves
                                .get(today + 1..)?
                                .iter()
                                .position(|row| row.state == WaveState::Pending)?
                    }
                }
            }
        };
        let current = waves.iter().position(|row| row.state != WaveState::Passed)?;
        Some(Self {
            plan: plan.name.clone(),
            target_version: plan.target_version.clone(),
            state: plan.state,
            reason: plan.reason.clone(),
            wave: stand(place)?,
            current: stand(current)?,
            member: member.as_ref().map(|member| MemberStand {
                outcome: member.outcome,
                reason: member.reason.clone(),
                canary: member.canary,
            }),
        })
    }

    /// The plan has done with the executor.
    pub(super) fn is_settled(&self) -> bool {
        use MemberOutcome as O;
        let outcome = self.member.as_ref().map(|member| member.outcome);
        matches!(outcome, Some(O::Completed | O::AlreadyThere | O::Gone | O::RolledBack | O::NotRolledBack))
    }

    /// What of the plan keeps the executor waiting, if anything does.
    pub(super) fn verdict(&self, name: &str) -> Option<(Rule, String)> {
        use MemberOutcome as O;
        let Self { plan, target_version: to, wave, reason, .. } = self;
        let outcome = self.member.as_ref().map(|member| member.outcome);
        let of = format!("the plan `{plan}`, which takes `{name}` to {to} in its wave `{}`,", wave.name);
        match (outcome, self.state) {
            (Some(O::Yielded), _) => {
                let why = self.member.as_ref().map_or("", |member| &member.reason);
                Some((Rule::PlanYielded, format!("the plan `{plan}` leaves `{name}` to another: {why}")))
            }
            (Some(O::Refused), _) => {
                let why = self.member.as_ref().map_or("", |member| &member.reason);
                Some((Rule::PlanObstacle, format!("the plan `{plan}` does not take `{name}` to {to}: {why}")))
            }
            (Some(O::RollingBack), _) => Some((
                Rule::PlanHalted,
                format!("the plan `{plan}` takes `{name}` back to where it was: {reason}"),
            )),
            (Some(O::Waiting) | None, PlanState::ApprovalWanted) => {
                Some((Rule::PlanGate, format!("{of} has to be approved: {reason}")))
            }
            (Some(O::Waiting) | None, PlanState::Halted) => Some((
                Rule::PlanHalted,
                format!("{of} is halted: {reason}; resume it, roll it back or delete it"),
            )),
            (Some(O::Waiting) | None, PlanState::RollingBack | PlanState::RolledBack) => {
                Some((Rule::PlanHalted, format!("{of} is being undone: {reason}")))
            }
            (Some(O::Waiting) | None, PlanState::Paused) => {
                Some((Rule::PlanPaused, format!("{of} is paused and goes on by itself: {reason}")))
            }
            (Some(O::Waiting), PlanState::Running) => Some(self.turn(name)),
            (None, PlanState::Running) => Some(self.before_its_wave(name)),
            // What became of it shows in its upgrade, or in itself.
            _ => None,
        }
    }

    /// Its wave has begun, and it has not.
    fn turn(&self, name: &str) -> (Rule, String) {
        let Self { plan, target_version: to, wave, member, .. } = self;
        let takes = format!("the plan `{plan}` takes `{name}` to {to} in its wave `{}`", wave.name);
        let (why, is_canary) = member.as_ref().map_or(("", false), |it| (it.reason.as_str(), it.canary));
        if !why.is_empty() {
            return (Rule::PlanObstacle, format!("{takes}, and waits: {why}"));
        }
        if wave.state == WaveState::Canary && !is_canary {
            return (Rule::PlanWave, format!("{takes}, whose canaries go first: {}", wave.reason));
        }
        (Rule::PlanCap, format!("{takes}, where as many go at once as may; its turn comes: {}", wave.reason))
    }

    /// Its wave has not begun.
    fn before_its_wave(&self, name: &str) -> (Rule, String) {
        let Self { plan, target_version: to, wave, current, .. } = self;
        let takes = format!("the plan `{plan}` takes `{name}` to {to} in its wave `{}`", wave.name);
        if wave.name == current.name {
            return (Rule::PlanWave, format!("{takes}, which begins now"));
        }
        let (first, why) = (&current.name, &current.reason);
        match current.state {
            WaveState::Gate => {
                (Rule::PlanGate, format!("{takes}, once `{first}` has passed its gates: {why}"))
            }
            _ => (Rule::PlanWave, format!("{takes}, and `{first}` comes first: {why}")),
        }
    }
}

#[cfg(test)]
mod tests;
