//! `novactl account …`

mod create;
mod list;
mod rename;
mod resume;
mod suspend;

use novacula_protocol::people::{Account, SuspensionRequest};

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::executor::is_id;
use crate::named::Kind;
use crate::terminal::Terminal;

const ACCOUNTS: &str = "/accounts";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Create(create::Create),
    List(list::List),
    Rename(rename::Rename),
    Resume(resume::Resume),
    Suspend(suspend::Suspend),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Create(create) => create.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::Rename(rename) => rename.run(control_plane, terminal),
            Self::Resume(resume) => resume.run(control_plane, terminal),
            Self::Suspend(suspend) => suspend.run(control_plane, terminal),
        }
    }
}

const KIND: Kind = Kind { path: ACCOUNTS, noun: "account", one: "an account", listed_by: "account list" };

/// One account, by its id or its name.
fn find(control_plane: &ControlPlane, asked: &str) -> Result<Account, Failure> {
    let is_it = |it: &Account| it.name.eq_ignore_ascii_case(asked) || is_id(asked) && it.id == asked;
    KIND.find(control_plane, asked, is_it)
}

/// Suspends or resumes an account.
fn set(
    control_plane: &ControlPlane,
    terminal: &Terminal,
    name_or_id: &str,
    verb: &str,
    reason: &str,
) -> anyhow::Result<Ending> {
    let id = find(control_plane, name_or_id)?.id;
    let asked = SuspensionRequest { reason: reason.to_owned() };
    let account: Account = control_plane.post(&format!("{ACCOUNTS}/{id}/{verb}"), &asked)?;
    show(terminal, &account)
}

fn show(terminal: &Terminal, account: &Account) -> anyhow::Result<Ending> {
    if terminal.json {
        terminal.json(account)?;
        return Ok(Ending::Done);
    }
    terminal.line(&account.name)?;
    terminal.fact("id", &account.id)?;
    terminal.fact("state", state(account))?;
    if let Some(reason) = &account.suspension_reason {
        terminal.fact("because", reason)?;
    }
    Ok(Ending::Done)
}

fn state(account: &Account) -> &'static str {
    match (account.suspended_at, account.is_founding) {
        (Some(_), _) => "suspended",
        (None, true) => "founding",
        (None, false) => "active",
    }
}
