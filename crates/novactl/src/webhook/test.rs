//! `novactl webhook test`

use novacula_protocol::people::Delivery;
use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Tell a webhook `webhook.test`
#[derive(Debug, clap::Args)]
pub struct Test {
    /// Its id
    #[arg(value_name = "ID")]
    webhook: String,
}

impl Test {
    /// Orders it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("{}/test", super::path(&self.webhook)?);
        let delivery: Delivery = control_plane.post(&path, &json!({}))?;
        ordered(terminal, &self.webhook, &delivery)
    }
}

/// Says that it is on its way.
pub fn ordered(terminal: &Terminal, webhook: &str, delivery: &Delivery) -> anyhow::Result<Ending> {
    if terminal.json {
        terminal.json(delivery)?;
    } else {
        terminal.line(format!(
            "delivery {} is on its way; see `novactl webhook deliveries {webhook}`",
            delivery.id
        ))?;
    }
    Ok(Ending::Done)
}
