//! `novactl user reset-password`

use novacula_protocol::people::UserWithPassword;
use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Make up a one-time password for a user, and print it this once; their sessions end
#[derive(Debug, clap::Args)]
pub struct ResetPassword {
    /// Their name or id
    #[arg(value_name = "NAME|ID")]
    user: String,
}

impl ResetPassword {
    /// Resets it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let id = super::find(control_plane, &self.user)?.id;
        let path = format!("{}/{id}/password", super::USERS);
        let reset: UserWithPassword = control_plane.post(&path, &json!({}))?;
        super::show_with_password(terminal, &reset)
    }
}
