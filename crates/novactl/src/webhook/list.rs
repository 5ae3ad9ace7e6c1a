//! `novactl webhook list`

use novacula_protocol::people::{Page, Webhook};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List the webhooks
#[derive(Debug, clap::Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let items: Vec<Webhook> = control_plane.all(super::WEBHOOKS, &[])?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
        } else {
            let rows: Vec<_> = items.into_iter().map(row).collect();
            terminal.table(["ID", "STATE", "URL", "EVENTS", "DESCRIPTION"], &rows)?;
        }
        Ok(Ending::Done)
    }
}

fn row(webhook: Webhook) -> [String; 5] {
    let events = super::events(&webhook);
    [webhook.id.clone(), state(&webhook).to_owned(), webhook.url, events, webhook.description]
}

/// In one word.
pub fn state(webhook: &Webhook) -> &'static str {
    match (webhook.enabled, webhook.failing_since.is_some()) {
        (false, _) => "disabled",
        (true, true) => "failing",
        (true, false) => "enabled",
    }
}
