//! `novactl executor enrolment-token list`

use novacula_protocol::people::{EnrolmentToken, Page};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List the tokens that executors are enrolled with, without their secrets
#[derive(Debug, clap::Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let items: Vec<EnrolmentToken> = control_plane.all(super::TOKENS, &[])?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|token| {
                let ends = match token.revoked_at {
                    Some(at) => format!("revoked {at}"),
                    None => token.expires_at.to_string(),
                };
                [format!("{} of {}", token.uses, token.max_uses), ends, token.created_by, token.id]
            })
            .collect();
        terminal.table(["USED", "ENDS", "BY", "ID"], &rows)?;
        Ok(Ending::Done)
    }
}
