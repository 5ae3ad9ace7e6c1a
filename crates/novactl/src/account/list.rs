//! `novactl account list`

use novacula_protocol::people::{Account, Page};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List the account you act in; all of them, where you keep them
#[derive(Debug, clap::Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let items: Vec<Account> = control_plane.all(super::ACCOUNTS, &[])?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|account| {
                let state = super::state(&account).to_owned();
                [account.name, state, account.suspension_reason.unwrap_or_default(), account.id]
            })
            .collect();
        terminal.table(["NAME", "STATE", "BECAUSE", "ID"], &rows)?;
        Ok(Ending::Done)
    }
}
