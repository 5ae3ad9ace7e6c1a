//! `novactl fleet status`

use novacula_protocol::people::{FleetPlan, Page};

use super::{find, view};
use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Say where a plan stands and why: every wave, every gate, and what you can do
///
/// Without a name: every plan that has not ended.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// The name of the plan, or its id; of several of one name the one that has not ended, else the newest
    #[arg(value_name = "NAME|ID")]
    plan: Option<String>,
}

impl Status {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        if let Some(asked) = &self.plan {
            view::show(terminal, &find(control_plane, asked)?)?;
            return Ok(Ending::Done);
        }
        let mut items: Vec<FleetPlan> = control_plane.all(super::PLANS, &[])?;
        items.retain(|plan| !plan.state.is_end());
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        if items.is_empty() {
            terminal.line("no plan is under way; `novactl fleet list` shows those that have ended")?;
        }
        items.iter().try_for_each(|plan| view::show(terminal, plan))?;
        Ok(Ending::Done)
    }
}
