//! `novactl fleet executors`

use novacula_protocol::people::{MemberOutcome, Page, PlanMember};
use serde_json::Value;

use super::{Which, path, word};
use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List the executors of the waves that have begun, and what became of each
///
/// Who is in a wave is fixed when it begins. An executor whose labels have changed since is marked: it stays where it is.
#[derive(Debug, clap::Args)]
pub struct Members {
    #[command(flatten)]
    which: Which,

    /// Only those of this wave
    #[arg(long, value_name = "WAVE")]
    wave: Option<String>,

    /// Only these: waiting, started, completed, already-there, failed, slow, unreachable, held, refused, yielded, gone,
    /// rolling-back, rolled-back or not-rolled-back
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    outcome: Option<MemberOutcome>,
}

impl Members {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let plan = self.which.find(control_plane)?;
        let outcome = self.outcome.map(|outcome| serde_json::to_value(outcome).unwrap_or_default());
        let mut query = Vec::new();
        query.extend(self.wave.as_deref().map(|wave| ("wave", wave)));
        query.extend(outcome.as_ref().and_then(Value::as_str).map(|outcome| ("outcome", outcome)));
        let items: Vec<PlanMember> = control_plane.all(&format!("{}/executors", path(&plan.id)), &query)?;
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
            return Ok(Ending::Done);
        }
        let rows: Vec<_> = items
            .into_iter()
            .map(|member| {
                let moved = match &member.wave_by_labels {
                    Some(wave) if *wave == member.wave => String::new(),
                    Some(wave) => wave.clone(),
                    None => "none".to_owned(),
                };
                [
                    member.wave,
                    member.position.to_string(),
                    member.executor_name,
                    if member.canary { "canary" } else { "" }.to_owned(),
                    word(&member.outcome),
                    member.from_version.to_string(),
                    moved,
                    member.upgrade_id.unwrap_or_default(),
                    member.reason,
                ]
            })
            .collect();
        let head =
            ["WAVE", "NO", "EXECUTOR", "", "OUTCOME", "FROM", "WAVE BY LABELS NOW", "UPGRADE", "REASON"];
        terminal.table(head, &rows)?;
        Ok(Ending::Done)
    }
}

fn outcome(text: &str) -> Result<MemberOutcome, String> {
    let mut parts = text.split(['-', ' ']);
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    serde_json::from_value(camel.into())
        .map_err(|_| "expected an outcome such as failed, slow, unreachable or already-there".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_is_shown_and_as_it_is_on_the_wire() {
        for text in ["already-there", "already there", "alreadyThere"] {
            assert_eq!(outcome(text), Ok(MemberOutcome::AlreadyThere), "{text}");
        }
        assert_eq!(outcome("not-rolled-back"), Ok(MemberOutcome::NotRolledBack));
        assert_eq!(word(&MemberOutcome::NotRolledBack), "not rolled back");
        for text in ["", "dead", "-", "Failed"] {
            assert!(outcome(text).is_err(), "{text}");
        }
    }
}
