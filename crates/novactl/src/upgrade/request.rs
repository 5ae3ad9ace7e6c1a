//! `novactl upgrade request`

use std::time::Duration;

use jiff::Timestamp;
use novacula_protocol::people::{Upgrade, UpgradeRequest};
use novacula_protocol::spec::Confirm;
use semver::Version;

use super::watch;
use crate::control_plane::ControlPlane;
use crate::durations;
use crate::ending::{Ending, nothing_to_do};
use crate::executor;
use crate::terminal::Terminal;

/// Ask an executor to go to another version, higher or lower
#[derive(Debug, clap::Args)]
pub struct Request {
    /// The executor's name or its id
    #[arg(value_name = "EXECUTOR")]
    executor: String,

    /// The version that shall run
    #[arg(long, value_name = "VERSION", value_parser = crate::release::version)]
    target_version: Version,

    /// Not before this time, for example 2026-11-21T02:00:00Z; without it, at once
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    at: Option<Timestamp>,

    /// When it is overdue: still to be carried out, and shown as such
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    deadline: Option<Timestamp>,

    /// Go over the versions in between, one after the other, where the target is too far
    #[arg(long)]
    hops: bool,

    /// Who starts it: auto (its executor, when it is due) or manual (a person, with `novactl upgrade start`)
    #[arg(long, value_parser = confirm)]
    confirm_start: Option<Confirm>,

    /// Who ends the trial: auto (the executor, when it is healthy) or manual (a person)
    #[arg(long, value_parser = confirm)]
    confirm: Option<Confirm>,

    /// How long the new version must stay up before it is committed, for example 60s
    #[arg(long, value_name = "DURATION", value_parser = durations::duration)]
    health_window: Option<Duration>,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// Watch it until it ends; the exit code is 0 only if it completed
    #[arg(long)]
    watch: bool,

    #[command(flatten)]
    pace: watch::Pace,
}

impl Request {
    /// Requests it, and watches if asked to.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let executor = executor::find(control_plane, &self.executor)?;
        if executor.current_version == self.target_version && executor.pending_upgrade_id.is_none() {
            return Err(
                nothing_to_do(format!("{} runs {} already", executor.name, self.target_version)).into()
            );
        }
        let request = UpgradeRequest {
            target_version: self.target_version.clone(),
            scheduled_at: self.at,
            deadline: self.deadline,
            hops: self.hops,
            confirm_start: self.confirm_start,
            confirm: self.confirm,
            description: self.description.clone(),
            health_window_ms: self.health_window.map(durations::millis),
        };
        let path = format!("{}/{}/upgrade", executor::EXECUTORS, executor.id);
        let upgrade: Upgrade = control_plane.post(&path, &request)?;
        if self.watch {
            return watch::until_it_ends(control_plane, terminal, &upgrade.id, &self.pace);
        }
        if terminal.json {
            terminal.json(&upgrade)?;
            return Ok(Ending::Done);
        }
        terminal.line(format!("{} is requested", super::title(&upgrade)))?;
        terminal.fact("id", &upgrade.id)?;
        if let Some(at) = self.at {
            terminal.fact("not before", at.to_string())?;
        }
        terminal.fact("watch it", format!("novactl upgrade watch {}", upgrade.id))?;
        Ok(Ending::Done)
    }
}

/// A point in time.
pub fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "expected a time like 2026-11-21T02:00:00Z".to_owned())
}

/// Who confirms.
pub fn confirm(text: &str) -> Result<Confirm, String> {
    match text {
        "auto" => Ok(Confirm::Auto),
        "manual" => Ok(Confirm::Manual),
        _ => Err("expected auto or manual".to_owned()),
    }
}
