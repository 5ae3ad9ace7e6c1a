//! `novactl executor list`

use novacula_protocol::people::{Executor, Page, Presence};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{Channel, Support};
use semver::Version;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List executors
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only this kind: agent or operator
    #[arg(long, value_parser = crate::release::kind)]
    kind: Option<Kind>,

    /// Only this channel: stable, beta or dev
    #[arg(long, value_parser = crate::release::channel)]
    channel: Option<Channel>,

    /// Only this status: online or offline
    #[arg(long, value_parser = presence)]
    status: Option<Presence>,

    /// Only those so far behind: in-window, deprecated or out-of-support
    #[arg(long, value_parser = support)]
    support: Option<Support>,

    /// Only those whose name contains this, in upper or lower case
    #[arg(long, value_name = "PART")]
    search: Option<String>,

    /// Only those that a sysadmin holds; `--held=false`: only the others
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    held: Option<bool>,

    /// Only those with an upgrade that has not ended; `--pending=false`: only the others
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pending: Option<bool>,

    /// Only those that run this version
    #[arg(long, value_parser = crate::release::version)]
    running: Option<Version>,

    /// Only those with this label; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,

    /// Only those that the group of this name takes: see `novactl fleet group list`
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let mut query = Vec::new();
        query.extend(self.kind.map(|kind| ("kind", kind.as_str())));
        query.extend(self.support.map(|support| ("support", support_word(support))));
        query.extend(self.search.as_deref().map(|part| ("search", part)));
        query.extend(self.held.map(|held| ("held", yes_or_no(held))));
        query.extend(self.pending.map(|pending| ("pending", yes_or_no(pending))));
        query.extend(self.channel.map(|channel| ("channel", channel.as_str())));
        query.extend(self.status.map(|status| ("status", word(status))));
        let version = self.running.as_ref().map(ToString::to_string);
        query.extend(version.as_deref().map(|version| ("version", version)));
        let labels: Vec<_> = self.label.iter().map(|(key, value)| format!("{key}={value}")).collect();
        query.extend(labels.iter().map(|label| ("label", label.as_str())));
        query.extend(self.group.as_deref().map(|group| ("group", group)));
        let mut items: Vec<Executor> = control_plane.all(super::EXECUTORS, &query)?;
        items.retain(|executor| self.matches(executor));
        items.sort_by(|a, b| a.name.cmp(&b.name));
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|executor| {
                let held = if executor.held.is_some() { "held" } else { "" };
                let upgrading = if executor.pending_upgrade_id.is_some() { "upgrading" } else { "" };
                [
                    executor.name,
                    executor.kind.to_string(),
                    executor.current_version.to_string(),
                    executor.channel.to_string(),
                    word(executor.status).to_owned(),
                    format!("{upgrading} {held}").trim().to_owned(),
                    executor.target,
                    executor.id,
                ]
            })
            .collect();
        terminal.table(["NAME", "KIND", "VERSION", "CHANNEL", "STATUS", "STATE", "TARGET", "ID"], &rows)?;
        Ok(Ending::Done)
    }

    fn matches(&self, executor: &Executor) -> bool {
        self.kind.is_none_or(|kind| executor.kind == kind)
            && self.channel.is_none_or(|channel| executor.channel == channel)
            && self.status.is_none_or(|status| executor.status == status)
            && self.running.as_ref().is_none_or(|version| executor.current_version == *version)
            && self.label.iter().all(|(key, value)| executor.labels.get(key) == Some(value))
    }
}

pub fn word(presence: Presence) -> &'static str {
    match presence {
        Presence::Online => "online",
        Presence::Offline => "offline",
    }
}

fn presence(text: &str) -> Result<Presence, String> {
    [Presence::Online, Presence::Offline]
        .into_iter()
        .find(|presence| word(*presence) == text)
        .ok_or_else(|| "expected online or offline".to_owned())
}

fn support_word(support: Support) -> &'static str {
    match support {
        Support::InWindow => "in-window",
        Support::Deprecated => "deprecated",
        Support::OutOfSupport => "out-of-support",
    }
}

fn support(text: &str) -> Result<Support, String> {
    [Support::InWindow, Support::Deprecated, Support::OutOfSupport]
        .into_iter()
        .find(|support| support_word(*support) == text)
        .ok_or_else(|| "expected in-window, deprecated or out-of-support".to_owned())
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "true" } else { "false" }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
