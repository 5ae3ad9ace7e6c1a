//! `novactl user remove`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Take a user out of the account; their tokens and sessions in it end
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// Their name or id
    #[arg(value_name = "NAME|ID")]
    user: String,
}

impl Remove {
    /// Removes them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let user = super::find(control_plane, &self.user)?;
        control_plane.delete(&format!("{}/{}", super::USERS, user.id))?;
        if terminal.json {
            terminal.json(&user)?;
        } else {
            terminal.line(format!("{} is no longer in the account", user.name))?;
        }
        Ok(Ending::Done)
    }
}
