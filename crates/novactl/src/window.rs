//! `novactl window …`

mod change;
mod create;
mod delete;
mod list;
mod preview;
mod show;

use std::time::Duration;

use novacula_protocol::people::{Opening, Selector, Window, WindowRequest};

use crate::control_plane::ControlPlane;
use crate::durations;
use crate::ending::{Ending, Failure};
use crate::named::Kind;
use crate::terminal::Terminal;

const WINDOWS: &str = "/windows";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Change(change::Change),
    Delete(delete::Delete),
    Preview(preview::Preview),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Create(create) => create.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::Show(show) => show.run(control_plane, terminal),
            Self::Change(change) => change.run(control_plane, terminal),
            Self::Delete(delete) => delete.run(control_plane, terminal),
            Self::Preview(preview) => preview.run(control_plane, terminal),
        }
    }
}

/// When a window opens, and for whom.
#[derive(Debug, clap::Args)]
struct When {
    /// When it opens: minute, hour, day of the month, month, day of the week, for example "0 2 * * SUN"
    #[arg(long, value_name = "CRON")]
    cron: String,

    /// How long it stays open, for example 2h; 1 minute to 7 days
    #[arg(long, value_name = "DURATION", value_parser = durations::duration)]
    duration: Duration,

    /// The zone in which that is meant, for example Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    zone: String,

    /// For whom, for example "ring=canary,site!=berlin"; every executor of the account unless told
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    selector: Selector,
}

impl When {
    fn request(&self, name: &str) -> WindowRequest {
        WindowRequest {
            name: name.to_owned(),
            selector: self.selector.clone(),
            cron: self.cron.clone(),
            duration_ms: durations::millis(self.duration),
            zone: self.zone.clone(),
        }
    }
}

const KIND: Kind = Kind { path: WINDOWS, noun: "window", one: "a window", listed_by: "window list" };

/// One window, by its name or its id.
fn find(control_plane: &ControlPlane, asked: &str) -> Result<Window, Failure> {
    KIND.find(control_plane, asked, |it: &Window| it.name == asked || it.id.as_deref() == Some(asked))
}

fn show(terminal: &Terminal, window: &Window) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(window);
    }
    terminal.line(&window.name)?;
    if let Some(id) = &window.id {
        terminal.fact("id", id)?;
    }
    terminal.fact("for", window.selector.to_string())?;
    let minutes = window.duration_ms / 60_000;
    terminal.fact("opens", format!("{} in {}, for {minutes} min", window.cron, window.zone))?;
    if window.is_open {
        let until = window.closes_at.map(|at| format!(" until {at}")).unwrap_or_default();
        terminal.fact("open now", format!("yes{until}"))?;
    }
    terminal.line("next:")?;
    openings(terminal, &window.next)
}

/// Each in local time and in UTC.
pub fn openings(terminal: &Terminal, openings: &[Opening]) -> anyhow::Result<()> {
    openings.iter().try_for_each(|opening| {
        terminal.line(format!(
            "  {} to {}  ({} to {})",
            opening.opens_at_local, opening.closes_at_local, opening.opens_at, opening.closes_at
        ))
    })
}
