//! `novactl fleet …`: plans that take a fleet to a version, wave by wave.

mod apply;
mod census;
mod document;
mod dry_run;
mod executors;
mod group;
mod list;
mod schema;
mod status;
mod steer;
mod view;
mod watch;

use novacula_protocol::people::FleetPlan;
use serde::Serialize;

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::executor::is_id;
use crate::named::Kind;
use crate::terminal::Terminal;

const PLANS: &str = "/fleet/plans";

const KIND: Kind = Kind { path: PLANS, noun: "plan", one: "a plan", listed_by: "fleet list" };

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Census(census::Census),
    Apply(apply::Apply),
    DryRun(dry_run::DryRun),
    List(list::List),
    Status(status::Status),
    Executors(executors::Members),
    Watch(watch::Watch),
    Approve(steer::Approve),
    Halt(steer::Halt),
    Resume(steer::Resume),
    SkipGate(steer::SkipGate),
    Rollback(steer::Rollback),
    Delete(steer::Delete),
    Schema(schema::Schema),
    /// Call executors by one name, for waves and lists
    #[command(subcommand)]
    Group(group::Command),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Census(census) => census.run(control_plane, terminal),
            Self::Apply(apply) => apply.run(control_plane, terminal),
            Self::DryRun(dry_run) => dry_run.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::Status(status) => status.run(control_plane, terminal),
            Self::Executors(members) => members.run(control_plane, terminal),
            Self::Watch(watch) => watch.run(control_plane, terminal),
            Self::Approve(word) => word.run(control_plane, terminal),
            Self::Halt(word) => word.run(control_plane, terminal),
            Self::Resume(word) => word.run(control_plane, terminal),
            Self::SkipGate(word) => word.run(control_plane, terminal),
            Self::Rollback(word) => word.run(control_plane, terminal),
            Self::Delete(word) => word.run(control_plane, terminal),
            Self::Schema(schema) => schema.run(control_plane, terminal),
            Self::Group(command) => command.run(control_plane, terminal),
        }
    }
}

/// Which plan: a name stands for the one that has not ended, else for the newest of that name.
#[derive(Debug, clap::Args)]
struct Which {
    /// The name of the plan, or its id; of several of one name the one that has not ended, else the newest
    #[arg(value_name = "NAME|ID")]
    plan: String,
}

impl Which {
    /// It, with all that is known of it.
    fn find(&self, control_plane: &ControlPlane) -> Result<FleetPlan, Failure> {
        find(control_plane, &self.plan)
    }
}

fn find(control_plane: &ControlPlane, asked: &str) -> Result<FleetPlan, Failure> {
    let whole = |id: &str| control_plane.get::<FleetPlan>(&path(id), &[]);
    if is_id(asked) {
        match whole(asked) {
            // A name may look like an id.
            Err(failure) if failure.status == Some(404) => {}
            answered => return answered,
        }
    }
    let mut named: Vec<FleetPlan> = control_plane.all(PLANS, &[("name", asked)])?;
    named.retain(|plan| plan.name == asked);
    let newest = named.into_iter().max_by_key(|plan| (!plan.state.is_end(), plan.created_at));
    newest.map_or_else(|| Err(KIND.none(asked)), |plan| whole(&plan.id))
}

fn path(id: &str) -> String {
    format!("{PLANS}/{id}")
}

/// A word of the wire for people: `rollingBack` reads `rolling back`.
pub fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    let mut text = String::new();
    for c in value.as_str().unwrap_or_default().chars() {
        if c.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}
