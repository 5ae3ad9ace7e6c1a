//! `novactl executor explain`

use novacula_protocol::people::Explanation;
use semver::Version;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Say what stops the upgrade of one executor
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    executor: String,

    /// Where it shall go; the newest release it is offered unless told
    #[arg(long, value_name = "VERSION", value_parser = crate::release::version)]
    target_version: Option<Version>,
}

impl Explain {
    /// Prints the first rule.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let id = super::find(control_plane, &self.executor)?.id;
        let version = self.target_version.as_ref().map(ToString::to_string);
        let query: Vec<_> =
            version.as_deref().map(|version| ("targetVersion", version)).into_iter().collect();
        let path = format!("{}/{id}/explain", super::EXECUTORS);
        let explanation: Explanation = control_plane.get(&path, &query)?;
        if terminal.json {
            terminal.json(&explanation)?;
        } else {
            terminal.line(&explanation.message)?;
            if let Some(upgrade) = &explanation.upgrade_id {
                terminal.fact("upgrade", upgrade)?;
            }
        }
        Ok(Ending::Done)
    }
}
