//! `novactl upgrade start`, `pause`, `complete` …: one word each to an upgrade.

use jiff::Timestamp;
use novacula_protocol::people::{
    AbandonRequest, MayHaveReason, Reschedule, StartRequest, Upgrade, WithReason,
};
use serde::Serialize;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Whose, and why.
#[derive(Debug, clap::Args)]
pub struct MayWhy {
    /// Its id
    id: String,

    /// Why; it is kept in the activity
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Whose, and why; there is no silence about these.
#[derive(Debug, clap::Args)]
pub struct Why {
    /// Its id
    id: String,

    /// Why; it is kept in the activity
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Begin now
#[derive(Debug, clap::Args)]
pub struct Start {
    #[command(flatten)]
    why: MayWhy,

    /// Past windows, freezes and older upgrades; never past an approval, a prerequisite or a check of the host
    #[arg(long, requires = "reason")]
    force: bool,
}

/// Try it out on the host: download and verify, swap nothing
#[derive(Debug, clap::Args)]
pub struct Validate {
    #[command(flatten)]
    why: MayWhy,
}

/// Say yes to what somebody else has requested
#[derive(Debug, clap::Args)]
pub struct Approve {
    #[command(flatten)]
    why: MayWhy,
}

/// Stand still at the next checkpoint before the swap
#[derive(Debug, clap::Args)]
pub struct Pause {
    #[command(flatten)]
    why: Why,
}

/// Go on after a pause, past a stage that stalled, or again after a failure
#[derive(Debug, clap::Args)]
pub struct Continue {
    #[command(flatten)]
    why: Why,
}

/// Begin a new attempt after a failure
#[derive(Debug, clap::Args)]
pub struct Retry {
    #[command(flatten)]
    why: MayWhy,
}

/// Bring the previous version back, until it has completed; see also `novactl executor rollback`
#[derive(Debug, clap::Args)]
pub struct Rollback {
    #[command(flatten)]
    why: MayWhy,
}

/// Drop it: at once before its executor has picked it up, at the next checkpoint before the swap
#[derive(Debug, clap::Args)]
pub struct Abandon {
    #[command(flatten)]
    why: Why,

    /// Only if its executor has not picked it up
    #[arg(long)]
    check_unstarted: bool,
}

/// Say the last word on an upgrade that waits for it
#[derive(Debug, clap::Args)]
pub struct Complete {
    #[command(flatten)]
    why: MayWhy,
}

/// Set another time, at least an hour from now and not after the deadline; also after a failure
#[derive(Debug, clap::Args)]
pub struct Put {
    #[command(flatten)]
    why: MayWhy,

    /// Not before this time, for example 2026-11-21T02:00:00Z
    #[arg(long, value_name = "RFC3339", value_parser = super::request::time)]
    at: Timestamp,
}

macro_rules! words {
    ($($word:ident $verb:literal $done:literal |$this:ident| $body:expr;)*) => {
        $(
            impl $word {
                /// Says it.
                pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
                    let $this = self;
                    say(control_plane, terminal, ($verb, $done), &self.why.id, &$body)
                }
            }
        )*
    };
}

words! {
    Start "start" "is started" |it| StartRequest { force: it.force, reason: it.why.reason.clone() };
    Validate "validate" "is tried out on its host" |it| MayHaveReason { reason: it.why.reason.clone() };
    Approve "approve" "is approved" |it| MayHaveReason { reason: it.why.reason.clone() };
    Pause "pause" "pauses at its next checkpoint" |it| WithReason { reason: it.why.reason.clone() };
    Continue "continue" "goes on" |it| WithReason { reason: it.why.reason.clone() };
    Retry "retry" "begins anew" |it| MayHaveReason { reason: it.why.reason.clone() };
    Rollback "rollback" "goes back" |it| MayHaveReason { reason: it.why.reason.clone() };
    Abandon "abandon" "is dropped" |it| {
        AbandonRequest { reason: it.why.reason.clone(), check_unstarted: it.check_unstarted }
    };
    Complete "complete" "is completed" |it| MayHaveReason { reason: it.why.reason.clone() };
}

impl Put {
    /// Puts it off, or forward.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let body = Reschedule { scheduled_at: self.at, reason: self.why.reason.clone() };
        let upgrade: Upgrade = control_plane.patch(&super::path(&self.why.id)?, &body)?;
        told(terminal, &upgrade, &format!("is scheduled for {}", upgrade.scheduled_at))
    }
}

fn say(
    control_plane: &ControlPlane,
    terminal: &Terminal,
    (verb, done): (&str, &str),
    id: &str,
    body: &impl Serialize,
) -> anyhow::Result<Ending> {
    let upgrade: Upgrade = control_plane.post(&format!("{}/{verb}", super::path(id)?), body)?;
    told(terminal, &upgrade, done)
}

fn told(terminal: &Terminal, upgrade: &Upgrade, done: &str) -> anyhow::Result<Ending> {
    if terminal.json {
        terminal.json(upgrade)?;
        return Ok(Ending::Done);
    }
    terminal.line(format!("{} {done}", super::title(upgrade)))?;
    terminal.fact("stands at", super::position(upgrade))?;
    if let Some(wait) = &upgrade.waits_for {
        terminal.fact("waits", &wait.message)?;
    }
    Ok(Ending::Done)
}
