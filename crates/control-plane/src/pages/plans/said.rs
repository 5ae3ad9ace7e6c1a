//! Pure: how the states of plans, waves, executors and gates are said.

use novacula_protocol::people::{
    FleetPlan, Gate, GateOutcome, GateSpec, MemberOutcome, PlanState, Wave, WaveCounts, WaveState,
};
use serde::Serialize;

/// A word for people, and the class of its badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    pub word: &'static str,
    pub class: &'static str,
}

const fn badge(word: &'static str, class: &'static str) -> Badge {
    Badge { word, class }
}

pub(crate) fn plan(state: &PlanState) -> Badge {
    match state {
        PlanState::ApprovalWanted => badge("Approval wanted", "warn"),
        PlanState::Running => badge("Running", "busy"),
        PlanState::Paused => badge("Paused", "warn"),
        PlanState::Halted => badge("Halted", "bad"),
        PlanState::RollingBack => badge("Rolling back", "busy"),
        PlanState::RolledBack => badge("Rolled back", "warn"),
        PlanState::Completed => badge("Completed", "good"),
    }
}

pub(crate) fn wave(state: &WaveState) -> Badge {
    match state {
        WaveState::Pending => badge("Pending", ""),
        WaveState::Canary => badge("Canaries go", "busy"),
        WaveState::Running => badge("Running", "busy"),
        WaveState::Soaking => badge("Soaking", "busy"),
        WaveState::Gate => badge("At its gates", "warn"),
        WaveState::Passed => badge("Passed", "good"),
        WaveState::Halted => badge("Halted", "bad"),
        WaveState::RollingBack => badge("Rolling back", "busy"),
        WaveState::RolledBack => badge("Rolled back", "warn"),
    }
}

pub(crate) fn member(outcome: &MemberOutcome) -> Badge {
    match outcome {
        MemberOutcome::Waiting => badge("Waiting", ""),
        MemberOutcome::Started => badge("Under way", "busy"),
        MemberOutcome::Completed => badge("Completed", "good"),
        MemberOutcome::AlreadyThere => badge("Already there", "good"),
        MemberOutcome::Failed => badge("Failed", "bad"),
        MemberOutcome::Slow => badge("Slow", "bad"),
        MemberOutcome::Unreachable => badge("Out of reach", "warn"),
        MemberOutcome::Held => badge("Held", ""),
        MemberOutcome::Refused => badge("Refused", ""),
        MemberOutcome::Yielded => badge("Yielded", ""),
        MemberOutcome::Gone => badge("Gone", ""),
        MemberOutcome::RollingBack => badge("Rolling back", "busy"),
        MemberOutcome::RolledBack => badge("Rolled back", "warn"),
        MemberOutcome::NotRolledBack => badge("Not rolled back", "bad"),
    }
}

pub(crate) fn gate(gate: &Gate) -> Badge {
    match gate.outcome {
        _ if gate.skipped => badge("Skipped", "warn"),
        GateOutcome::Waiting => badge("Waiting", ""),
        GateOutcome::Pass => badge("Pass", "good"),
        GateOutcome::Fail => badge("Fail", "bad"),
        GateOutcome::Inconclusive => badge("No answer", "warn"),
    }
}

pub(crate) const PLAN_STATES: [PlanState; 7] = [
    PlanState::ApprovalWanted,
    PlanState::Running,
    PlanState::Paused,
    PlanState::Halted,
    PlanState::RollingBack,
    PlanState::RolledBack,
    PlanState::Completed,
];

pub(crate) const OUTCOMES: [MemberOutcome; 14] = [
    MemberOutcome::Waiting,
    MemberOutcome::Started,
    MemberOutcome::Completed,
    MemberOutcome::AlreadyThere,
    MemberOutcome::Failed,
    MemberOutcome::Slow,
    MemberOutcome::Unreachable,
    MemberOutcome::Held,
    MemberOutcome::Refused,
    MemberOutcome::Yielded,
    MemberOutcome::Gone,
    MemberOutcome::RollingBack,
    MemberOutcome::RolledBack,
    MemberOutcome::NotRolledBack,
];

/// Its word on the wire, for links and filters.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// The counts that are not nothing, each with what it counts.
pub(crate) fn counts(counts: &WaveCounts) -> Vec<(MemberOutcome, u32)> {
    let all = OUTCOMES.map(|outcome| (outcome, count(counts, &outcome)));
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// How many this became of.
pub(crate) fn count(counts: &WaveCounts, outcome: &MemberOutcome) -> u32 {
    match outcome {
        MemberOutcome::Waiting => counts.waiting,
        MemberOutcome::Started => counts.started,
        MemberOutcome::Completed => counts.completed,
        MemberOutcome::AlreadyThere => counts.already_there,
        MemberOutcome::Failed => counts.failed,
        MemberOutcome::Slow => counts.slow,
        MemberOutcome::Unreachable => counts.unreachable,
        MemberOutcome::Held => counts.held,
        MemberOutcome::Refused => counts.refused,
        MemberOutcome::Yielded => counts.yielded,
        MemberOutcome::Gone => counts.gone,
        MemberOutcome::RollingBack => counts.rolling_back,
        MemberOutcome::RolledBack => counts.rolled_back,
        MemberOutcome::NotRolledBack => counts.not_rolled_back,
    }
}

/// How many run the target.
pub(crate) fn on_target(counts: &WaveCounts) -> u32 {
    counts.completed + counts.already_there
}

/// The wave that the plan is at: the first that has not passed; none once it has ended.
pub(crate) fn current(plan: &FleetPlan) -> Option<(usize, &Wave)> {
    if plan.state.is_end() {
        return None;
    }
    plan.waves.iter().enumerate().find(|(_, wave)| wave.state != WaveState::Passed)
}

/// The gates of the wave that a person opens and nobody has opened.
pub(crate) fn open_approvals<'a>(plan: &'a FleetPlan, wave: &'a Wave) -> impl Iterator<Item = &'a Gate> {
    let specs = plan.document.as_ref().map(|document| document.spec.waves.as_slice()).unwrap_or_default();
    let spec = specs.iter().find(|spec| spec.name == wave.name);
    let is_approval = move |gate: &Gate| {
        let named = spec.and_then(|spec| spec.gates.iter().find(|it| it.name() == gate.name));
        named.map_or(gate.name == "approval", |named| matches!(named, GateSpec::Approval { .. }))
    };
    wave.gates
        .iter()
        .filter(move |gate| gate.outcome != GateOutcome::Pass && !gate.skipped && is_approval(gate))
}

/// What stands between this wave and the next, in a few words.
pub(crate) fn between(plan: &FleetPlan, wave: &Wave) -> &'static str {
    let has_failed = wave.gates.iter().any(|gate| gate.outcome == GateOutcome::Fail && !gate.skipped);
    match wave.state {
        WaveState::Passed => "passed",
        WaveState::Halted | WaveState::RollingBack | WaveState::RolledBack => "shut",
        _ if has_failed => "fails",
        WaveState::Gate if open_approvals(plan, wave).next().is_some() => "needs approval",
        WaveState::Gate => "waits",
        _ if open_approvals(plan, wave).next().is_some() => "by approval",
        _ => "by itself",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_counted_once_and_no_two_are_said_alike() {
        let mut all = WaveCounts::default();
        for (number, outcome) in (1..).zip(OUTCOMES) {
            all.add(outcome, number);
        }
        let shown = counts(&all);
        assert_eq!(shown.iter().map(|(_, count)| count).sum::<u32>(), all.total);
        let expected: Vec<_> = OUTCOMES.into_iter().zip(1..).collect();
        assert_eq!(shown, expected);
        let words: std::collections::BTreeSet<_> = OUTCOMES.iter().map(|it| member(it).word).collect();
        assert_eq!(words.len(), OUTCOMES.len());
    }
}
