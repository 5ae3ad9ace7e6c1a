//! `novactl token revoke`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::revoke::Kind;
use crate::terminal::Terminal;

/// End a token at once
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// Its id
    id: String,
}

impl Revoke {
    /// Ends it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let kind = Kind { path: super::TOKENS, name: "token", listed_by: "token list" };
        kind.revoke(control_plane, terminal, &self.id, None)
    }
}
