//! `novactl executor key revoke`

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, wrong_usage};
use crate::executor::is_id;
use crate::terminal::Terminal;

/// End a key at once; its executor is out of reach until it gets another
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// Its id
    id: String,

    /// Why, for the activity
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Revoke {
    /// Ends it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        if !is_id(&self.id) {
            let sentence = format!(
                "expected the id of a key, as `novactl executor key list` shows it, found `{}`",
                self.id
            );
            return Err(wrong_usage(sentence).into());
        }
        control_plane.delete_because(&format!("{}/{}", super::KEYS, self.id), self.reason.as_deref())?;
        terminal.done(&self.id, "it is ended")?;
        Ok(Ending::Done)
    }
}
