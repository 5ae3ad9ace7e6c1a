//! `novactl window preview`

use novacula_protocol::people::Window;

use super::When;
use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show when a window would open, and keep nothing
#[derive(Debug, clap::Args)]
pub struct Preview {
    #[command(flatten)]
    when: When,
}

impl Preview {
    /// Shows it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("{}/preview", super::WINDOWS);
        let window: Window = control_plane.post(&path, &self.when.request("preview"))?;
        super::show(terminal, &window)?;
        Ok(Ending::Done)
    }
}
