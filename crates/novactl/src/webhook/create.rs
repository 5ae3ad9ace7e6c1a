//! `novactl webhook create`

use novacula_protocol::people::{IssuedWebhook, WebhookEvent, WebhookRequest};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Have somebody told of upgrades and plans, and get the secret that signs what is sent
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Where to; https, and it may hold a secret
    #[arg(value_name = "URL")]
    to: String,

    /// Of what; may be given again; all unless told
    #[arg(long, value_name = "EVENT", value_parser = super::event)]
    event: Vec<WebhookEvent>,

    /// For people
    #[arg(long)]
    description: Option<String>,
}

impl Create {
    /// Makes it, and shows its secret.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let events = match self.event.is_empty() {
            true => WebhookEvent::WANTED.to_vec(),
            false => self.event.clone(),
        };
        let request = WebhookRequest { url: self.to.clone(), events, description: self.description.clone() };
        let issued: IssuedWebhook = control_plane.post(super::WEBHOOKS, &request)?;
        super::show_issued(terminal, &issued)
    }
}
