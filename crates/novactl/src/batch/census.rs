//! `novactl batch versions` and `novactl batch needs-upgrade`

use std::collections::BTreeMap;

use novacula_protocol::people::{NeedsUpgrade, Presence};
use novacula_protocol::spec::Kind;
use semver::Version;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Count the executors by the version they run
#[derive(Debug, clap::Args)]
pub struct Versions {
    /// Of which kind, agent or operator
    #[arg(long, default_value = "agent", value_parser = crate::release::kind)]
    kind: Kind,
}

/// List the executors that run something lower
#[derive(Debug, clap::Args)]
pub struct Behind {
    /// The version that shall run
    #[arg(long, value_name = "VERSION", value_parser = crate::release::version)]
    target_version: Version,

    /// Of which kind, agent or operator
    #[arg(long, default_value = "agent", value_parser = crate::release::kind)]
    kind: Kind,
}

impl Versions {
    /// Prints the counts.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("/releases/{}/versions", self.kind);
        let counts: BTreeMap<Version, u64> = control_plane.get(&path, &[])?;
        if terminal.json {
            terminal.json(&counts)?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> =
            counts.iter().map(|(version, count)| [version.to_string(), count.to_string()]).collect();
        terminal.table(["VERSION", "EXECUTORS"], &rows)?;
        Ok(Ending::Done)
    }
}

impl Behind {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("/releases/{}/needs-upgrade", self.kind);
        let version = self.target_version.to_string();
        let behind: Vec<NeedsUpgrade> = control_plane.all(&path, &[("targetVersion", version.as_str())])?;
        if terminal.json {
            terminal.json(&behind)?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = behind
            .iter()
            .map(|it| {
                let status = if it.status == Presence::Online { "online" } else { "offline" };
                let reason = it.reason.clone().unwrap_or_default();
                [it.name.clone(), it.current_version.to_string(), status.to_owned(), reason]
            })
            .collect();
        terminal.table(["EXECUTOR", "VERSION", "STATUS", "REASON"], &rows)?;
        Ok(Ending::Done)
    }
}
