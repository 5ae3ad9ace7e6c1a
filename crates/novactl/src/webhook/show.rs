//! `novactl webhook show`

use novacula_protocol::people::Webhook;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show one webhook
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Its id
    #[arg(value_name = "ID")]
    webhook: String,
}

impl Show {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let webhook: Webhook = control_plane.get(&super::path(&self.webhook)?, &[])?;
        print(terminal, &webhook)?;
        Ok(Ending::Done)
    }
}

/// One webhook with all that is known of it.
pub fn print(terminal: &Terminal, webhook: &Webhook) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(webhook);
    }
    terminal.line(format!("webhook {}", webhook.id))?;
    terminal.fact("url", &webhook.url)?;
    terminal.fact("events", super::events(webhook))?;
    terminal.fact("state", super::list::state(webhook))?;
    if let Some(reason) = &webhook.disabled_reason {
        terminal.fact("because", reason)?;
    }
    if let Some(since) = webhook.failing_since {
        terminal.fact("failing since", since.to_string())?;
    }
    if let Some(until) = webhook.previous_secret_until {
        terminal.fact("old secret", format!("signs too until {until}"))?;
    }
    if !webhook.description.is_empty() {
        terminal.fact("description", &webhook.description)?;
    }
    terminal.fact("made", format!("{} by {}", webhook.created_at, webhook.created_by))
}
