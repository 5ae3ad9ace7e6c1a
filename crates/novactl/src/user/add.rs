//! `novactl user add`

use novacula_protocol::people::{Role, UserRequest, UserWithPassword};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Bring somebody into the account
#[derive(Debug, clap::Args)]
pub struct Add {
    /// The login name, for example an e-mail address
    name: String,

    /// What they may do: owner, admin, editor or viewer
    #[arg(long, value_parser = super::role)]
    role: Role,

    /// They may publish releases
    #[arg(long)]
    release_manager: bool,

    /// Make up a password for their first login, and print it this once
    #[arg(long)]
    one_time_password: bool,

    /// Who they are at the OpenID provider
    #[arg(long, value_name = "SUBJECT")]
    oidc_subject: Option<String>,
}

impl Add {
    /// Adds them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let asked = UserRequest {
            name: self.name.clone(),
            role: self.role,
            is_release_manager: self.release_manager,
            one_time_password: self.one_time_password,
            oidc_subject: self.oidc_subject.clone(),
        };
        let added: UserWithPassword = control_plane.post(super::USERS, &asked)?;
        super::show_with_password(terminal, &added)
    }
}
