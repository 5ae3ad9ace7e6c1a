//! `novactl webhook change`

use novacula_protocol::people::{Webhook, WebhookEvent, WebhookPatch};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Change a webhook; what is not said stays
///
/// What waits for a webhook is dropped when it is disabled.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct Change {
    /// Its id
    #[arg(value_name = "ID")]
    webhook: String,

    /// Where to
    #[arg(long, value_name = "URL", group = "what")]
    to: Option<String>,

    /// Of what; may be given again
    #[arg(long, value_name = "EVENT", value_parser = super::event, group = "what")]
    event: Vec<WebhookEvent>,

    /// For people
    #[arg(long, group = "what")]
    description: Option<String>,

    /// Tell it again
    #[arg(long, group = "what", conflicts_with = "disable")]
    enable: bool,

    /// Tell it nothing any more
    #[arg(long, group = "what")]
    disable: bool,
}

impl Change {
    /// Changes it, and prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let patch = WebhookPatch {
            url: self.to.clone(),
            events: (!self.event.is_empty()).then(|| self.event.clone()),
            description: self.description.clone(),
            enabled: (self.enable || self.disable).then_some(self.enable),
        };
        let webhook: Webhook = control_plane.patch(&super::path(&self.webhook)?, &patch)?;
        super::show::print(terminal, &webhook)?;
        Ok(Ending::Done)
    }
}
