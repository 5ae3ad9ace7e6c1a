//! `novactl window delete`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Delete a window
///
/// Executors that no other window selects are always open from then on.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    window: String,
}

impl Delete {
    /// Deletes it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let window = super::find(control_plane, &self.window)?;
        let id = window.id.clone().unwrap_or_default();
        control_plane.delete(&format!("{}/{id}", super::WINDOWS))?;
        if terminal.json {
            terminal.json(&window)?;
        } else {
            terminal.line(format!("the window {} is deleted", window.name))?;
        }
        Ok(Ending::Done)
    }
}
