//! One wave of a plan, as its page shows it.

use novacula_protocol::people::{FleetPlan, Gate, Wave, WaveSpec, WaveState};

use super::actions::{self, Cannot};
use super::said;
use crate::pages::action::Action;
use crate::pages::words;

/// A wave with what its document says of it and what can be done about it.
#[derive(Clone, Debug)]
pub(crate) struct WaveShown {
    pub number: usize,
    pub wave: Wave,
    pub takes: String,
    pub group: Option<String>,
    pub soak: String,
    /// Who may fail, be slow, be out of reach, as the document says.
    pub limits: String,
    pub is_current: bool,
    pub roll_back: Action,
    pub gates: Vec<(Gate, Action)>,
}

/// Every wave of a plan.
pub(crate) fn shown(plan: &FleetPlan, cannot: &Cannot) -> Vec<WaveShown> {
    let current = said::current(plan).map(|(index, _)| index);
    let specs = plan.document.as_ref().map(|document| document.spec.waves.as_slice()).unwrap_or_default();
    let waves = plan.waves.iter().enumerate().map(|(index, wave)| {
        let spec = specs.get(index);
        let gates = wave.gates.iter();
        let gates =
            gates.map(|gate| (read(plan, wave, gate), actions::of_gate(plan, wave, &gate.name, cannot)));
        WaveShown {
            number: index + 1,
            wave: wave.clone(),
            takes: spec
                .and_then(|spec| spec.cluster_selector.as_ref())
                .map(ToString::to_string)
                .unwrap_or_default(),
            group: spec.and_then(|spec| spec.group.clone()),
            soak: spec.map(|spec| words::span(&spec.validation.health_check_duration.ms)).unwrap_or_default(),
            limits: spec.map(limits).unwrap_or_default(),
            is_current: current == Some(index),
            roll_back: actions::of_wave(plan, wave, cannot),
            gates: gates.collect(),
        }
    });
    waves.collect()
}

/// A gate that a person opens is not asked: it waits.
fn read(plan: &FleetPlan, wave: &Wave, gate: &Gate) -> Gate {
    let is_open = said::open_approvals(plan, wave).any(|open| open.name == gate.name);
    let message = match (is_open, wave.state) {
        (true, WaveState::Gate) => "it waits for a person to approve".to_owned(),
        (true, _) => "a person is asked when the wave has soaked".to_owned(),
        (false, _) => gate.message.clone(),
    };
    Gate { message, ..gate.clone() }
}

/// What halts the wave, and what pauses it.
fn limits(spec: &WaveSpec) -> String {
    let said = |limit: Option<novacula_protocol::people::CountOrPercent>, usual: &str| {
        limit.map_or_else(|| usual.to_owned(), |limit| limit.to_string())
    };
    let back = if spec.rollback_on_failure { ", and goes back by itself then" } else { "" };
    format!(
        "halts when more than {} fail or {} are slow{back}; pauses when more than {} are out of reach",
        said(spec.max_failed, "0"),
        said(spec.max_slow, "0"),
        said(spec.max_unreachable, "20%"),
    )
}

impl WaveShown {
    pub(crate) fn has_begun(&self) -> bool {
        self.wave.state != WaveState::Pending
    }

    pub(crate) fn is_soaking(&self) -> bool {
        matches!(self.wave.state, WaveState::Soaking | WaveState::Canary)
    }

    /// Where the executors that its group takes are listed.
    pub(crate) fn group_href(&self) -> Option<String> {
        let group = self.group.as_deref()?;
        Some(format!("/executors/?{}", words::query([("group", group)])))
    }
}
