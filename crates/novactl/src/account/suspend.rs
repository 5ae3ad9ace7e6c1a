//! `novactl account suspend`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Let an account only keep its lists: nothing in it can act
#[derive(Debug, clap::Args)]
pub struct Suspend {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    account: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Suspend {
    /// Does it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        super::set(control_plane, terminal, &self.account, "suspend", &self.reason)
    }
}
