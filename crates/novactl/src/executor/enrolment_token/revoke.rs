//! `novactl executor enrolment-token revoke`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::revoke::Kind;
use crate::terminal::Terminal;

/// End an enrolment token; the keys that it was exchanged for live on
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// Its id
    id: String,

    /// Why, for the activity
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Revoke {
    /// Ends it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let kind = Kind { path: super::TOKENS, name: "token", listed_by: "executor enrolment-token list" };
        kind.revoke(control_plane, terminal, &self.id, self.reason.as_deref())
    }
}
