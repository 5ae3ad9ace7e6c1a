//! `novactl user …`

mod add;
mod change;
mod list;
mod remove;
mod reset_password;

use novacula_protocol::people::{Role, User, UserWithPassword};

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::executor::is_id;
use crate::named::Kind;
use crate::terminal::Terminal;

const USERS: &str = "/users";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Add(add::Add),
    Change(change::Change),
    List(list::List),
    Remove(remove::Remove),
    ResetPassword(reset_password::ResetPassword),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Add(add) => add.run(control_plane, terminal),
            Self::Change(change) => change.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::Remove(remove) => remove.run(control_plane, terminal),
            Self::ResetPassword(reset_password) => reset_password.run(control_plane, terminal),
        }
    }
}

const KIND: Kind = Kind { path: USERS, noun: "user", one: "a user of this account", listed_by: "user list" };

/// One user of the account, by id or by name.
fn find(control_plane: &ControlPlane, asked: &str) -> Result<User, Failure> {
    let is_it = |it: &User| it.name.eq_ignore_ascii_case(asked) || is_id(asked) && it.id == asked;
    KIND.find(control_plane, asked, is_it)
}

/// What the list and every change show.
fn show(terminal: &Terminal, user: &User) -> anyhow::Result<()> {
    terminal.line(&user.name)?;
    terminal.fact("id", &user.id)?;
    terminal.fact("role", rights(user))?;
    terminal.fact("login", logins(user))
}

fn show_with_password(terminal: &Terminal, added: &UserWithPassword) -> anyhow::Result<Ending> {
    if terminal.json {
        terminal.json(added)?;
        return Ok(Ending::Done);
    }
    show(terminal, &added.user)?;
    if let Some(password) = &added.one_time_password {
        terminal.fact(
            "password",
            format!("{password}  (shown this once; it must be changed at the first login)"),
        )?;
    }
    Ok(Ending::Done)
}

fn rights(user: &User) -> String {
    let publishes = if user.is_release_manager { ", release manager" } else { "" };
    format!("{}{publishes}", user.role)
}

fn logins(user: &User) -> String {
    let ways = [
        (user.disabled_at.is_some(), "disabled"),
        (user.has_password && user.must_change_password, "one-time password"),
        (user.has_password && !user.must_change_password, "password"),
        (user.oidc_subject.is_some(), "OpenID"),
    ];
    let ways: Vec<_> = ways.into_iter().filter_map(|(is_so, way)| is_so.then_some(way)).collect();
    if ways.is_empty() { "tokens only".to_owned() } else { ways.join(", ") }
}

fn role(word: &str) -> Result<Role, String> {
    Role::from_wire(word).ok_or_else(|| "expected owner, admin, editor or viewer".to_owned())
}
