//! `novactl fleet list`

use novacula_protocol::people::{FleetPlan, Page};

use super::{view, word};
use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List plans, newest first
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only those that have not ended
    #[arg(long)]
    living: bool,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let (mut items, has_more): (Vec<FleetPlan>, bool) =
            control_plane.first(super::PLANS, &[], self.limit as usize)?;
        if has_more {
            terminal
                .note(format!("older ones are not shown: these are the newest {}, see --limit", self.limit));
        }
        items.retain(|plan| !self.living || !plan.state.is_end());
        items.sort_by_key(|plan| std::cmp::Reverse(plan.created_at));
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|plan| {
                [
                    plan.name.clone(),
                    format!("{} {}", plan.executor_kind, plan.target_version),
                    word(&plan.state),
                    view::current(&plan).map(|wave| wave.name.clone()).unwrap_or_default(),
                    view::at(plan.created_at),
                    plan.requested_by,
                    plan.id,
                    plan.reason,
                ]
            })
            .collect();
        terminal.table(["NAME", "TO", "STATE", "WAVE", "APPLIED", "BY", "ID", "REASON"], &rows)?;
        Ok(Ending::Done)
    }
}
