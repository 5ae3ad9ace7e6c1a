//! `novactl freeze delete`

use novacula_protocol::people::Freeze;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Delete a freeze that has not begun, or is over; one in force is ended
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Its id
    id: String,
}

impl Delete {
    /// Deletes it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = super::path_of(&self.id)?;
        let freeze: Freeze = control_plane.get(&path, &[])?;
        control_plane.delete(&path)?;
        if terminal.json {
            terminal.json(&freeze)?;
        } else {
            terminal.line(format!("the freeze {} is deleted", freeze.id))?;
        }
        Ok(Ending::Done)
    }
}
