//! `novactl upgrade list`

use novacula_protocol::Progress;
use novacula_protocol::people::{Page, Upgrade};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::executor;
use crate::terminal::Terminal;

/// List upgrades, newest first
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only those of this executor
    #[arg(long, value_name = "NAME|ID")]
    executor: Option<String>,

    /// Only this state: pending, running, completed or error
    #[arg(long, value_parser = state)]
    state: Option<Progress>,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let executor = match &self.executor {
            Some(asked) => Some(executor::find(control_plane, asked)?.id),
            None => None,
        };
        let mut query = Vec::new();
        query.extend(self.state.map(|state| ("state", super::word(state))));
        query.extend(executor.as_deref().map(|id| ("executorId", id)));
        let (mut items, has_more): (Vec<Upgrade>, bool) =
            control_plane.first(super::UPGRADES, &query, self.limit as usize)?;
        if has_more {
            terminal
                .note(format!("older ones are not shown: these are the newest {}, see --limit", self.limit));
        }
        items.retain(|upgrade| {
            self.state.is_none_or(|state| upgrade.state == state)
                && executor.as_ref().is_none_or(|id| upgrade.executor_id == *id)
        });
        items.sort_by_key(|upgrade| std::cmp::Reverse(upgrade.created_at));
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|upgrade| {
                [
                    upgrade.created_at.strftime("%Y-%m-%d %H:%MZ").to_string(),
                    upgrade.executor_name.clone(),
                    upgrade.from_version.to_string(),
                    upgrade.target_version.to_string(),
                    if upgrade.overdue { "overdue" } else { super::word(upgrade.state) }.to_owned(),
                    super::position(&upgrade),
                    upgrade.id,
                ]
            })
            .collect();
        terminal.table(["REQUESTED", "EXECUTOR", "FROM", "TO", "STATE", "STAGE", "ID"], &rows)?;
        Ok(Ending::Done)
    }
}

fn state(text: &str) -> Result<Progress, String> {
    [Progress::Pending, Progress::Running, Progress::Completed, Progress::Error]
        .into_iter()
        .find(|state| super::word(*state) == text)
        .ok_or_else(|| "expected pending, running, completed or error".to_owned())
}
