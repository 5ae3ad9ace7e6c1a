//! `novactl fleet approve`, `halt`, `resume` …: one word each to a plan.

use novacula_protocol::people::{FleetPlan, GateSkip, PlanApproval, PlanRollback, WithReason};
use serde::Serialize;

use super::{Which, path, view};
use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Which plan, and why; there is no silence about these.
#[derive(Debug, clap::Args)]
pub struct Why {
    #[command(flatten)]
    which: Which,

    /// Why; it is kept in the activity, with your name
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Say yes: to a plan that somebody else applied, or to a wave that has soaked and waits for a person
#[derive(Debug, clap::Args)]
pub struct Approve {
    #[command(flatten)]
    why: Why,

    /// This wave; the one that waits unless told
    #[arg(long, value_name = "WAVE")]
    wave: Option<String>,
}

/// Start nobody else until the plan is resumed; upgrades that have begun go on to their end
#[derive(Debug, clap::Args)]
pub struct Halt {
    #[command(flatten)]
    why: Why,
}

/// Let a halted plan go on from where it stands
///
/// In a wave that halted by itself, those that failed, were slow or could not be reached have another turn. What made it
/// halt may make it halt again: look first, with `novactl fleet executors NAME --outcome failed`.
#[derive(Debug, clap::Args)]
pub struct Resume {
    #[command(flatten)]
    why: Why,
}

/// Let a wave past one of its gates, whatever that says
///
/// This needs the role owner or admin. Your name and the reason stand beside the gate from then on.
#[derive(Debug, clap::Args)]
pub struct SkipGate {
    #[command(flatten)]
    why: Why,

    /// The wave whose gate it is
    #[arg(long, value_name = "WAVE")]
    wave: String,

    /// Which gate, as `novactl fleet status` names it: online, reconciled, restarts, or as the plan says
    #[arg(long, value_name = "GATE")]
    gate: String,
}

/// Undo what the plan did: of one wave, or of all of them
///
/// Only what the plan did is undone. An upgrade in hand is steered back; who completed goes back to the version that ran
/// there before; who runs something else by now is left alone.
#[derive(Debug, clap::Args)]
pub struct Rollback {
    #[command(flatten)]
    why: Why,

    /// Only this wave; the whole plan unless told
    #[arg(long, value_name = "WAVE")]
    wave: Option<String>,
}

/// Remove a plan that has ended or is halted; what it did stays as it is
///
/// To undo what it did, roll it back first. A plan that is under way is halted first, with `novactl fleet halt`.
#[derive(Debug, clap::Args)]
pub struct Delete {
    #[command(flatten)]
    why: Why,
}

macro_rules! words {
    ($($word:ident $verb:literal |$this:ident| $body:expr;)*) => {
        $(
            impl $word {
                /// Says it.
                pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
                    let $this = self;
                    say(control_plane, terminal, $verb, &self.why.which, &$body)
                }
            }
        )*
    };
}

words! {
    Approve "approve" |it| PlanApproval { wave: it.wave.clone(), reason: it.why.reason.clone() };
    Halt "halt" |it| WithReason { reason: it.why.reason.clone() };
    Resume "resume" |it| WithReason { reason: it.why.reason.clone() };
    SkipGate "skip-gate" |it| {
        GateSkip { wave: it.wave.clone(), gate: it.gate.clone(), reason: it.why.reason.clone() }
    };
    Rollback "rollback" |it| PlanRollback { wave: it.wave.clone(), reason: it.why.reason.clone() };
}

impl Delete {
    /// Removes it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let plan = self.why.which.find(control_plane)?;
        control_plane.delete_because(&path(&plan.id), Some(&self.why.reason))?;
        terminal.done(&plan.id, format!("the plan {} is deleted; what it did stays as it is", plan.name))?;
        Ok(Ending::Done)
    }
}

fn say(
    control_plane: &ControlPlane,
    terminal: &Terminal,
    verb: &str,
    which: &Which,
    body: &impl Serialize,
) -> anyhow::Result<Ending> {
    let id = which.find(control_plane)?.id;
    let plan: FleetPlan = control_plane.post(&format!("{}/{verb}", path(&id)), body)?;
    view::show(terminal, &plan)?;
    Ok(Ending::Done)
}
