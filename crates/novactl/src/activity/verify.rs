//! `novactl activity verify`

use novacula_protocol::people::ActivityVerdict;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Check that no entry was changed or taken out since it was written
#[derive(Debug, clap::Args)]
pub struct Verify {}

impl Verify {
    /// Prints the verdict.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let verdict: ActivityVerdict = control_plane.get(&format!("{}/verify", super::ACTIVITY), &[])?;
        if terminal.json {
            terminal.json(&verdict)?;
        } else if let Some(broken) = verdict.first_broken {
            terminal.line(format!(
                "the chain breaks at entry {broken} of {}: it or one before it was changed or taken out",
                verdict.entries
            ))?;
        } else {
            terminal.line(format!("{} entries, each as it was written", verdict.entries))?;
            terminal.fact("head", &verdict.head)?;
        }
        Ok(if verdict.intact { Ending::Done } else { Ending::Failed })
    }
}
