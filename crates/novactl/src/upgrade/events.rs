//! `novactl upgrade events`

use novacula_protocol::people::{StageEvents, UpgradeEvent, UpgradeProgress};
use novacula_protocol::{Stage, Status};

use super::show::log_line;
use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::terminal::Terminal;

/// List what happened to it, by attempt and stage; or follow it to its end
#[derive(Debug, clap::Args)]
pub struct Events {
    /// Its id
    id: String,

    /// Print each event as it comes, until the end; the exit code is 0 only if it completed
    #[arg(long)]
    follow: bool,
}

impl Events {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("{}/events", super::path(&self.id)?);
        if self.follow {
            return follow(control_plane, terminal, &path);
        }
        let stages: Vec<StageEvents> = control_plane.get(&format!("{path}/stages"), &[])?;
        if terminal.json {
            terminal.json(&stages)?;
            return Ok(Ending::Done);
        }
        for stage in &stages {
            terminal.line(format!("{} {} (attempt {})", stage.stage, stage.status, stage.attempt))?;
            stage.events.iter().try_for_each(|event| terminal.line(format!("  {}", line(event))))?;
        }
        Ok(Ending::Done)
    }
}

fn follow(control_plane: &ControlPlane, terminal: &Terminal, path: &str) -> anyhow::Result<Ending> {
    let mut end = None;
    control_plane.follow(path, |name, data| {
        let unreadable = |e: serde_json::Error| {
            Failure::new(Ending::Failed, "answer_unreadable", format!("an event cannot be read ({e})"))
        };
        match name {
            "stage" | "log" if terminal.json => {
                let event: UpgradeEvent = serde_json::from_str(data).map_err(unreadable)?;
                terminal.json_line(&event)?;
            }
            "stage" | "log" => {
                let event: UpgradeEvent = serde_json::from_str(data).map_err(unreadable)?;
                terminal.line(line(&event))?;
            }
            "end" => {
                let progress: UpgradeProgress = serde_json::from_str(data).map_err(unreadable)?;
                end = Some((progress.current_stage, progress.status));
            }
            _ => {}
        }
        Ok(end.is_none())
    })?;
    Ok(if end == Some((Stage::Completed, Status::Completed)) { Ending::Done } else { Ending::Failed })
}

fn line(event: &UpgradeEvent) -> String {
    log_line(&novacula_protocol::sync::LogLine {
        at: event.at,
        level: event.level,
        message: event.message.clone(),
    })
}
