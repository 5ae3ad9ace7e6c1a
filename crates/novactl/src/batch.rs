//! `novactl batch …`: upgrades of many executors, and who needs one.

mod census;
mod look;
mod request;

use novacula_protocol::people::{Batch, Outcome};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

const BATCHES: &str = "/batches";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Versions(census::Versions),
    NeedsUpgrade(census::Behind),
    Request(request::Request),
    List(look::List),
    Show(look::Show),
    Abandon(look::Abandon),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Versions(versions) => versions.run(control_plane, terminal),
            Self::NeedsUpgrade(behind) => behind.run(control_plane, terminal),
            Self::Request(request) => request.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::Show(show) => show.run(control_plane, terminal),
            Self::Abandon(abandon) => abandon.run(control_plane, terminal),
        }
    }
}

/// What became of each executor.
fn shown(terminal: &Terminal, batch: &Batch) -> anyhow::Result<Ending> {
    if terminal.json {
        terminal.json(batch)?;
        return Ok(Ending::Done);
    }
    let state = match (&batch.ended_at, &batch.stopped_because) {
        (_, Some(why)) => format!("stopped: {why}"),
        (Some(at), None) => format!("ended {at}"),
        (None, None) => format!("under way, {} at once", batch.concurrency),
    };
    terminal.line(format!("batch {}: all to {}, {state}", batch.id, batch.target_version))?;
    let rows: Vec<_> = batch
        .items
        .iter()
        .map(|item| {
            let upgrade = item.upgrade_id.clone().unwrap_or_default();
            [item.executor_name.clone(), word(item.outcome).to_owned(), upgrade, item.reason.clone()]
        })
        .collect();
    terminal.table(["EXECUTOR", "OUTCOME", "UPGRADE", "REASON"], &rows)?;
    Ok(Ending::Done)
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Waiting => "waiting",
        Outcome::Started => "started",
        Outcome::Completed => "completed",
        Outcome::Failed => "failed",
        Outcome::NeedsHop => "needs hop",
        Outcome::AlreadyThere => "already there",
        Outcome::Refused => "refused",
        Outcome::Skipped => "skipped",
    }
}
