//! Pure: a fleet plan in brief.

use novacula_protocol::people::{FleetPlan, Gate, GateOutcome, PlanState, Wave, WaveCounts, WaveState};

use crate::pages::picture::{Bar, Bars, Part, Unit};
use crate::pages::words;
use crate::rollout::gates::APPROVAL;

/// A plan that has not ended.
pub(crate) struct PlanInBrief {
    pub name: String,
    pub href: String,
    pub target: String,
    pub state: &'static str,
    pub badge: &'static str,
    pub reason: String,
    pub picture: Bars,
}

pub(super) fn in_brief(plan: &FleetPlan) -> PlanInBrief {
    let (state, badge) = said(plan.state);
    PlanInBrief {
        name: plan.name.clone(),
        href: href(plan),
        target: format!("{} {}", plan.executor_kind, plan.target_version),
        state,
        badge,
        reason: words::sentence(&plan.reason),
        picture: picture(plan),
    }
}

pub(super) fn href(plan: &FleetPlan) -> String {
    format!("/plans/{}", plan.id)
}

/// As the API's filter has it.
pub(super) fn wire(state: PlanState) -> &'static str {
    match state {
        PlanState::ApprovalWanted => "approvalWanted",
        PlanState::Running => "running",
        PlanState::Paused => "paused",
        PlanState::Halted => "halted",
        PlanState::RollingBack => "rollingBack",
        PlanState::RolledBack => "rolledBack",
        PlanState::Completed => "completed",
    }
}

fn said(state: PlanState) -> (&'static str, &'static str) {
    match state {
        PlanState::ApprovalWanted => ("Waiting for approval", "warn"),
        PlanState::Running => ("Running", "busy"),
        PlanState::Paused => ("Paused", "warn"),
        PlanState::Halted => ("Halted", "bad"),
        PlanState::RollingBack => ("Rolling back", "warn"),
        PlanState::RolledBack => ("Rolled back", ""),
        PlanState::Completed => ("Completed", "good"),
    }
}

/// Where the first wave stands that has not passed.
fn wave(plan: &FleetPlan) -> String {
    let at = plan.waves.iter().position(|wave| wave.state != WaveState::Passed);
    match at.map(|at| (at, &plan.waves[at])) {
        Some((at, wave)) => {
            let doing = match wave.state {
                WaveState::Pending => "to come",
                WaveState::Canary => "its canaries go first",
                WaveState::Running => "under way",
                WaveState::Soaking => "watched for a while",
                WaveState::Gate => "at its gates",
                WaveState::Passed => "passed",
                WaveState::Halted => "halted",
                WaveState::RollingBack => "rolling back",
                WaveState::RolledBack => "rolled back",
            };
            format!("Wave {} of {}, {}: {doing}", at + 1, plan.waves.len(), wave.name)
        }
        None => format!("All {} waves passed", plan.waves.len()),
    }
}

/// The whole plan as one bar: what is done, under way, gone wrong and to come.
fn picture(plan: &FleetPlan) -> Bars {
    let sum =
        |of: fn(&WaveCounts) -> u32| plan.waves.iter().map(|wave| u64::from(of(&wave.counts))).sum::<u64>();
    let done = sum(|n| n.completed + n.already_there);
    let under_way = sum(|n| n.started + n.rolling_back);
    let wrong = sum(|n| n.failed + n.slow + n.not_rolled_back);
    let left_out = sum(|n| n.unreachable + n.held + n.refused + n.yielded + n.gone);
    let back = sum(|n| n.rolled_back);
    let all = sum(|n| n.total);
    // Those of a wave that has not begun are counted in its total alone.
    let to_come = all.saturating_sub(done + under_way + wrong + left_out + back);
    let parts = vec![
        Part::new("on target", "fill-good", done),
        Part::new("under way", "fill-busy", under_way),
        Part::new("failed or slow", "fill-bad", wrong),
        Part::new("left out", "fill-warn", left_out),
        Part::new("rolled back", "c7", back),
        Part::new("to come", "fill-none", to_come),
    ];
    let title = format!("How far {} is", plan.name);
    Bars::new(format!("plan-{}", plan.id), title, Unit("executor", "executors"))
        .bar(Bar::new(wave(plan), parts))
}

/// The wave whose gate asks a person.
pub(super) fn asks(plan: &FleetPlan) -> Option<&Wave> {
    let asks = |wave: &&Wave| {
        let wants =
            |gate: &Gate| gate.name == APPROVAL && gate.blocking && gate.outcome == GateOutcome::Waiting;
        wave.state == WaveState::Gate && wave.gates.iter().any(wants)
    };
    plan.waves.iter().find(asks).filter(|_| plan.state == PlanState::Running)
}
