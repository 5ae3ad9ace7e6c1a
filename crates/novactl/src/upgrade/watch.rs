//! `novactl upgrade watch`

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use novacula_protocol::people::Upgrade;
use novacula_protocol::{Progress, Stage, Status};

use super::show::log_line;
use crate::control_plane::ControlPlane;
use crate::durations;
use crate::ending::{Ending, Failure};
use crate::terminal::{Terminal, clean, with_bytes, without_bytes};

/// A control plane that is gone for longer than its own upgrade takes is not coming back by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// Watch one upgrade until it ends
///
/// The exit code is 0 only if it completed. With --json, one object on one line at every change.
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// Its id
    id: String,

    #[command(flatten)]
    pace: Pace,
}

/// How often to look, and for how long.
#[derive(Debug, clap::Args)]
pub struct Pace {
    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = durations::duration)]
    interval: Duration,

    /// Stop watching after this time with exit code 1; the upgrade goes on
    #[arg(long, value_name = "DURATION", value_parser = durations::duration)]
    timeout: Option<Duration>,
}

impl Watch {
    /// Watches.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        until_it_ends(control_plane, terminal, &self.id, &self.pace)
    }
}

#[expect(clippy::disallowed_methods, reason = "it waits because that was asked for")]
/// Shows every change of an upgrade until nothing more will come of it.
pub fn until_it_ends(
    control_plane: &ControlPlane,
    terminal: &Terminal,
    id: &str,
    pace: &Pace,
) -> anyhow::Result<Ending> {
    let began = Instant::now();
    let mut lost_since: Option<Instant> = None;
    let mut view = View::new(*terminal);
    loop {
        match super::find(control_plane, id) {
            Ok(upgrade) => {
                if lost_since.take().is_some() {
                    view.note("the control plane answers again");
                }
                view.show(&upgrade)?;
                if super::has_ended(&upgrade) {
                    return view.end(&upgrade);
                }
            }
            Err(failure) if failure.is_passing() => {
                let since = *lost_since.get_or_insert_with(|| {
                    view.note(&format!("{failure}; trying again"));
                    Instant::now()
                });
                if since.elapsed() > PATIENCE {
                    return Err(failure.into());
                }
            }
            Err(failure) => return Err(failure.into()),
        }
        if pace.timeout.is_some_and(|timeout| began.elapsed() >= timeout) {
            return Err(Failure::new(
                Ending::Failed,
                "still_running",
                format!("the upgrade had not ended when --timeout was over, it goes on: `novactl upgrade watch {id}`"),
            )
            .into());
        }
        std::thread::sleep(pace.interval);
    }
}

/// What was shown last, so that only changes are.
struct View {
    terminal: Terminal,
    bar: ProgressBar,
    seen: Option<Upgrade>,
}

impl View {
    fn new(terminal: Terminal) -> Self {
        let bar = terminal.bar(0);
        without_bytes(&bar);
        Self { terminal, bar, seen: None }
    }

    fn note(&self, text: &str) {
        self.bar.suspend(|| self.terminal.note(text));
    }

    fn show(&mut self, upgrade: &Upgrade) -> anyhow::Result<()> {
        let before = self.seen.replace(upgrade.clone());
        if self.terminal.json {
            return if before.as_ref() == Some(upgrade) { Ok(()) } else { self.terminal.json_line(upgrade) };
        }
        if before.is_none() {
            self.line(&super::title(upgrade))?;
        }
        let position = |u: &Upgrade| -> (u32, Stage, Status) { (u.attempt, u.stage, u.status) };
        let moved = before.as_ref().map(position) != Some(position(upgrade));
        // A log that became shorter is another log.
        let known =
            before.map(|before| before.log.len()).filter(|known| *known <= upgrade.log.len()).unwrap_or(0);
        for line in upgrade.log.iter().skip(known) {
            self.line(&format!("  {}", log_line(line)))?;
        }
        if self.terminal.live {
            self.draw(upgrade);
        } else if moved && !super::has_ended(upgrade) {
            self.line(&super::position(upgrade))?;
        }
        Ok(())
    }

    fn draw(&self, upgrade: &Upgrade) {
        self.bar.set_message(clean(&format!("{} {}", upgrade.stage, upgrade.status)));
        if upgrade.stage == Stage::Download && upgrade.bytes_total > 0 {
            self.bar.set_length(upgrade.bytes_total);
            self.bar.set_position(upgrade.bytes_done);
            with_bytes(&self.bar);
        } else {
            without_bytes(&self.bar);
        }
    }

    fn line(&self, text: &str) -> anyhow::Result<()> {
        self.bar.suspend(|| self.terminal.line(text))
    }

    fn end(self, upgrade: &Upgrade) -> anyhow::Result<Ending> {
        self.bar.finish_and_clear();
        let completed = upgrade.state == Progress::Completed;
        if !self.terminal.json {
            let reason = if completed { String::new() } else { super::reason(upgrade) };
            let colon = if reason.is_empty() { "" } else { ": " };
            self.terminal.line(format!("{}{colon}{reason}", super::position(upgrade)))?;
        }
        Ok(if completed { Ending::Done } else { Ending::Failed })
    }
}
