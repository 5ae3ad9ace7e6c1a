//! `novactl executor key revoke`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::revoke::Kind;
use crate::terminal::Terminal;

/// End a key at once; its executor is out of reach until it gets another
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
        let kind = Kind { path: super::KEYS, name: "key", listed_by: "executor key list" };
        kind.revoke(control_plane, terminal, &self.id, self.reason.as_deref())
    }
}
