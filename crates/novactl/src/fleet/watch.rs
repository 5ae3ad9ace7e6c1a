//! `novactl fleet watch`

use novacula_protocol::people::{FleetPlan, PlanEvent, PlanProgress, PlanState};
use novacula_protocol::sync::LogLine;
use serde::de::DeserializeOwned;

use super::{Which, path, view, word};
use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::terminal::Terminal;
use crate::upgrade::log_line;

/// Print what happens to a plan until it has completed, is halted or is rolled back
///
/// The exit code is 0 when it completed or is rolled back, 1 when it is halted: then `novactl fleet status` says why
/// and what you can do. It goes on watching while the plan is paused, and while the control plane restarts. With --json,
/// one event on one line, and the plan itself on the last.
#[derive(Debug, clap::Args)]
pub struct Watch {
    #[command(flatten)]
    which: Which,
}

impl Watch {
    /// Watches.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let mut plan = self.which.find(control_plane)?;
        if !terminal.json {
            terminal.line(format!("{}: {}", plan.name, view::because(&word(&plan.state), &plan.reason)))?;
        }
        let path = path(&plan.id);
        if !stands_still(plan.state) {
            let mut seen = None;
            control_plane.follow(&format!("{path}/events"), |name, data| match name {
                "log" => tell(terminal, &read(data)?).map(|()| true),
                "progress" | "end" => {
                    let progress: PlanProgress = read(data)?;
                    let goes_on = name == "progress" && !stands_still(progress.state);
                    moved(terminal, seen.replace(progress.clone()), &progress)?;
                    Ok(goes_on)
                }
                _ => Ok(true),
            })?;
            plan = control_plane.get(&path, &[])?;
        }
        end(terminal, &plan)
    }
}

fn read<T: DeserializeOwned>(data: &str) -> Result<T, Failure> {
    serde_json::from_str(data).map_err(|e| {
        Failure::new(
            Ending::Failed,
            "answer_unreadable",
            format!("an event of the plan cannot be read ({e})"),
        )
    })
}

/// Says where the plan stands, when that is elsewhere than before.
fn moved(terminal: &Terminal, before: Option<PlanProgress>, now: &PlanProgress) -> anyhow::Result<()> {
    let place = |it: &PlanProgress| (it.state, it.wave.clone(), it.wave_state);
    if terminal.json || before.is_some_and(|before| place(&before) == place(now)) {
        return Ok(());
    }
    let wave = now.wave.as_deref().unwrap_or_default();
    let stands = now.wave_state.as_ref().map(word).unwrap_or_default();
    let wave = view::because(&format!("{wave} {stands}"), &now.wave_reason);
    terminal.line(format!("{}: {wave} ({})", word(&now.state), view::counted(&now.counts)))
}

fn tell(terminal: &Terminal, event: &PlanEvent) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json_line(event);
    }
    let of = [event.wave.as_deref(), event.executor_name.as_deref()];
    let of: Vec<_> = of.into_iter().flatten().collect();
    let message = view::because(&of.join(", "), &event.message);
    terminal.line(log_line(&LogLine { at: event.at, level: event.level, message }))
}

/// Nothing more comes of it unless a person says so.
fn stands_still(state: PlanState) -> bool {
    state.is_end() || state == PlanState::Halted
}

fn end(terminal: &Terminal, plan: &FleetPlan) -> anyhow::Result<Ending> {
    if terminal.json {
        terminal.json_line(plan)?;
    } else {
        view::show(terminal, plan)?;
    }
    Ok(if plan.state.is_end() { Ending::Done } else { Ending::Failed })
}
