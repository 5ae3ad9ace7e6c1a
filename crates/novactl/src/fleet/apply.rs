//! `novactl fleet apply`

use novacula_protocol::people::FleetPlan;

use super::{document, view};
use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Apply a plan: it is checked as a whole, then begins at once
///
/// The file is sent as it is. What is wrong with it is told with the path of the field, and then nothing was begun. The
/// same document may be applied again: a plan that has not ended is answered as it stands. Try it first with `novactl
/// fleet dry-run FILE`, which changes nothing.
#[derive(Debug, clap::Args)]
pub struct Apply {
    /// A FleetUpgradePlan as YAML or JSON; - reads it from stdin
    #[arg(value_name = "FILE|-")]
    file: String,
}

impl Apply {
    /// Sends it, and shows what comes of it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let document = document::read(&self.file)?;
        let (status, plan): (u16, FleetPlan) =
            control_plane.post_text(super::PLANS, document.content_type, &document.text)?;
        if status == 200 {
            terminal.note("this very plan was applied before and has not ended: nothing was changed");
        }
        view::show(terminal, &plan)?;
        Ok(Ending::Done)
    }
}
