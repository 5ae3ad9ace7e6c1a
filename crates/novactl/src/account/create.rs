//! `novactl account create`

use novacula_protocol::people::{Account, AccountRequest};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Make an account; you become its owner
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Its name
    name: String,
}

impl Create {
    /// Makes it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let asked = AccountRequest { name: self.name.clone() };
        let account: Account = control_plane.post(super::ACCOUNTS, &asked)?;
        super::show(terminal, &account)
    }
}
