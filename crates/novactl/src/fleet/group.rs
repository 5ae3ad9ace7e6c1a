//! `novactl fleet group …`

mod change;
mod create;
mod delete;
mod list;
mod show;

use novacula_protocol::people::{ExecutorGroup, Selector};

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::named::Kind;
use crate::terminal::Terminal;

const GROUPS: &str = "/fleet/groups";

const KIND: Kind = Kind { path: GROUPS, noun: "group", one: "a group", listed_by: "fleet group list" };

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Change(change::Change),
    Delete(delete::Delete),
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
        }
    }
}

/// One group, by its name or its id.
fn find(control_plane: &ControlPlane, asked: &str) -> Result<ExecutorGroup, Failure> {
    KIND.find(control_plane, asked, |it: &ExecutorGroup| it.name == asked || it.id == asked)
}

fn path(group: &ExecutorGroup) -> String {
    format!("{GROUPS}/{}", group.id)
}

fn show(terminal: &Terminal, group: &ExecutorGroup) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(group);
    }
    terminal.line(&group.name)?;
    terminal.fact("id", &group.id)?;
    terminal.fact("takes", group.selector.to_string())?;
    terminal.fact("executors", format!("{} now", group.executors))?;
    terminal.fact("made", format!("{} by {}", super::view::at(group.created_at), group.created_by))
}

/// A selector that names at least one label.
fn somebody(text: &str) -> Result<Selector, String> {
    let selector: Selector = text.parse()?;
    if selector == Selector::default() {
        return Err("expected at least one label, for example \"site=berlin\": a group of everybody would put the whole \
                    fleet into one wave"
            .to_owned());
    }
    Ok(selector)
}
