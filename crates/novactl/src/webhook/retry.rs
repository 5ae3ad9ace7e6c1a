//! `novactl webhook retry`

use novacula_protocol::people::Delivery;
use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Send a delivery again, under the same id
#[derive(Debug, clap::Args)]
pub struct Retry {
    /// The id of the webhook
    #[arg(value_name = "ID")]
    webhook: String,

    /// The id of the delivery
    #[arg(value_name = "DELIVERY")]
    delivery: String,
}

impl Retry {
    /// Orders it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let id = super::id_of("delivery", &self.delivery)?;
        let path = format!("{}/deliveries/{id}/retry", super::path(&self.webhook)?);
        let delivery: Delivery = control_plane.post(&path, &json!({}))?;
        super::test::ordered(terminal, &self.webhook, &delivery)
    }
}
