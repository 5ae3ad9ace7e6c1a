//! `novactl window change`

use std::time::Duration;

use novacula_protocol::people::{Selector, Window, WindowPatch};

use crate::control_plane::ControlPlane;
use crate::durations;
use crate::ending::{Ending, wrong_usage};
use crate::terminal::Terminal;

/// Change a window; what is not given stays
#[derive(Debug, clap::Args)]
pub struct Change {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    window: String,

    /// Another name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// When it opens, for example "0 2 * * SUN"
    #[arg(long, value_name = "CRON")]
    cron: Option<String>,

    /// How long it stays open, for example 2h; 1 minute to 7 days
    #[arg(long, value_name = "DURATION", value_parser = durations::duration)]
    duration: Option<Duration>,

    /// The zone in which that is meant, for example Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// For whom, for example "ring=canary,site!=berlin"; "" for every executor of the account
    #[arg(long, value_name = "SELECTOR")]
    selector: Option<Selector>,
}

impl Change {
    /// Changes it, and shows when it opens then.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let patch = WindowPatch {
            name: self.name.clone(),
            selector: self.selector.clone(),
            cron: self.cron.clone(),
            duration_ms: self.duration.map(durations::millis),
            zone: self.zone.clone(),
        };
        if patch == WindowPatch::default() {
            return Err(wrong_usage("expected what to change: see `novactl window change --help`").into());
        }
        let id = super::find(control_plane, &self.window)?.id.unwrap_or_default();
        let window: Window = control_plane.patch(&format!("{}/{id}", super::WINDOWS), &patch)?;
        super::show(terminal, &window)?;
        Ok(Ending::Done)
    }
}
