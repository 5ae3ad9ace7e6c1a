//! `novactl webhook rotate`

use novacula_protocol::people::IssuedWebhook;
use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Give a webhook another secret
///
/// For a day what is sent is signed with the old one too.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// Its id
    #[arg(value_name = "ID")]
    webhook: String,
}

impl Rotate {
    /// Rotates it, and shows the new secret.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("{}/rotate", super::path(&self.webhook)?);
        let issued: IssuedWebhook = control_plane.post(&path, &json!({}))?;
        super::show_issued(terminal, &issued)
    }
}
