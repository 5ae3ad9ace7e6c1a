//! `novactl executor enrolment-token …`

mod list;
mod revoke;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

const TOKENS: &str = "/enrolment-tokens";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    List(list::List),
    Revoke(revoke::Revoke),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::List(list) => list.run(control_plane, terminal),
            Self::Revoke(revoke) => revoke.run(control_plane, terminal),
        }
    }
}
