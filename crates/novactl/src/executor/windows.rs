//! `novactl executor windows`

use novacula_protocol::people::ExecutorWindows;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show when an upgrade of one executor may begin
#[derive(Debug, clap::Args)]
pub struct Windows {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    executor: String,
}

impl Windows {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let id = super::find(control_plane, &self.executor)?.id;
        let shown: ExecutorWindows = control_plane.get(&format!("{}/{id}/windows", super::EXECUTORS), &[])?;
        if terminal.json {
            terminal.json(&shown)?;
            return Ok(Ending::Done);
        }
        let until = shown.closes_at.map(|at| format!(" until {at}")).unwrap_or_default();
        match &shown.reason {
            Some(reason) => terminal.line(reason)?,
            None => terminal.line(format!("open{until}"))?,
        }
        for window in &shown.windows {
            let now = if window.is_open { "open" } else { "shut" };
            let when = format!("{} in {}", window.cron, window.zone);
            terminal.fact("window", format!("{} ({now}): {when}", window.name))?;
        }
        for freeze in &shown.freezes {
            let times = format!("{} to {}", freeze.starts_at_local, freeze.ends_at_local);
            terminal.fact("freeze", format!("{times}: {}", freeze.reason))?;
        }
        if !shown.next.is_empty() {
            terminal.line("next:")?;
        }
        crate::window::openings(terminal, &shown.next)?;
        Ok(Ending::Done)
    }
}
