//! `novactl window list`

use novacula_protocol::people::{Page, Window};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List windows, newest first
#[derive(Debug, clap::Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let items: Vec<Window> = control_plane.all(super::WINDOWS, &[])?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|window| {
                let next = window.next.first();
                [
                    window.name,
                    window.selector.to_string(),
                    window.cron,
                    format!("{} min", window.duration_ms / 60_000),
                    window.zone,
                    if window.is_open { "open" } else { "" }.to_owned(),
                    next.map(|opening| opening.opens_at_local.clone()).unwrap_or_default(),
                    next.map(|opening| opening.opens_at.to_string()).unwrap_or_default(),
                    window.id.unwrap_or_default(),
                ]
            })
            .collect();
        let head = ["NAME", "FOR", "CRON", "DURATION", "ZONE", "NOW", "OPENS NEXT", "IN UTC", "ID"];
        terminal.table(head, &rows)?;
        Ok(Ending::Done)
    }
}
