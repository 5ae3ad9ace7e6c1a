//! `novactl fleet group list`

use novacula_protocol::people::{ExecutorGroup, Page};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List groups, newest first, with how many executors each takes now
#[derive(Debug, clap::Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let items: Vec<ExecutorGroup> = control_plane.all(super::GROUPS, &[])?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|group| {
                let takes = group.selector.to_string();
                [group.name, group.executors.to_string(), takes, group.created_by, group.id]
            })
            .collect();
        terminal.table(["NAME", "EXECUTORS", "TAKES", "BY", "ID"], &rows)?;
        Ok(Ending::Done)
    }
}
