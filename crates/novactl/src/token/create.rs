//! `novactl token create`

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use novacula_protocol::people::{IssuedSecret, TokenRequest};

use crate::control_plane::ControlPlane;
use crate::durations;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Make a token of yours for this account, and print it this once
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What for
    name: String,

    /// When it ends, for example 30d; at most a year, 90 days unless told
    #[arg(long, value_name = "DURATION", value_parser = durations::duration)]
    expires_in: Option<Duration>,
}

impl Create {
    /// Makes it.
    #[expect(clippy::disallowed_methods, reason = "the end of a token is a time of day")]
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let end =
            |length| Timestamp::now().checked_add(length).context("--expires-in leads beyond the calendar");
        let expires_at = self.expires_in.map(end).transpose()?;
        let asked = TokenRequest { name: self.name.clone(), expires_at };
        let issued: IssuedSecret = control_plane.post(super::TOKENS, &asked)?;
        if terminal.json {
            terminal.json(&issued)?;
        } else {
            terminal.line(&issued.secret)?;
            terminal.note(
                "the token is shown this once; keep it in a file of mode 0600 and name it with --token-file",
            );
        }
        Ok(Ending::Done)
    }
}
