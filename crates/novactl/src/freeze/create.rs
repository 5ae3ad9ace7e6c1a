//! `novactl freeze create`

use jiff::Timestamp;
use novacula_protocol::people::{Freeze, FreezeRequest, Selector};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Let no upgrade begin for some time, whatever the windows say
///
/// What has begun already goes on.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Why, for whoever waits
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// From when on, for example 2026-12-20T00:00:00Z; at once unless told
    #[arg(long, value_name = "RFC3339")]
    from: Option<Timestamp>,

    /// Until when
    #[arg(long, value_name = "RFC3339")]
    until: Timestamp,

    /// The zone in which its times are shown, for example Europe/Berlin; UTC unless told
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// For whom, for example "ring=canary,site!=berlin"; every executor of the account unless told
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    selector: Selector,
}

impl Create {
    /// Makes it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let asked = FreezeRequest {
            reason: self.reason.clone(),
            starts_at: self.from,
            ends_at: self.until,
            selector: self.selector.clone(),
            zone: self.zone.clone(),
        };
        let freeze: Freeze = control_plane.post(super::FREEZES, &asked)?;
        super::show(terminal, &freeze)?;
        Ok(Ending::Done)
    }
}
