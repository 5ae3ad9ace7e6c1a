//! `novactl executor enrolment-token revoke`

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, wrong_usage};
use crate::executor::is_id;
use crate::terminal::Terminal;

/// End an enrolment token; the keys that it was exchanged for live on
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
                "expected the id of a token, as `novactl executor enrolment-token list` shows it, found `{}`",
                self.id
            );
            return Err(wrong_usage(sentence).into());
        }
        control_plane.delete_because(&format!("{}/{}", super::TOKENS, self.id), self.reason.as_deref())?;
        terminal.done(&self.id, "it is ended")?;
        Ok(Ending::Done)
    }
}
