//! `novactl executor delete`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Remove an executor that has no open upgrade, and free its name
///
/// Its upgrades stay readable. It comes back as a new one if it syncs again; revoke its key against that.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    executor: String,

    /// Why, for the activity
    #[arg(long)]
    reason: Option<String>,
}

impl Delete {
    /// Removes it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let executor = super::find(control_plane, &self.executor)?;
        control_plane
            .delete_because(&format!("{}/{}", super::EXECUTORS, executor.id), self.reason.as_deref())?;
        terminal.done(&executor.id, format!("{} is removed", executor.name))?;
        Ok(Ending::Done)
    }
}
