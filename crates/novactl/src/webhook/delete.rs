//! `novactl webhook delete`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Remove a webhook, with what is known of its deliveries
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Its id
    #[arg(value_name = "ID")]
    webhook: String,

    /// Why, for the activity
    #[arg(long)]
    reason: Option<String>,
}

impl Delete {
    /// Removes it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        control_plane.delete_because(&super::path(&self.webhook)?, self.reason.as_deref())?;
        terminal.done(&self.webhook, format!("webhook {} is removed", self.webhook))?;
        Ok(Ending::Done)
    }
}
