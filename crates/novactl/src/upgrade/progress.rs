//! `novactl upgrade progress`, `validation` and `diff`: looks at one upgrade.

use indicatif::HumanBytes;
use novacula_protocol::people::{Diff, DiffSummary, UpgradeProgress, Validation, ValidationState};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Say how far it is, what was asked of it and what it waits for
#[derive(Debug, clap::Args)]
pub struct Progress {
    /// Its id
    id: String,
}

/// Say how the last dry run on its host ended
#[derive(Debug, clap::Args)]
pub struct LastValidation {
    /// Its id
    id: String,
}

/// Say what changes on the host: releases on the way, artifact, key, floor, stages
#[derive(Debug, clap::Args)]
pub struct ShowDiff {
    /// Its id
    id: String,

    /// In a few words
    #[arg(long)]
    summary: bool,
}

impl Progress {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let progress: UpgradeProgress =
            control_plane.get(&format!("{}/progress", super::path(&self.id)?), &[])?;
        if terminal.json {
            terminal.json(&progress)?;
            return Ok(Ending::Done);
        }
        terminal
            .line(format!("{} {}, attempt {}", progress.current_stage, progress.status, progress.attempt))?;
        if progress.bytes_total > 0 {
            let (done, total) = (HumanBytes(progress.bytes_done), HumanBytes(progress.bytes_total));
            terminal.fact("downloaded", format!("{done} of {total}"))?;
        }
        for (asked, what) in [
            (progress.pause_requested && !progress.paused, "a pause, at the next checkpoint"),
            (progress.rollback_requested, "the way back"),
            (progress.abandon_requested, "to drop it"),
        ] {
            if asked {
                terminal.fact("asked for", what)?;
            }
        }
        if let Some(wait) = &progress.waits_for {
            terminal.fact("waits", &wait.message)?;
        }
        if let Some(error) = &progress.failed_with_error {
            terminal.fact("error", format!("{} ({} at {})", error.message, error.code, error.stage))?;
        }
        if let Some(at) = progress.timeout_at {
            terminal.fact("given up at", at.to_string())?;
        }
        Ok(Ending::Done)
    }
}

impl LastValidation {
    /// Prints it; the exit code is 0 only if it passed.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let validation: Validation =
            control_plane.get(&format!("{}/validation", super::path(&self.id)?), &[])?;
        let ending = if validation.state == ValidationState::Passed { Ending::Done } else { Ending::Failed };
        if terminal.json {
            terminal.json(&validation)?;
            return Ok(ending);
        }
        terminal.line(match validation.state {
            ValidationState::Running => "the host is at it",
            ValidationState::Passed => "passed: downloaded and verified, nothing was swapped",
            ValidationState::Failed => "failed: the host would refuse the upgrade",
        })?;
        if let Some(error) = &validation.error {
            terminal.fact("error", format!("{} ({} at {})", error.message, error.code, error.stage))?;
        }
        terminal.fact("asked", format!("{} by {}", validation.asked_at, validation.asked_by))?;
        Ok(ending)
    }
}

impl ShowDiff {
    /// Prints it.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("{}/diff", super::path(&self.id)?);
        if self.summary {
            let summary: DiffSummary = control_plane.get(&format!("{path}/summary"), &[])?;
            return if terminal.json { terminal.json(&summary) } else { summed_up(terminal, &summary) }
                .map(|()| Ending::Done);
        }
        let diff: Diff = control_plane.get(&path, &[])?;
        if terminal.json {
            terminal.json(&diff)?;
            return Ok(Ending::Done);
        }
        summed_up(terminal, &diff.summary)?;
        let signer = diff.target.signed_by.as_deref().unwrap_or("a key that is trusted no more");
        terminal.fact("signed by", signer)?;
        let stages: Vec<_> = diff.stages.iter().map(ToString::to_string).collect();
        terminal.fact("stages", stages.join(" → "))?;
        for release in &diff.releases {
            terminal.line(format!("{}:", release.version))?;
            terminal.lines("  ", &release.notes)?;
        }
        Ok(Ending::Done)
    }
}

fn summed_up(terminal: &Terminal, summary: &DiffSummary) -> anyhow::Result<()> {
    terminal.line(format!("{} → {}", summary.from_version, summary.target_version))?;
    terminal.fact("releases", summary.releases.to_string())?;
    let growth = match summary.growth_bytes {
        Some(growth) => format!(", {growth:+} bytes to what runs"),
        None => String::new(),
    };
    terminal.fact("download", format!("{}{growth}", HumanBytes(summary.download_bytes)))?;
    if summary.is_key_new == Some(true) {
        terminal.fact("key", "another one than that of what runs")?;
    }
    if let Some(floor) = &summary.floor {
        terminal.fact("floor", format!("nothing below {floor} may follow"))?;
    }
    if summary.needs_completion {
        terminal.fact("completion", "by a person")?;
    }
    Ok(())
}
