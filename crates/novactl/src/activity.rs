//! `novactl activity …`

mod list;
mod verify;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

const ACTIVITY: &str = "/activity";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    List(list::List),
    Verify(verify::Verify),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::List(list) => list.run(control_plane, terminal),
            Self::Verify(verify) => verify.run(control_plane, terminal),
        }
    }
}
