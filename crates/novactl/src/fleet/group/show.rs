//! `novactl fleet group show`

use novacula_protocol::people::ExecutorGroup;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show one group; `novactl executor list --group NAME` shows whom it takes
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    group: String,
}

impl Show {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let known = super::find(control_plane, &self.group)?;
        let group: ExecutorGroup = control_plane.get(&super::path(&known), &[])?;
        super::show(terminal, &group)?;
        Ok(Ending::Done)
    }
}
