//! `novactl account rename`

use novacula_protocol::people::{Account, AccountPatch};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Give an account another name
#[derive(Debug, clap::Args)]
pub struct Rename {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    account: String,

    /// The new name
    #[arg(value_name = "NEW NAME")]
    name: String,
}

impl Rename {
    /// Renames it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let id = super::find(control_plane, &self.account)?.id;
        let patch = AccountPatch { name: Some(self.name.clone()) };
        let account: Account = control_plane.patch(&format!("{}/{id}", super::ACCOUNTS), &patch)?;
        super::show(terminal, &account)
    }
}
