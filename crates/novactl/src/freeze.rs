//! `novactl freeze …`

mod create;
mod delete;
mod end;
mod list;

use novacula_protocol::people::Freeze;

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure, wrong_usage};
use crate::executor::is_id;
use crate::terminal::Terminal;

const FREEZES: &str = "/freezes";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Create(create::Create),
    List(list::List),
    End(end::End),
    Delete(delete::Delete),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Create(create) => create.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::End(end) => end.run(control_plane, terminal),
            Self::Delete(delete) => delete.run(control_plane, terminal),
        }
    }
}

fn path_of(id: &str) -> Result<String, Failure> {
    if is_id(id) {
        return Ok(format!("{FREEZES}/{id}"));
    }
    Err(wrong_usage(format!("expected the id of a freeze, as `novactl freeze list` shows it, found `{id}`")))
}

fn show(terminal: &Terminal, freeze: &Freeze) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(freeze);
    }
    terminal.line(&freeze.id)?;
    terminal.fact("for", freeze.selector.to_string())?;
    terminal.fact("from", format!("{} ({})", freeze.starts_at_local, freeze.starts_at))?;
    terminal.fact("until", format!("{} ({})", freeze.ends_at_local, freeze.ends_at))?;
    terminal.line("reason:")?;
    terminal.lines("  ", &freeze.reason)?;
    if let (Some(by), Some(reason)) = (&freeze.ended_by, &freeze.end_reason) {
        terminal.line(format!("ended by {by}:"))?;
        terminal.lines("  ", reason)?;
    }
    Ok(())
}
