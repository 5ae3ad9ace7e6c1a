//! `novactl release yank`

use novacula_protocol::people::{Release, ReleasePatch, ReleaseStatus};
use novacula_protocol::spec::Kind;

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, nothing_to_do};
use crate::terminal::Terminal;

/// Take a release back: it is offered to nobody any more
///
/// Executors that run it keep running it.
#[derive(Debug, clap::Args)]
pub struct Yank {
    /// Its id, or its version
    #[arg(value_name = "ID|VERSION")]
    release: String,

    /// With a version: its kind, agent or operator
    #[arg(long, default_value = "agent", value_parser = super::kind)]
    kind: Kind,

    /// Why, for the activity
    #[arg(long)]
    reason: String,
}

impl Yank {
    /// Finds the release and yanks it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let release = super::named(control_plane, &self.release, self.kind)?;
        let named = format!("{} {}", release.kind, release.version);
        if release.status == ReleaseStatus::Yanked {
            return Err(nothing_to_do(format!("{named} is yanked already")).into());
        }
        let patch = ReleasePatch {
            status: Some(ReleaseStatus::Yanked),
            reason: Some(self.reason.clone()),
            ..ReleasePatch::default()
        };
        let release: Release = control_plane.patch(&super::path_of(&release), &patch)?;
        if terminal.json {
            terminal.json(&release)?;
        } else {
            terminal.line(format!("{named} is yanked: it is offered to nobody any more"))?;
        }
        Ok(Ending::Done)
    }
}
