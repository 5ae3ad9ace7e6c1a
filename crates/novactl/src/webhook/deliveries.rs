//! `novactl webhook deliveries`

use novacula_protocol::people::{Delivery, DeliveryStatus, Page};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show what a webhook was told lately and what came of it, newest first
#[derive(Debug, clap::Args)]
pub struct Deliveries {
    /// The id of the webhook
    #[arg(value_name = "ID")]
    webhook: String,

    /// Only those that stand so: pending, delivered or givenUp
    #[arg(long)]
    status: Option<String>,
}

impl Deliveries {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("{}/deliveries", super::path(&self.webhook)?);
        let query: Vec<_> = self.status.as_deref().map(|status| ("status", status)).into_iter().collect();
        let (items, _): (Vec<Delivery>, bool) = control_plane.first(&path, &query, 500)?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
        } else {
            let rows: Vec<_> = items.into_iter().map(row).collect();
            terminal.table(["ID", "EVENT", "AT", "STATUS", "TRIES", "ANSWER"], &rows)?;
        }
        Ok(Ending::Done)
    }
}

fn row(delivery: Delivery) -> [String; 6] {
    let status = match delivery.status {
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::GivenUp => "given up",
    };
    let http = delivery.last_status.map(|status| format!("{status} ")).unwrap_or_default();
    [
        delivery.id,
        delivery.event.as_str().to_owned(),
        delivery.created_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        status.to_owned(),
        delivery.attempts.to_string(),
        format!("{http}{}", delivery.last_answer.unwrap_or_default().chars().take(60).collect::<String>()),
    ]
}
