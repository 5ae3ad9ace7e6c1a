//! `novactl executor key rotate`

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use novacula_protocol::people::{ExecutorKeyRotation, RotatedKey};
use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::durations::{self, millis};
use crate::ending::{Ending, wrong_usage};
use crate::executor::is_id;
use crate::executor::new_file::NewFile;
use crate::terminal::Terminal;

/// Give a key a new secret, and print it this once
///
/// The secret before goes on working for the overlap, so that the host can be given the new one meanwhile.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// The id of the key, as `novactl executor key list` shows it
    id: String,

    /// How long the secret before goes on working, for example 1h; a day unless told
    #[arg(long, value_name = "DURATION", value_parser = durations::duration, conflicts_with = "at_once")]
    overlap: Option<Duration>,

    /// End the secret before at once, for example because somebody else has it
    #[arg(long)]
    at_once: bool,

    /// When the new secret ends, for example 365d; as the one before unless told
    #[arg(long, value_name = "DURATION", value_parser = durations::duration)]
    expires_in: Option<Duration>,

    /// Write the secret here, mode 0600; a file that exists is never replaced
    #[arg(long, value_name = "PATH")]
    write: Option<PathBuf>,
}

impl Rotate {
    /// Makes room for the secret, asks for it, hands it over.
    #[expect(clippy::disallowed_methods, reason = "the end of a secret is a time of day")]
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        if !is_id(&self.id) {
            let sentence = format!(
                "expected the id of a key, as `novactl executor key list` shows it, found `{}`",
                self.id
            );
            return Err(wrong_usage(sentence).into());
        }
        let end =
            |length| Timestamp::now().checked_add(length).context("--expires-in leads beyond the calendar");
        let asked = ExecutorKeyRotation {
            overlap_ms: if self.at_once { Some(0) } else { self.overlap.map(millis) },
            expires_at: self.expires_in.map(end).transpose()?,
        };
        let file = self.write.as_deref().map(NewFile::create).transpose()?;
        let rotated: RotatedKey =
            control_plane.post(&format!("{}/{}/rotate", super::KEYS, self.id), &asked)?;
        let until = rotated.previous_until;
        match (file, &self.write) {
            (Some(file), Some(path)) => {
                file.fill(&format!("{}\n", rotated.secret))?;
                let path = path.display().to_string();
                if terminal.json {
                    terminal.json(&json!({ "id": rotated.id, "path": path, "previousUntil": until }))?;
                } else {
                    terminal.line(format!("{path} is written, with a secret that is shown nowhere else"))?;
                }
            }
            _ if terminal.json => terminal.json(&rotated)?,
            _ => terminal.line(&rotated.secret)?,
        }
        terminal.note(match until {
            Some(until) => format!("the secret before goes on working until {until}"),
            None => "the secret before has ended".to_owned(),
        });
        Ok(Ending::Done)
    }
}
