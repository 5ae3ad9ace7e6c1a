//! `novactl batch list`, `show` and `abandon`

use novacula_protocol::people::{Batch, WithReason};

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure, wrong_usage};
use crate::executor::is_id;
use crate::terminal::Terminal;

/// List the batches, newest first
#[derive(Debug, clap::Args)]
pub struct List {
    /// The most batches to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// Show one batch, and what became of each of its executors
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Its id
    id: String,
}

/// Let nobody else's turn come; upgrades that have begun go on
#[derive(Debug, clap::Args)]
pub struct Abandon {
    /// Its id
    id: String,

    /// Why; it is kept in the activity
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let (batches, _) = control_plane.first::<Batch>(super::BATCHES, &[], self.limit)?;
        if terminal.json {
            terminal.json(&batches)?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = batches
            .iter()
            .map(|batch| {
                let state = match (&batch.stopped_because, batch.ended_at) {
                    (Some(_), _) => "stopped",
                    (None, Some(_)) => "ended",
                    (None, None) => "under way",
                };
                let at = batch.created_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                [
                    batch.id.clone(),
                    batch.target_version.to_string(),
                    state.to_owned(),
                    at,
                    batch.requested_by.clone(),
                ]
            })
            .collect();
        terminal.table(["ID", "TARGET", "STATE", "REQUESTED", "BY"], &rows)?;
        Ok(Ending::Done)
    }
}

impl Show {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let batch: Batch = control_plane.get(&path(&self.id)?, &[])?;
        super::shown(terminal, &batch)
    }
}

impl Abandon {
    /// Stops it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("{}/abandon", path(&self.id)?);
        let batch: Batch = control_plane.post(&path, &WithReason { reason: self.reason.clone() })?;
        super::shown(terminal, &batch)
    }
}

fn path(id: &str) -> Result<String, Failure> {
    if !is_id(id) {
        let sentence = format!("expected the id of a batch, as `novactl batch list` shows it, found `{id}`");
        return Err(wrong_usage(sentence));
    }
    Ok(format!("{}/{id}", super::BATCHES))
}
