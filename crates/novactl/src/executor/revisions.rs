//! `novactl executor revisions` and `novactl executor rollback`

use novacula_protocol::people::{LastSuccessful, Revision, RollbackRequest, Upgrade};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List what ran on an executor and what was tried, newest first
#[derive(Debug, clap::Args)]
pub struct Revisions {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    executor: String,

    /// The most revisions to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// Ask for the version of an earlier revision: a new upgrade, and a new revision
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    executor: String,

    /// The revision, as `novactl executor revisions` shows it; the last successful one of another version unless told
    #[arg(long, value_name = "N")]
    to_revision: Option<u64>,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl Revisions {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let id = super::find(control_plane, &self.executor)?.id;
        let path = format!("{}/{id}/revisions", super::EXECUTORS);
        let (revisions, _) = control_plane.first::<Revision>(&path, &[], self.limit)?;
        if terminal.json {
            terminal.json(&revisions)?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = revisions
            .iter()
            .map(|it| {
                [
                    it.revision.to_string(),
                    it.version.to_string(),
                    it.status.to_string(),
                    it.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                    it.by.clone(),
                    it.description.clone(),
                ]
            })
            .collect();
        terminal.table(["REVISION", "VERSION", "STATUS", "AT", "BY", "DESCRIPTION"], &rows)?;
        Ok(Ending::Done)
    }
}

impl Rollback {
    /// Requests it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let id = super::find(control_plane, &self.executor)?.id;
        let path = format!("{}/{id}/rollback", super::EXECUTORS);
        let description = self.description.clone();
        let upgrade: Upgrade = match self.to_revision {
            Some(target_revision) => {
                control_plane.post(&path, &RollbackRequest { target_revision, description })?
            }
            None => {
                control_plane.post(&format!("{path}/last-successful"), &LastSuccessful { description })?
            }
        };
        if terminal.json {
            terminal.json(&upgrade)?;
            return Ok(Ending::Done);
        }
        let (from, to) = (&upgrade.from_version, &upgrade.target_version);
        terminal.line(format!("{}: {from} → {to} is requested", upgrade.executor_name))?;
        terminal.fact("watch it", format!("novactl upgrade watch {}", upgrade.id))?;
        Ok(Ending::Done)
    }
}
