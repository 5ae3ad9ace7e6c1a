//! `novactl release keys`

use novacula_protocol::people::{ReleaseKey, ReleaseKeys};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show the release keys: which executors trust them, and what they signed
///
/// Do not sign with a key before all executors trust it: who does not refuses the release and stays on what it runs.
#[derive(Debug, clap::Args)]
pub struct Keys {}

impl Keys {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let found: ReleaseKeys = control_plane.get("/release-keys", &[])?;
        if terminal.json {
            terminal.json(&found)?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = found.keys.iter().map(row).collect();
        terminal.table(["KEY", "NAME", "TRUSTED BY", "NOT BY", "SIGNED"], &rows)?;
        let (executors, silent) = (found.executors, found.silent);
        terminal.line(format!(
            "{executors} executors; {silent} of them are too old to say which keys they trust"
        ))?;
        Ok(Ending::Done)
    }
}

fn row(key: &ReleaseKey) -> [String; 5] {
    let mut signed: Vec<_> = key.signed.iter().map(|release| release.version.to_string()).collect();
    if key.signed_count > signed.len() as u64 {
        signed.push("…".to_owned());
    }
    let name = key.name.clone().unwrap_or_else(|| "not trusted here".to_owned());
    [key.id.clone(), name, key.trusted_by.to_string(), key.lacked_by.to_string(), signed.join(" ")]
}
