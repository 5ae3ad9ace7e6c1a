//! How a plan is shown: where it stands, why, and what can be done about it.

use jiff::Timestamp;
use novacula_protocol::people::{
    FleetPlan, Gate, GateOutcome, GateSpec, PlanState, Wave, WaveCounts, WaveState,
};

use super::word;
use crate::terminal::Terminal;

/// The whole plan.
pub fn show(terminal: &Terminal, plan: &FleetPlan) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(plan);
    }
    terminal.line(format!("{}: {} to {}", plan.name, plan.executor_kind, plan.target_version))?;
    terminal.fact("id", &plan.id)?;
    terminal.fact("state", because(&word(&plan.state), &plan.reason))?;
    terminal.fact("applied", format!("{} by {}", at(plan.created_at), plan.requested_by))?;
    if let Some(approval) = &plan.approval {
        let by = approval.approved_by.as_deref();
        terminal.fact("approval", by.map_or_else(|| "wanted".to_owned(), |by| format!("by {by}")))?;
    }
    if plan.priority != 0 {
        terminal.fact("priority", plan.priority.to_string())?;
    }
    if let Some(ended) = plan.ended_at {
        terminal.fact("ended", at(ended))?;
    }
    plan.warnings.iter().try_for_each(|warning| terminal.fact("warning", warning))?;
    next(plan).iter().try_for_each(|what| terminal.fact("you can", what))?;
    waves(terminal, &plan.waves)?;
    gates(terminal, &plan.waves)?;
    in_no_wave(terminal, plan.in_no_wave.as_deref().unwrap_or_default())
}

/// Executors that the plan passes by.
pub fn in_no_wave(terminal: &Terminal, names: &[String]) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    terminal.line("")?;
    terminal.line(format!("in no wave ({}): {}", names.len(), names.join(", ")))
}

fn waves(terminal: &Terminal, waves: &[Wave]) -> anyhow::Result<()> {
    let rows: Vec<_> = waves
        .iter()
        .map(|wave| {
            let counts = &wave.counts;
            let there = counts.completed + counts.already_there;
            [
                wave.name.clone(),
                word(&wave.state),
                format!("{there} of {}", counts.total),
                if wave.state == WaveState::Pending { String::new() } else { counted(counts) },
                wave.soaks_until.map(at).unwrap_or_default(),
                wave.reason.clone(),
            ]
        })
        .collect();
    terminal.line("")?;
    terminal.table(["WAVE", "STATE", "ON TARGET", "EXECUTORS", "SOAKS UNTIL", "REASON"], &rows)
}

/// Gates are asked of waves that have begun.
fn gates(terminal: &Terminal, waves: &[Wave]) -> anyhow::Result<()> {
    let begun = waves.iter().filter(|wave| wave.state != WaveState::Pending);
    let rows: Vec<_> = begun
        .flat_map(|wave| wave.gates.iter().map(move |gate| (wave, gate)))
        .map(|(wave, gate)| {
            [
                wave.name.clone(),
                gate.name.clone(),
                outcome(gate),
                if gate.blocking { "" } else { "only shown" }.to_owned(),
                gate.at.map(at).unwrap_or_default(),
                because(gate.by.as_deref().unwrap_or_default(), &gate.message),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    terminal.line("")?;
    terminal.table(["WAVE", "GATE", "OUTCOME", "", "ASKED", "REASON"], &rows)
}

fn outcome(gate: &Gate) -> String {
    if gate.skipped { format!("{}, skipped", word(&gate.outcome)) } else { word(&gate.outcome) }
}

/// How many executors are where, without those that nobody is.
pub fn counted(counts: &WaveCounts) -> String {
    let counts = [
        (counts.waiting, "waiting"),
        (counts.started, "started"),
        (counts.completed, "completed"),
        (counts.already_there, "already there"),
        (counts.failed, "failed"),
        (counts.slow, "slow"),
        (counts.unreachable, "unreachable"),
        (counts.held, "held"),
        (counts.refused, "refused"),
        (counts.yielded, "yielded"),
        (counts.gone, "gone"),
        (counts.rolling_back, "rolling back"),
        (counts.rolled_back, "rolled back"),
        (counts.not_rolled_back, "not rolled back"),
    ];
    let some: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if some.is_empty() { "nobody".to_owned() } else { some.join(", ") }
}

/// The wave that the plan is at: the first that has not passed.
pub fn current(plan: &FleetPlan) -> Option<&Wave> {
    if plan.state.is_end() {
        return None;
    }
    plan.waves.iter().find(|wave| wave.state != WaveState::Passed)
}

/// What a person can do about a plan that stands as this one does.
fn next(plan: &FleetPlan) -> Vec<String> {
    let (name, wave) = (handle(plan), current(plan));
    let do_it = |verb: &str, more: &str| format!("novactl fleet {verb} {name}{more}");
    let why = " --reason …";
    match plan.state {
        PlanState::ApprovalWanted => {
            vec![format!("{}  (somebody else than {})", do_it("approve", why), plan.requested_by)]
        }
        PlanState::Running | PlanState::Paused => {
            let mut all = Vec::new();
            let silent = wave.filter(|wave| plan.state == PlanState::Paused && wave.counts.unreachable > 0);
            if let Some(wave) = silent {
                let more = format!(" --wave {} --outcome unreachable", quoted(&wave.name));
                all.push(do_it(
                    "executors",
                    &format!("{more}  (look after their hosts; it goes on by itself)"),
                ));
            }
            let gates = wave.map(|wave| wave.gates.as_slice()).unwrap_or_default();
            let at_gate = wave.filter(|wave| wave.state == WaveState::Gate);
            let is_asked = |wave: &Wave| {
                let mut waiting = wave.gates.iter().filter(|gate| gate.outcome == GateOutcome::Waiting);
                waiting.any(|gate| is_approval(plan, wave, gate))
            };
            if at_gate.is_some_and(is_asked) {
                all.push(do_it("approve", why));
            }
            all.push(do_it("watch", ""));
            let unclear =
                |gate: &&Gate| gate.outcome == GateOutcome::Inconclusive && gate.blocking && !gate.skipped;
            for gate in gates.iter().filter(unclear) {
                let wave = wave.map(|wave| quoted(&wave.name)).unwrap_or_default();
                let more = format!(" --wave {wave} --gate {}{why}", quoted(&gate.name));
                all.push(do_it("skip-gate", &format!("{more}  (go on without its answer)")));
            }
            all
        }
        PlanState::Halted => vec![
            do_it("executors", " --outcome failed  (what went wrong)"),
            do_it("resume", &format!("{why}  (go on as it is)")),
            do_it("rollback", &format!("{why}  (undo what the plan did)")),
        ],
        PlanState::RollingBack => vec![do_it("watch", "")],
        PlanState::RolledBack | PlanState::Completed => Vec::new(),
    }
}

/// A person opens it. Where the document is not at hand it is known by its usual name.
fn is_approval(plan: &FleetPlan, wave: &Wave, gate: &Gate) -> bool {
    let specs = plan.document.as_ref().map(|document| document.spec.waves.as_slice()).unwrap_or_default();
    let mut named = specs.iter().filter(|spec| spec.name == wave.name).flat_map(|spec| &spec.gates);
    gate.name == "approval"
        || named.any(|spec| matches!(spec, GateSpec::Approval { .. }) && spec.name() == gate.name)
}

/// What a plan is called on a command line.
pub fn handle(plan: &FleetPlan) -> String {
    if is_plain(&plan.name) { plan.name.clone() } else { plan.id.clone() }
}

/// For a shell. What stands in it besides is made harmless where it is printed.
fn quoted(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
}

/// `what: why`, or what there is of it.
pub fn because(what: &str, why: &str) -> String {
    match (what, why) {
        (what, "") => what.to_owned(),
        ("", why) => why.to_owned(),
        (what, why) => format!("{what}: {why}"),
    }
}

/// To the second, in UTC.
pub fn at(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
