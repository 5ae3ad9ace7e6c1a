//! `novactl webhook …`

mod change;
mod create;
mod delete;
mod deliveries;
mod list;
mod retry;
mod rotate;
mod show;
mod test;

use novacula_protocol::people::{IssuedWebhook, Webhook, WebhookEvent};

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::terminal::Terminal;

const WEBHOOKS: &str = "/webhooks";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Change(change::Change),
    Delete(delete::Delete),
    Test(test::Test),
    Rotate(rotate::Rotate),
    Deliveries(deliveries::Deliveries),
    Retry(retry::Retry),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Create(create) => create.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::Show(show) => show.run(control_plane, terminal),
            Self::Change(change) => change.run(control_plane, terminal),
            Self::Delete(delete) => delete.run(control_plane, terminal),
            Self::Test(test) => test.run(control_plane, terminal),
            Self::Rotate(rotate) => rotate.run(control_plane, terminal),
            Self::Deliveries(deliveries) => deliveries.run(control_plane, terminal),
            Self::Retry(retry) => retry.run(control_plane, terminal),
        }
    }
}

/// The path of a webhook, from an id that is one.
fn path(id: &str) -> Result<String, Failure> {
    Ok(format!("{WEBHOOKS}/{}", id_of("webhook", id)?))
}

fn id_of<'a>(what: &str, id: &'a str) -> Result<&'a str, Failure> {
    if crate::executor::is_id(id) {
        return Ok(id);
    }
    Err(Failure::new(
        Ending::Failed,
        "not_found",
        format!("expected the id of a {what}, `{id}` is none: see `novactl webhook list` and `deliveries`"),
    ))
}

fn event(word: &str) -> Result<WebhookEvent, String> {
    WebhookEvent::from_wire(word).ok_or_else(|| {
        format!("expected one of {}", WebhookEvent::WANTED.map(WebhookEvent::as_str).join(", "))
    })
}

fn events(webhook: &Webhook) -> String {
    webhook.events.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", ")
}

/// Shows a secret, this once.
fn show_issued(terminal: &Terminal, issued: &IssuedWebhook) -> anyhow::Result<Ending> {
    if terminal.json {
        terminal.json(issued)?;
    } else {
        terminal.line(format!("webhook {}", issued.webhook.id))?;
        terminal.fact("url", &issued.webhook.url)?;
        terminal.fact("events", events(&issued.webhook))?;
        terminal.fact("secret", &issued.secret)?;
        terminal.note(
            "the secret is shown this once; libraries of Standard Webhooks want whsec_ in the place of nvw_",
        );
    }
    Ok(Ending::Done)
}
