//! `novactl executor enroll`

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use novacula_protocol::people::{EnrolmentTokenRequest, ExecutorKeyRequest, IssuedSecret};
use novacula_protocol::sync::Channel;
use serde_json::json;

use super::agent_config::AgentConfig;
use super::new_file::NewFile;
use crate::connection;
use crate::control_plane::ControlPlane;
use crate::durations;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Issue a key for one executor, or a token for many, as a ready agent.toml
///
/// The secret is shown this once; the control plane keeps only its hash.
#[derive(Debug, clap::Args)]
pub struct Enroll {
    /// The name of the executor that the key is for
    #[arg(required_unless_present = "token", conflicts_with = "token")]
    name: Option<String>,

    /// Issue an enrolment token, which many executors exchange for keys of their own
    #[arg(long, requires_all = ["max_uses", "expires_in"])]
    token: bool,

    /// How many executors may use the token
    #[arg(long, value_name = "N", requires = "token", value_parser = clap::value_parser!(u32).range(1..))]
    max_uses: Option<u32>,

    /// When the token ends, for example 24h or 7d
    #[arg(long, value_name = "DURATION", requires = "token", value_parser = durations::duration)]
    expires_in: Option<Duration>,

    /// Write the agent.toml here, mode 0600; a file that exists is never replaced
    #[arg(long, value_name = "PATH")]
    write: Option<PathBuf>,

    /// The channel the executor follows: stable, beta or dev
    #[arg(long, value_parser = crate::release::channel)]
    channel: Option<Channel>,

    /// The control plane's URL as the executor reaches it; without it, the one of --url
    #[arg(long, value_name = "URL")]
    agent_url: Option<String>,
}

impl Enroll {
    /// Makes room for the file, asks for the secret, hands it over.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let url = match &self.agent_url {
            Some(text) => connection::base_url(text)?,
            None => control_plane.url().to_owned(),
        };
        let file = self.write.as_deref().map(NewFile::create).transpose()?;
        let issued = self.issue(control_plane)?;
        let config = AgentConfig {
            name: self.name.as_deref(),
            channel: self.channel,
            url: &url,
            access_token: &issued.secret,
        }
        .render();
        note_on(&url, terminal);
        let shown_path = self.write.as_ref().map(|path| path.display().to_string());
        match (file, shown_path) {
            (Some(file), Some(path)) => {
                file.fill(&config)?;
                if terminal.json {
                    terminal.json(&json!({ "id": issued.id, "path": path }))?;
                } else {
                    terminal.line(format!("{path} is written, with a secret that is shown nowhere else"))?;
                }
            }
            _ if terminal.json => {
                terminal.json(&json!({ "id": issued.id, "secret": issued.secret, "config": config }))?;
            }
            _ => terminal.lines("", &config)?,
        }
        Ok(Ending::Done)
    }

    #[expect(clippy::disallowed_methods, reason = "the end of an enrolment token is a time of day")]
    fn issue(&self, control_plane: &ControlPlane) -> anyhow::Result<IssuedSecret> {
        match (self.max_uses, self.expires_in) {
            (Some(max_uses), Some(expires_in)) => {
                let expires_at = Timestamp::now()
                    .checked_add(expires_in)
                    .context("--expires-in leads beyond the calendar")?;
                let request = EnrolmentTokenRequest { max_uses, expires_at };
                Ok(control_plane.post("/enrolment-tokens", &request)?)
            }
            _ => Ok(control_plane
                .post("/executor-keys", &ExecutorKeyRequest { name: self.name.clone(), expires_at: None })?),
        }
    }
}

/// What will keep an agent with this config from syncing.
fn note_on(url: &str, terminal: &Terminal) {
    if connection::is_loopback(url) {
        terminal.note(format!(
            "the config names {url}, which only executors on the control plane's own host reach: give --agent-url \
             for others"
        ));
    } else if url.starts_with("http://") {
        terminal.note(format!(
            "the config names {url}, which agents take only with `allow_plain_http = true` in [control_plane]"
        ));
    }
}
