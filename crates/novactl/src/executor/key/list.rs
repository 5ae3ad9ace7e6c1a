//! `novactl executor key list`

use novacula_protocol::people::{ExecutorKey, Page};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List the keys of executors, without their secrets
#[derive(Debug, clap::Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let items: Vec<ExecutorKey> = control_plane.all(super::KEYS, &[])?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|key| {
                let ends = match (key.revoked_at, key.expires_at) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, Some(at)) => at.to_string(),
                    (None, None) => "never".to_owned(),
                };
                let previous = key.previous_until.map(|at| format!("until {at}")).unwrap_or_default();
                [
                    key.name.unwrap_or_else(|| "(whoever syncs first)".to_owned()),
                    ends,
                    previous,
                    key.created_by,
                    key.id,
                ]
            })
            .collect();
        terminal.table(["EXECUTOR", "ENDS", "SECRET BEFORE", "BY", "ID"], &rows)?;
        Ok(Ending::Done)
    }
}
