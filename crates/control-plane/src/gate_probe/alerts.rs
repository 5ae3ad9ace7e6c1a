//! Pure: the list of alerts that a Prometheus answers with.

use std::collections::{BTreeMap, BTreeSet};

use novacula_protocol::people::GateOutcome;
use serde::Deserialize;

use super::Said;
use crate::outgoing::Answer;

/// So many alerts are named.
const NAMED: usize = 5;
/// A name is as long as whoever wrote the rule wanted.
const LONGEST_NAME: usize = 64;

#[derive(Deserialize)]
struct Whole {
    status: Outcome,
    data: Option<Data>,
    /// What the answer leaves out.
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Success,
    Error,
}

#[derive(Deserialize)]
struct Data {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    labels: BTreeMap<String, String>,
    state: AlertState,
}

/// A state that is not known here is no reason to go on.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum AlertState {
    Inactive,
    Pending,
    Firing,
}

/// Fails when an alert fires whose severity is among these, or is any where there are none, and that has these labels.
pub(super) fn judge(
    place: &str,
    answer: &Answer,
    severities: &[String],
    labels: &BTreeMap<String, String>,
) -> Said {
    if let Some(cut) = &answer.cut {
        return Said::inconclusive(format!("{place} did not tell all its alerts: {cut}"));
    }
    let whole: Whole = match serde_json::from_slice(&answer.body) {
        Ok(whole) => whole,
        // What was found is not repeated: it is somebody else's.
        Err(e) => {
            let (line, column) = (e.line(), e.column());
            return Said::inconclusive(format!(
                "{place} did not answer as a Prometheus does: no list of alerts up to line {line}, column {column}"
            ));
        }
    };
    let Some(data) = whole.data.filter(|_| whole.status == Outcome::Success) else {
        return Said::inconclusive(format!("{place} could not tell its alerts: it answered with an error"));
    };
    let counts = |alert: &&Alert| {
        let severity = alert.labels.get("severity");
        alert.state == AlertState::Firing
            && (severities.is_empty() || severity.is_some_and(|severity| severities.contains(severity)))
            && labels.iter().all(|(name, value)| alert.labels.get(name) == Some(value))
    };
    let firing: Vec<_> = data.alerts.iter().filter(counts).collect();
    let of = wanted(severities, labels);
    if firing.is_empty() && !whole.warnings.is_empty() {
        return Said::inconclusive(format!(
            "{place} tells of no alert{of} that fires, and warns that it may not know all"
        ));
    }
    match firing.len() {
        0 => Said::new(GateOutcome::Pass, format!("no alert{of} fires at {place}")),
        1 => Said::new(GateOutcome::Fail, format!("an alert{of} fires at {place}: {}", names(&firing))),
        count => {
            Said::new(GateOutcome::Fail, format!("{count} alerts{of} fire at {place}: {}", names(&firing)))
        }
    }
}

/// ` of severity critical or page with team=core`.
fn wanted(severities: &[String], labels: &BTreeMap<String, String>) -> String {
    let severity = match severities {
        [] => String::new(),
        severities => format!(" of severity {}", severities.join(" or ")),
    };
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    match labels.as_slice() {
        [] => severity,
        labels => format!("{severity} with {}", labels.join(", ")),
    }
}

/// The same alert fires once for each thing it is about.
fn names(firing: &[&Alert]) -> String {
    let names: BTreeSet<_> = firing.iter().map(|alert| name(alert)).collect();
    let mut shown: Vec<_> = names.iter().take(NAMED).cloned().collect();
    if names.len() > NAMED {
        shown.push(format!("and {} others", names.len() - NAMED));
    }
    shown.join(", ")
}

fn name(alert: &Alert) -> String {
    let name = alert.labels.get("alertname").map_or("one without a name", String::as_str);
    name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}
