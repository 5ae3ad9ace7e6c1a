//! `novactl fleet group delete`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Delete a group; its executors stay as they are
///
/// A group that a wave to come names cannot be deleted: the wave would find nobody.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    group: String,
}

impl Delete {
    /// Deletes it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let group = super::find(control_plane, &self.group)?;
        control_plane.delete(&super::path(&group))?;
        terminal.done(&group.id, format!("the group {} is deleted", group.name))?;
        Ok(Ending::Done)
    }
}
