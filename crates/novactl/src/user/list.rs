//! `novactl user list`

use novacula_protocol::people::{Page, User};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List who is in the account, and as what
#[derive(Debug, clap::Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let mut items: Vec<User> = control_plane.all(super::USERS, &[])?;
        items.sort_by(|a, b| a.name.cmp(&b.name));
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|user| {
                let (rights, logins) = (super::rights(&user), super::logins(&user));
                [user.name, rights, logins, user.id]
            })
            .collect();
        terminal.table(["NAME", "ROLE", "LOGIN", "ID"], &rows)?;
        Ok(Ending::Done)
    }
}
