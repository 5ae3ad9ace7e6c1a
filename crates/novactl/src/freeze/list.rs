//! `novactl freeze list`

use novacula_protocol::people::{Freeze, Page};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List freezes, newest first
#[derive(Debug, clap::Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let items: Vec<Freeze> = control_plane.all(super::FREEZES, &[])?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|freeze| {
                [
                    freeze.starts_at_local,
                    freeze.ends_at_local,
                    if freeze.is_in_force { "in force" } else { "" }.to_owned(),
                    freeze.selector.to_string(),
                    freeze.reason,
                    freeze.id,
                ]
            })
            .collect();
        terminal.table(["FROM", "UNTIL", "NOW", "FOR", "REASON", "ID"], &rows)?;
        Ok(Ending::Done)
    }
}
