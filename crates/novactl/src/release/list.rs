//! `novactl release list`

use novacula_protocol::people::{Page, ReleaseStatus};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List releases, highest version first
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only this kind: agent or operator
    #[arg(long, value_parser = super::kind)]
    kind: Option<Kind>,

    /// Only this channel: stable, beta or dev
    #[arg(long, value_parser = super::channel)]
    channel: Option<Channel>,

    /// Only this status: draft, published or yanked
    #[arg(long, value_parser = super::status)]
    status: Option<ReleaseStatus>,
}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let mut items = super::all(control_plane, self.kind)?;
        items.retain(|release| {
            self.channel.is_none_or(|channel| release.channel == channel)
                && self.status.is_none_or(|status| release.status == status)
        });
        items.sort_by(|a, b| b.version.cmp(&a.version).then(a.kind.cmp(&b.kind)));
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .iter()
            .map(|release| {
                let targets: Vec<_> = release.artifacts.iter().map(|a| a.target.as_str()).collect();
                [
                    release.kind.to_string(),
                    release.version.to_string(),
                    release.channel.to_string(),
                    release.status.as_str().to_owned(),
                    targets.join(" "),
                    release.id.clone(),
                ]
            })
            .collect();
        terminal.table(["KIND", "VERSION", "CHANNEL", "STATUS", "TARGETS", "ID"], &rows)?;
        Ok(Ending::Done)
    }
}
