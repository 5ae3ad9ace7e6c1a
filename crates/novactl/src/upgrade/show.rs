//! `novactl upgrade show`

use novacula_protocol::people::Upgrade;
use novacula_protocol::spec::{Confirm, Direction, Intent};
use novacula_protocol::sync::LogLine;
use novacula_protocol::{LogLevel, Stage};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show one upgrade: its stages, its log, and why it did not complete
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Its id
    id: String,
}

impl Show {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let upgrade = super::find(control_plane, &self.id)?;
        if terminal.json {
            terminal.json(&upgrade)?;
            return Ok(Ending::Done);
        }
        facts(terminal, &upgrade)?;
        terminal.line("stages:")?;
        for (mark, stage) in stages(&upgrade) {
            terminal.line(format!("  {mark} {stage}"))?;
        }
        if !upgrade.log.is_empty() {
            terminal.line("log:")?;
        }
        upgrade.log.iter().try_for_each(|line| terminal.line(format!("  {}", log_line(line))))?;
        Ok(Ending::Done)
    }
}

fn facts(terminal: &Terminal, upgrade: &Upgrade) -> anyhow::Result<()> {
    terminal.line(super::title(upgrade))?;
    terminal.fact("id", &upgrade.id)?;
    terminal.fact("state", format!("{}, {}", super::word(upgrade.state), super::position(upgrade)))?;
    if upgrade.error.is_some() {
        terminal.fact("error", super::reason(upgrade))?;
    }
    if upgrade.direction == Direction::Downgrade {
        terminal.fact("direction", "downgrade")?;
    }
    let intent = match upgrade.intent {
        Intent::Apply => None,
        Intent::Validate => Some("validate: a dry run"),
        Intent::Pause => Some("pause"),
        Intent::Abandon => Some("abandon"),
        Intent::Rollback => Some("rollback"),
        Intent::Complete => Some("complete"),
    };
    if let Some(intent) = intent {
        terminal.fact("intent", intent)?;
    }
    let confirm = match upgrade.confirm {
        Confirm::Auto => "by itself, after",
        Confirm::Manual => "by a person, not before",
    };
    terminal.fact("commits", format!("{confirm} {} s of good health", upgrade.health_window_ms / 1000))?;
    terminal.fact("attempt", upgrade.attempt.to_string())?;
    terminal.fact("requested", format!("{} by {}", upgrade.created_at, upgrade.requested_by))?;
    if upgrade.scheduled_at > upgrade.created_at {
        terminal.fact("not before", upgrade.scheduled_at.to_string())?;
    }
    if let Some(started_at) = upgrade.started_at {
        terminal.fact("started", started_at.to_string())?;
    }
    if let Some(ended_at) = upgrade.ended_at {
        terminal.fact("ended", ended_at.to_string())?;
    }
    if !upgrade.description.is_empty() {
        terminal.line("description:")?;
        terminal.lines("  ", &upgrade.description)?;
    }
    Ok(())
}

/// The way to COMPLETED with a mark at each stage: `+` passed, `>` here, `x` ended here, `.` still to come.
fn stages(upgrade: &Upgrade) -> Vec<(char, Stage)> {
    let way = || Stage::ALL.into_iter().take_while(|stage| *stage != Stage::Completed);
    // At an end other than COMPLETED the error says how far it came.
    let reached = match (&upgrade.error, upgrade.stage) {
        (Some(error), stage) if stage.is_end() => error.stage,
        (_, stage) => stage,
    };
    let at = way().position(|stage| stage == reached);
    let ended_badly = super::has_ended(upgrade) && upgrade.stage != Stage::Completed;
    way()
        .enumerate()
        .map(|(number, stage)| {
            let mark = match at {
                _ if upgrade.stage == Stage::Completed => '+',
                Some(at) if number < at => '+',
                Some(at) if number == at && ended_badly => 'x',
                Some(at) if number == at => '>',
                _ => '.',
            };
            (mark, stage)
        })
        .chain(upgrade.stage.is_end().then_some((if ended_badly { 'x' } else { '+' }, upgrade.stage)))
        .collect()
}

/// One line of the log for people.
pub fn log_line(line: &LogLine) -> String {
    let level = match line.level {
        LogLevel::Info => "INFO",
        LogLevel::Warning => "WARNING",
        LogLevel::Error => "ERROR",
        LogLevel::Success => "SUCCESS",
    };
    format!("{} {level:<7} {}", line.at.strftime("%Y-%m-%dT%H:%M:%SZ"), line.message)
}
