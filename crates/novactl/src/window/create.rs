//! `novactl window create`

use novacula_protocol::people::Window;

use super::When;
use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Let upgrades begin only at certain times
///
/// An executor that no window selects is always open. One with windows is open while at least one of them is.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Its name
    name: String,

    #[command(flatten)]
    when: When,
}

impl Create {
    /// Makes it, and shows when it opens.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let window: Window = control_plane.post(super::WINDOWS, &self.when.request(&self.name))?;
        super::show(terminal, &window)?;
        Ok(Ending::Done)
    }
}
