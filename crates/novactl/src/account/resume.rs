//! `novactl account resume`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Let a suspended account act again
#[derive(Debug, clap::Args)]
pub struct Resume {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    account: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Resume {
    /// Does it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        super::set(control_plane, terminal, &self.account, "resume", &self.reason)
    }
}
