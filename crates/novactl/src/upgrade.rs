//! `novactl upgrade …`

mod acknowledge;
mod events;
mod list;
mod overview;
mod progress;
mod request;
mod show;
mod steer;
mod steps;
mod watch;

pub use request::confirm;
pub use show::log_line;

use indicatif::HumanBytes;
use novacula_protocol::Progress;
use novacula_protocol::people::Upgrade;

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure, wrong_usage};
use crate::executor::is_id;
use crate::terminal::Terminal;

const UPGRADES: &str = "/upgrades";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Request(request::Request),
    List(list::List),
    Attention(overview::NeedsPeople),
    OverTime(overview::OverTime),
    Show(show::Show),
    Watch(watch::Watch),
    Progress(progress::Progress),
    Validation(progress::LastValidation),
    Diff(progress::ShowDiff),
    Events(events::Events),
    Start(steer::Start),
    Validate(steer::Validate),
    Approve(steer::Approve),
    Pause(steer::Pause),
    Continue(steer::Continue),
    Retry(steer::Retry),
    Reschedule(steer::Put),
    Rollback(steer::Rollback),
    Abandon(steer::Abandon),
    Complete(steer::Complete),
    Steps(steps::Steps),
    Acknowledge(acknowledge::Acknowledge),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Request(request) => request.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::Attention(attention) => attention.run(control_plane, terminal),
            Self::OverTime(over_time) => over_time.run(control_plane, terminal),
            Self::Show(show) => show.run(control_plane, terminal),
            Self::Watch(watch) => watch.run(control_plane, terminal),
            Self::Progress(progress) => progress.run(control_plane, terminal),
            Self::Validation(validation) => validation.run(control_plane, terminal),
            Self::Diff(diff) => diff.run(control_plane, terminal),
            Self::Events(events) => events.run(control_plane, terminal),
            Self::Start(word) => word.run(control_plane, terminal),
            Self::Validate(word) => word.run(control_plane, terminal),
            Self::Approve(word) => word.run(control_plane, terminal),
            Self::Pause(word) => word.run(control_plane, terminal),
            Self::Continue(word) => word.run(control_plane, terminal),
            Self::Retry(word) => word.run(control_plane, terminal),
            Self::Reschedule(word) => word.run(control_plane, terminal),
            Self::Rollback(word) => word.run(control_plane, terminal),
            Self::Abandon(word) => word.run(control_plane, terminal),
            Self::Complete(word) => word.run(control_plane, terminal),
            Self::Steps(steps) => steps.run(control_plane, terminal),
            Self::Acknowledge(acknowledge) => acknowledge.run(control_plane, terminal),
        }
    }
}

/// One upgrade with its log.
fn find(control_plane: &ControlPlane, id: &str) -> Result<Upgrade, Failure> {
    control_plane.get(&path(id)?, &[])
}

/// Where one upgrade is.
fn path(id: &str) -> Result<String, Failure> {
    if !is_id(id) {
        return Err(wrong_usage(format!(
            "expected the id of an upgrade, as `novactl upgrade list` shows it, found `{id}`"
        )));
    }
    Ok(format!("{UPGRADES}/{id}"))
}

/// Nothing more will come of it.
fn has_ended(upgrade: &Upgrade) -> bool {
    matches!(upgrade.state, Progress::Completed | Progress::Error) || upgrade.stage.is_end()
}

fn word(state: Progress) -> &'static str {
    match state {
        Progress::Pending => "pending",
        Progress::Running => "running",
        Progress::Completed => "completed",
        Progress::Error => "error",
    }
}

/// Which upgrade it is.
fn title(upgrade: &Upgrade) -> String {
    format!("{}: {} → {}", upgrade.executor_name, upgrade.from_version, upgrade.target_version)
}

/// Where it stands, in a few words.
fn position(upgrade: &Upgrade) -> String {
    let stage = if upgrade.stage.is_end() {
        upgrade.stage.to_string()
    } else {
        format!("{} {}", upgrade.stage, upgrade.status)
    };
    if upgrade.bytes_total == 0 || upgrade.stage.is_end() {
        return stage;
    }
    format!("{stage}, {} of {}", HumanBytes(upgrade.bytes_done), HumanBytes(upgrade.bytes_total))
}

/// Why it did not complete, if it did not.
fn reason(upgrade: &Upgrade) -> String {
    upgrade.error.as_ref().map(|e| format!("{} ({} at {})", e.message, e.code, e.stage)).unwrap_or_default()
}
