//! `novactl freeze end`

use novacula_protocol::people::{Freeze, WithReason};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// End a freeze before its time
#[derive(Debug, clap::Args)]
pub struct End {
    /// Its id
    id: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl End {
    /// Ends it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let asked = WithReason { reason: self.reason.clone() };
        let freeze: Freeze = control_plane.post(&format!("{}/end", super::path_of(&self.id)?), &asked)?;
        super::show(terminal, &freeze)?;
        Ok(Ending::Done)
    }
}
