//! `novactl fleet census`

use novacula_protocol::people::FleetCensus;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Count the executors: online, held, how far behind, and by kind, channel and version
#[derive(Debug, clap::Args)]
pub struct Census {}

impl Census {
    /// Prints the counts.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let census: FleetCensus = control_plane.get("/fleet/census", &[])?;
        if terminal.json {
            terminal.json(&census)?;
            return Ok(Ending::Done);
        }
        let support = census.support;
        terminal.line(format!("{} executors", census.executors))?;
        terminal.fact("online", census.online.to_string())?;
        terminal.fact("offline", census.offline.to_string())?;
        terminal.fact("held", census.held.to_string())?;
        terminal.fact("in support", support.in_window.to_string())?;
        terminal.fact("deprecated", support.deprecated.to_string())?;
        terminal.fact("out of support", support.out_of_support.to_string())?;
        let rows: Vec<_> = census
            .rows
            .iter()
            .map(|row| {
                let counts = [row.executors, row.online, row.held].map(|count| count.to_string());
                let [executors, online, held] = counts;
                let (kind, channel) = (row.kind.to_string(), row.channel.to_string());
                [kind, channel, row.version.to_string(), executors, online, held]
            })
            .collect();
        terminal.table(["KIND", "CHANNEL", "VERSION", "EXECUTORS", "ONLINE", "HELD"], &rows)?;
        Ok(Ending::Done)
    }
}
