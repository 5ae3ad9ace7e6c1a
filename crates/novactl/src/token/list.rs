//! `novactl token list`

use novacula_protocol::people::{Page, Token};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List your tokens in this account; everybody's, if you are its owner or admin
#[derive(Debug, clap::Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let items: Vec<Token> = control_plane.all(super::TOKENS, &[])?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|token| {
                let ends = match (token.revoked_at, token.expires_at) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, Some(at)) => at.to_string(),
                    (None, None) => "never".to_owned(),
                };
                let used = token.last_used_on.map_or_else(|| "never".to_owned(), |day| day.to_string());
                [token.user, token.name, ends, used, token.id]
            })
            .collect();
        terminal.table(["USER", "NAME", "ENDS", "LAST USED", "ID"], &rows)?;
        Ok(Ending::Done)
    }
}
