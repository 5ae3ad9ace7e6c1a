//! `novactl user change`

use novacula_protocol::people::{Role, User, UserPatch};

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, wrong_usage};
use crate::terminal::Terminal;

/// Change what a user may do, and how they log in; what is not named stays
#[derive(Debug, clap::Args)]
pub struct Change {
    /// Their name or id
    #[arg(value_name = "NAME|ID")]
    user: String,

    /// What they may do: owner, admin, editor or viewer
    #[arg(long, value_parser = super::role)]
    role: Option<Role>,

    /// Whether they may publish releases
    #[arg(long, value_name = "true|false")]
    release_manager: Option<bool>,

    /// Who they are at the OpenID provider; empty for nobody
    #[arg(long, value_name = "SUBJECT")]
    oidc_subject: Option<String>,

    /// Whether they can do nothing, in no account; their tokens and sessions end
    #[arg(long, value_name = "true|false")]
    disabled: Option<bool>,
}

impl Change {
    /// Changes them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let patch = UserPatch {
            role: self.role,
            release_manager: self.release_manager,
            oidc_subject: self.oidc_subject.clone(),
            disabled: self.disabled,
        };
        if patch == UserPatch::default() {
            return Err(wrong_usage("expected something to change, found nothing: see --help").into());
        }
        let id = super::find(control_plane, &self.user)?.id;
        let user: User = control_plane.patch(&format!("{}/{id}", super::USERS), &patch)?;
        if terminal.json {
            terminal.json(&user)?;
        } else {
            super::show(terminal, &user)?;
        }
        Ok(Ending::Done)
    }
}
