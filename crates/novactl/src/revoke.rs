//! The end of keys and tokens: one way for all kinds of them.

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, wrong_usage};
use crate::executor::is_id;
use crate::terminal::Terminal;

/// What is ended: where such things are, what one is called, and the command that lists them.
pub struct Kind {
    /// Below the API.
    pub path: &'static str,
    /// For people.
    pub name: &'static str,
    /// Where its id is found.
    pub listed_by: &'static str,
}

impl Kind {
    /// Ends the one with this id.
    pub fn revoke(
        &self,
        control_plane: &ControlPlane,
        terminal: &Terminal,
        id: &str,
        reason: Option<&str>,
    ) -> anyhow::Result<Ending> {
        if !is_id(id) {
            let (name, listed_by) = (self.name, self.listed_by);
            let sentence =
                format!("expected the id of a {name}, as `novactl {listed_by}` shows it, found `{id}`");
            return Err(wrong_usage(sentence).into());
        }
        control_plane.delete_because(&format!("{}/{id}", self.path), reason)?;
        terminal.done(id, "it is ended")?;
        Ok(Ending::Done)
    }
}
