//! The first rule that keeps this host from its next upgrade. Pure; whoever asks brings the facts.

use novacula_protocol::sync::{Held, PreflightResult};
use serde::Serialize;

use crate::preflight;
use crate::systemd::Service;
use crate::upgrade::trial::{EndedAttempt, Trial};

/// What is known of this host.
pub struct Facts<'a> {
    /// The preflight of this host.
    pub checks: &'a [PreflightResult],
    /// The agent's service; `None` where no systemd answers.
    pub service: Option<&'a Service>,
    /// The open trial.
    pub trial: Option<&'a Trial>,
    /// A sysadmin's hold.
    pub held: Option<&'a Held>,
    /// The attempt that ended last.
    pub last: Option<&'a EndedAttempt>,
}

/// A rule and what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The first rule that stops an upgrade; `None` when nothing does.
    pub rule: Option<String>,
    /// One sentence.
    pub sentence: String,
}

/// Walks the rules in the order in which they stop an upgrade.
#[must_use]
pub fn explain(facts: &Facts<'_>) -> Explanation {
    let stopped = |rule: &str, sentence: String| Explanation { rule: Some(rule.to_owned()), sentence };
    if let Some(failed) = facts.checks.iter().find(|check| check.check == "config" && !check.ok) {
        return stopped("config", failed.note.clone());
    }
    match facts.service {
        None => return stopped("systemd", "no systemd answers here, so nothing runs the agent".to_owned()),
        Some(service) if service.active != "active" => {
            return stopped("service", format!("the agent must be active, it is {}", service.active));
        }
        Some(_) => {}
    }
    if let Some(failed) = facts.checks.iter().find(|check| check.check == "control_plane" && !check.ok) {
        return stopped("control_plane", failed.note.clone());
    }
    if let Some(trial) = facts.trial {
        let sentence = format!("{} is on trial, every other upgrade waits for its end", trial.target_version);
        return stopped("trial", sentence);
    }
    if let Some(held) = facts.held {
        return stopped("hold", format!("held {held}"));
    }
    let (stopping, harmless): (Vec<_>, Vec<_>) = facts
        .checks
        .iter()
        .filter(|check| !check.ok)
        .partition(|failed| preflight::stops_an_upgrade(&failed.check));
    if let Some(failed) = stopping.first() {
        return stopped(&failed.check, failed.note.clone());
    }
    let last = facts.last.and_then(|last| Some((last, last.error.as_ref()?)));
    let mut sentence = match last {
        None => {
            "nothing on this host stops an upgrade; ask the control plane whether one is pending".to_owned()
        }
        Some((last, error)) => format!(
            "nothing on this host stops an upgrade; the last one, {} attempt {}, ended {} ({}: {}) and needs a new \
             attempt ordered at the control plane",
            last.upgrade_id, last.attempt, last.stage, error.code, error.message
        ),
    };
    if !harmless.is_empty() {
        let names: Vec<_> = harmless.iter().map(|failed| failed.check.as_str()).collect();
        sentence.push_str(&format!("; worth mending all the same: {} (`preflight`)", names.join(", ")));
    }
    Explanation { rule: None, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, ok: bool) -> PreflightResult {
        PreflightResult { check: name.to_owned(), ok, note: format!("note on {name}") }
    }

    #[test]
    fn the_first_rule_that_stops_an_upgrade_is_named() {
        let active = Service { active: "active".to_owned(), ..Service::default() };
        let failed = Service { active: "failed".to_owned(), ..Service::default() };
        let held = Held { reason: "audit".to_owned(), until: None };
        let fine = [check("config", true), check("units", true), check("control_plane", true)];
        let no_config = [check("units", false), check("config", false)];
        let unreachable = [check("config", true), check("units", false), check("control_plane", false)];
        let no_units = [check("config", true), check("units", false), check("control_plane", true)];
        let old_units = [check("config", true), check("units_current", false), check("clock", false)];
        for (sentence, checks, service, held, expected) in [
            ("nothing stops it", &fine[..], Some(&active), None, None),
            ("without a config nothing else matters", &no_config[..], None, Some(&held), Some("config")),
            ("no systemd", &fine[..], None, Some(&held), Some("systemd")),
            ("a failed service", &fine[..], Some(&failed), Some(&held), Some("service")),
            ("nobody answers", &unreachable[..], Some(&active), Some(&held), Some("control_plane")),
            ("a hold", &no_units[..], Some(&active), Some(&held), Some("hold")),
            ("a failed check", &no_units[..], Some(&active), None, Some("units")),
            ("old units and a wrong clock stop nothing", &old_units[..], Some(&active), None, None),
        ] {
            let facts = Facts { checks, service, trial: None, held, last: None };
            assert_eq!(explain(&facts).rule.as_deref(), expected, "{sentence}");
        }
        let facts = Facts { checks: &old_units, service: Some(&active), trial: None, held: None, last: None };
        let sentence = explain(&facts).sentence;
        assert!(sentence.contains("worth mending all the same: units_current, clock"), "{sentence}");
    }
}
