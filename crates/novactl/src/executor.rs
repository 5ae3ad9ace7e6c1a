//! `novactl executor …`

mod agent_config;
mod delete;
mod enroll;
mod enrolment_token;
mod explain;
mod key;
mod label;
mod list;
mod new_file;
mod preflight;
mod revisions;
mod show;
mod windows;

pub use list::word as presence_word;

use novacula_protocol::people::Executor;

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::terminal::Terminal;

pub const EXECUTORS: &str = "/executors";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Delete(delete::Delete),
    Enroll(enroll::Enroll),
    Explain(explain::Explain),
    /// List, rotate and revoke the keys of executors
    #[command(subcommand)]
    Key(key::Command),
    /// List and end the tokens that executors are enrolled with
    #[command(subcommand)]
    EnrolmentToken(enrolment_token::Command),
    Label(label::Label),
    List(list::List),
    Preflight(preflight::Ask),
    Revisions(revisions::Revisions),
    Rollback(revisions::Rollback),
    Show(show::Show),
    Windows(windows::Windows),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Delete(delete) => delete.run(control_plane, terminal),
            Self::Enroll(enroll) => enroll.run(control_plane, terminal),
            Self::Explain(explain) => explain.run(control_plane, terminal),
            Self::Key(command) => command.run(control_plane, terminal),
            Self::EnrolmentToken(command) => command.run(control_plane, terminal),
            Self::Label(label) => label.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::Preflight(ask) => ask.run(control_plane, terminal),
            Self::Revisions(revisions) => revisions.run(control_plane, terminal),
            Self::Rollback(rollback) => rollback.run(control_plane, terminal),
            Self::Show(show) => show.run(control_plane, terminal),
            Self::Windows(windows) => windows.run(control_plane, terminal),
        }
    }
}

/// One executor with all that is known of it, by its id or its name.
pub fn find(control_plane: &ControlPlane, name_or_id: &str) -> Result<Executor, Failure> {
    let whole = |id: &str| control_plane.get::<Executor>(&format!("{EXECUTORS}/{id}"), &[]);
    if is_id(name_or_id) {
        match whole(name_or_id) {
            // A name may look like an id.
            Err(failure) if failure.status == Some(404) => {}
            answered => return answered,
        }
    }
    let named = control_plane.all::<Executor>(EXECUTORS, &[("name", name_or_id)])?;
    match named.into_iter().find(|executor| executor.name == name_or_id) {
        Some(executor) => whole(&executor.id),
        None => Err(Failure::new(
            Ending::Failed,
            "executor_not_found",
            format!(
                "expected the name or the id of an executor, none is called `{name_or_id}`: \
                 see `novactl executor list`"
            ),
        )),
    }
}

/// Whether a text can be an id: a UUID in its usual form, safe as part of a path.
pub fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
