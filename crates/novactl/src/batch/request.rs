//! `novactl batch request`

use novacula_protocol::people::{Batch, BatchRequest};
use novacula_protocol::spec::{Confirm, Kind};
use semver::Version;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::executor;
use crate::terminal::Terminal;

/// Ask for upgrades of many executors, one after the other or some at once
#[derive(Debug, clap::Args)]
pub struct Request {
    /// The version that shall run
    #[arg(long, value_name = "VERSION", value_parser = crate::release::version)]
    target_version: Version,

    /// Of which kind, agent or operator
    #[arg(long, default_value = "agent", value_parser = crate::release::kind)]
    kind: Kind,

    /// Only these, by name or id, in this order; every one of the kind unless told
    #[arg(long = "executor", value_name = "NAME|ID")]
    executors: Vec<String>,

    /// Only those with this label, key=value; all of them when given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,

    /// How many at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    concurrency: u32,

    /// The first that does not complete ends the batch
    #[arg(long)]
    stop_on_failure: bool,

    /// Go over the versions in between where the target is too far
    #[arg(long)]
    hops: bool,

    /// Who ends each trial: auto (the executor, when it is healthy) or manual (a person)
    #[arg(long, value_parser = crate::upgrade::confirm)]
    confirm: Option<Confirm>,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl Request {
    /// Requests it and prints what became of each.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let ids: Result<Vec<String>, _> =
            self.executors.iter().map(|name| executor::find(control_plane, name).map(|it| it.id)).collect();
        let ids = ids?;
        let request = BatchRequest {
            executor_ids: (!ids.is_empty()).then_some(ids),
            labels: self.labels.iter().cloned().collect(),
            concurrency: Some(self.concurrency),
            stop_on_failure: self.stop_on_failure,
            hops: self.hops,
            confirm: self.confirm,
            description: self.description.clone(),
        };
        let path = format!("/releases/{}/batch-upgrade?targetVersion={}", self.kind, self.target_version);
        let batch: Batch = control_plane.post(&path, &request)?;
        super::shown(terminal, &batch)
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "expected key=value".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}
