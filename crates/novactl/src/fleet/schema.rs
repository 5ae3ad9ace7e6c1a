//! `novactl fleet schema`

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Print the JSON schema of a plan, for an editor that checks while you write
#[derive(Debug, clap::Args)]
pub struct Schema {}

impl Schema {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let schema: serde_json::Value = control_plane.get(&format!("{}/schema", super::PLANS), &[])?;
        terminal.json(&schema)?;
        Ok(Ending::Done)
    }
}
