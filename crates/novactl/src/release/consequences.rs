//! `novactl release consequences`

use novacula_protocol::people::Consequences as Found;
use novacula_protocol::spec::Kind;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Say whom publishing or yanking a release would concern
///
/// Yanking offers it to nobody any more. It takes it from nobody who runs it, and ends no upgrade that was requested
/// before: abandon those that shall not go on.
#[derive(Debug, clap::Args)]
pub struct Consequences {
    /// Its id, or its version
    #[arg(value_name = "ID|VERSION")]
    release: String,

    /// With a version: its kind, agent or operator
    #[arg(long, default_value = "agent", value_parser = super::kind)]
    kind: Kind,
}

impl Consequences {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let release = super::named(control_plane, &self.release, self.kind)?;
        let found: Found = control_plane.get(&format!("{}/consequences", super::path_of(&release)), &[])?;
        if terminal.json {
            terminal.json(&found)?;
            return Ok(Ending::Done);
        }
        terminal.line(format!("{} {}, {}", release.kind, release.version, release.status.as_str()))?;
        for (name, count) in [
            ("offered to", found.offered_to),
            ("lower", found.upgrades_for),
            ("running it", found.running),
            ("pending", found.pending),
            ("under way", found.under_way),
            ("on the way", found.on_the_way),
        ] {
            terminal.fact(name, count.to_string())?;
        }
        for left in &found.instead {
            let version = left.version.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            terminal.fact("instead", format!("{version} for {}", left.executors))?;
        }
        for plan in &found.plans {
            let state = crate::fleet::word(&plan.state);
            terminal.fact("plan", format!("{} ({state}, {} waiting)", plan.name, plan.waiting))?;
        }
        let rows: Vec<_> = found
            .upgrades
            .iter()
            .map(|it| {
                [it.executor_name.clone(), it.target_version.to_string(), it.stage.to_string(), it.id.clone()]
            })
            .collect();
        if !rows.is_empty() {
            terminal.table(["EXECUTOR", "TO", "STAGE", "UPGRADE"], &rows)?;
        }
        Ok(Ending::Done)
    }
}
