//! `novactl window show`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show one window and the next three times it opens
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    window: String,
}

impl Show {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        super::show(terminal, &super::find(control_plane, &self.window)?)?;
        Ok(Ending::Done)
    }
}
