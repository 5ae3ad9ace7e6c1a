//! `novactl upgrade attention` and `novactl upgrade over-time`

use novacula_protocol::people::{Attention, Need, UpgradesOnDay};

use super::UPGRADES;
use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List the upgrades that need a person now, and why
#[derive(Debug, clap::Args)]
pub struct NeedsPeople {}

/// Count the upgrades that were requested and ended on each of the last days
#[derive(Debug, clap::Args)]
pub struct OverTime {
    /// How many days of UTC, today among them
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
}

impl NeedsPeople {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let all: Vec<Attention> = control_plane.get(&format!("{UPGRADES}/attention"), &[])?;
        if terminal.json {
            terminal.json(&all)?;
            return Ok(Ending::Done);
        }
        let mut rows = Vec::new();
        for group in all {
            if group.count > group.upgrades.len() as u64 {
                let (named, count) = (group.upgrades.len(), group.count);
                terminal.note(format!("{}: these are the newest {named} of {count}", word(group.need)));
            }
            rows.extend(group.upgrades.into_iter().map(|one| {
                let to = one.target_version.to_string();
                [word(group.need).to_owned(), one.executor_name, to, one.upgrade_id, one.reason]
            }));
        }
        terminal.table(["NEEDS", "EXECUTOR", "TO", "UPGRADE", "REASON"], &rows)?;
        Ok(Ending::Done)
    }
}

impl OverTime {
    /// Prints the days.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let days = self.days.to_string();
        let path = format!("{UPGRADES}/over-time");
        let days: Vec<UpgradesOnDay> = control_plane.get(&path, &[("days", days.as_str())])?;
        if terminal.json {
            terminal.json(&days)?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = days
            .iter()
            .map(|on| {
                let [requested, completed, rolled_back, failed, abandoned] =
                    [on.requested, on.completed, on.rolled_back, on.failed, on.abandoned]
                        .map(|count| count.to_string());
                [on.day.to_string(), requested, completed, rolled_back, failed, abandoned]
            })
            .collect();
        terminal.table(["DAY", "REQUESTED", "COMPLETED", "ROLLED BACK", "FAILED", "ABANDONED"], &rows)?;
        Ok(Ending::Done)
    }
}

fn word(need: Need) -> &'static str {
    match need {
        Need::Failed => "a look: failed",
        Need::RolledBack => "a look: rolled back",
        Need::Completion => "completion",
        Need::Approval => "approval",
        Need::Prerequisites => "prerequisites",
        Need::Start => "start",
        Need::Paused => "continue",
    }
}
