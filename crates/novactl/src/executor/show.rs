//! `novactl executor show`

use std::collections::BTreeMap;

use novacula_protocol::people::{AvailableRelease, Executor};
use novacula_protocol::sync::Support;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show one executor, and the releases it can go to
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    executor: String,
}

impl Show {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let executor = super::find(control_plane, &self.executor)?;
        if terminal.json {
            terminal.json(&executor)?;
        } else {
            facts(terminal, &executor)?;
            available(terminal, "upgrades", executor.available_upgrades.as_deref())?;
            available(terminal, "downgrades", executor.available_downgrades.as_deref())?;
            plans(terminal, &executor)?;
        }
        Ok(Ending::Done)
    }
}

pub fn facts(terminal: &Terminal, executor: &Executor) -> anyhow::Result<()> {
    let support = match executor.support {
        Support::InWindow => "in window",
        Support::Deprecated => "deprecated: one major version behind the control plane",
        Support::OutOfSupport => "out of support: more than one major version behind the control plane",
    };
    terminal.line(&executor.name)?;
    terminal.fact("id", &executor.id)?;
    terminal.fact("kind", executor.kind.as_str())?;
    terminal.fact("version", executor.current_version.to_string())?;
    terminal.fact("support", support)?;
    terminal.fact("channel", executor.channel.as_str())?;
    terminal.fact("target", &executor.target)?;
    terminal.fact("status", super::list::word(executor.status))?;
    terminal.fact("last seen", executor.last_seen_at.to_string())?;
    terminal.fact("restarts", executor.restarts.to_string())?;
    if !executor.labels.is_empty() {
        terminal.fact("labels", pairs(&executor.labels))?;
    }
    if let Some(by_people) = executor.labels_by_people.as_ref().filter(|labels| !labels.is_empty()) {
        terminal.fact("by people", pairs(by_people))?;
        terminal.fact("by its host", pairs(executor.host_labels.as_ref().unwrap_or(&executor.labels)))?;
    }
    if let Some(held) = &executor.held {
        let until = held.until.map(|until| format!(" (until {until})")).unwrap_or_default();
        terminal.fact("held", format!("{}{until}", held.reason))?;
    }
    if let Some(keys) = &executor.trusted_keys {
        terminal.fact("trusts keys", if keys.is_empty() { "none".to_owned() } else { keys.join(" ") })?;
    }
    if let Some(id) = &executor.pending_upgrade_id {
        terminal.fact("upgrade", id)?;
    }
    Ok(())
}

fn pairs(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if pairs.is_empty() { "none".to_owned() } else { pairs.join(" ") }
}

/// The wave it is in, fixed when that began, beside the one that its labels would put it into now.
pub fn plans(terminal: &Terminal, executor: &Executor) -> anyhow::Result<()> {
    let Some(plans) = executor.plans.as_ref().filter(|plans| !plans.is_empty()) else { return Ok(()) };
    terminal.line("plans:")?;
    let none = || "none".to_owned();
    let rows: Vec<_> = plans
        .iter()
        .map(|plan| {
            [
                format!("  {}", plan.plan_name),
                plan.wave.clone().unwrap_or_else(none),
                plan.wave_by_labels.clone().unwrap_or_else(none),
                plan.outcome.as_ref().map(crate::fleet::word).unwrap_or_default(),
                plan.reason.clone(),
            ]
        })
        .collect();
    terminal.table(["  PLAN", "WAVE", "WAVE BY LABELS NOW", "OUTCOME", "REASON"], &rows)
}

fn available(terminal: &Terminal, what: &str, releases: Option<&[AvailableRelease]>) -> anyhow::Result<()> {
    let releases = releases.unwrap_or_default();
    if releases.is_empty() {
        return terminal.line(format!("available {what}: none"));
    }
    terminal.line(format!("available {what}:"))?;
    for release in releases {
        let lock = match (&release.reason, release.allowed_as_direct_target) {
            (_, true) => "",
            (Some(reason), false) => reason,
            (None, false) => "locked",
        };
        terminal.line(
            format!("  {:<14} {:<8} {lock}", release.version.to_string(), release.channel).trim_end(),
        )?;
    }
    Ok(())
}
