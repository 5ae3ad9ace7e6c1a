//! Pure: how the pages speak of executors.

use novacula_protocol::people::{Executor, Outcome, Presence, Revision, Rule, UpgradeInBrief};
use novacula_protocol::sync::Support;
use novacula_protocol::{Progress, Stage};

/// The colour and the word of a badge, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    pub class: &'static str,
    pub word: &'static str,
    pub means: &'static str,
}

const fn badge(class: &'static str, word: &'static str, means: &'static str) -> Badge {
    Badge { class, word, means }
}

pub(crate) fn presence(status: &Presence) -> Badge {
    match status {
        Presence::Online => badge("good", "Online", "It syncs."),
        Presence::Offline => badge("bad", "Offline", "It does not sync; look after its host."),
    }
}

pub(crate) fn support(support: &Support) -> Badge {
    match support {
        Support::InWindow => badge(
            "good",
            "Supported",
            "Its major version is the control plane's, or newer. Nothing needs to be done.",
        ),
        Support::Deprecated => badge(
            "warn",
            "Deprecated",
            "It is one major version behind the control plane. It syncs and upgrades as always; upgrade it before the next \
             major version.",
        ),
        Support::OutOfSupport => badge(
            "bad",
            "Out of support",
            "It is more than one major version behind the control plane. Sync and upgrades keep working, so that it can \
             still be brought back; nothing else is promised.",
        ),
    }
}

/// How an open upgrade is doing, as one colour.
pub(crate) fn colour(upgrade: &UpgradeInBrief) -> &'static str {
    match upgrade.state {
        Progress::Pending => "warn",
        _ => "busy",
    }
}

pub(crate) fn outcome(outcome: &Outcome) -> Badge {
    match outcome {
        Outcome::Waiting => badge("", "Waiting", "Its turn comes."),
        Outcome::Started => badge("busy", "Started", "Its upgrade is under way."),
        Outcome::Completed => badge("good", "Completed", "It runs the target."),
        Outcome::Failed => badge("bad", "Failed", "Its upgrade ended otherwise."),
        Outcome::NeedsHop => {
            badge("warn", "Needs a hop", "Another version comes first, and nobody asked to go over it.")
        }
        Outcome::AlreadyThere => badge("good", "Already there", "It ran the target before."),
        Outcome::Refused => badge("bad", "Refused", "It could not be asked."),
        Outcome::Skipped => badge("", "Skipped", "The batch ended before its turn."),
    }
}

/// Every outcome, in the order in which people look for them.
pub(crate) const OUTCOMES: [Outcome; 8] = [
    Outcome::Completed,
    Outcome::AlreadyThere,
    Outcome::Started,
    Outcome::Waiting,
    Outcome::NeedsHop,
    Outcome::Skipped,
    Outcome::Refused,
    Outcome::Failed,
];

/// The word of an outcome in an address.
pub(crate) fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Waiting => "waiting",
        Outcome::Started => "started",
        Outcome::Completed => "completed",
        Outcome::Failed => "failed",
        Outcome::NeedsHop => "needsHop",
        Outcome::AlreadyThere => "alreadyThere",
        Outcome::Refused => "refused",
        Outcome::Skipped => "skipped",
    }
}

/// The class that fills its part of a bar.
pub(crate) fn fill(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "fill-good",
        Outcome::AlreadyThere => "c2",
        Outcome::Started => "fill-busy",
        Outcome::Waiting => "fill-none",
        Outcome::NeedsHop => "fill-warn",
        Outcome::Skipped => "c8",
        Outcome::Refused => "c6",
        Outcome::Failed => "fill-bad",
    }
}

/// Why nothing can be asked of an executor now, whoever asks.
pub(crate) fn in_the_way(executor: &Executor) -> Option<String> {
    if let Some(open) = &executor.pending_upgrade {
        return Some(format!(
            "It has an upgrade to {} that has not ended; wait for its end, or abandon it.",
            open.target_version
        ));
    }
    (executor.status == Presence::Offline).then(|| "It is offline; look after its host first.".to_owned())
}

/// What stops an executor, as a heading and a colour; the sentence of the API stands below.
pub(crate) fn rule(rule: &Rule) -> (&'static str, &'static str) {
    match rule {
        Rule::Nothing => ("good", "Nothing stops it: an upgrade can be requested"),
        Rule::UpToDate => ("good", "It runs the newest it is offered"),
        Rule::Running => ("busy", "Its upgrade is under way"),
        Rule::Pending => ("busy", "Its upgrade waits to be picked up"),
        Rule::Scheduled => ("busy", "Its upgrade is due later"),
        Rule::AccountSuspended => ("bad", "The account is suspended"),
        Rule::Offline => ("bad", "It is offline"),
        Rule::Held => ("warn", "A sysadmin holds its host"),
        Rule::UpgradePaused => ("warn", "A person paused its upgrade"),
        Rule::ApprovalWanted => ("warn", "Its upgrade wants a second person"),
        Rule::PrerequisitesOpen => ("warn", "Its upgrade wants steps to be acknowledged"),
        Rule::StartAwaited => ("warn", "Its upgrade waits for a person to start it"),
        Rule::OlderUpgradePending => ("warn", "An older upgrade comes first"),
        Rule::Frozen => ("warn", "A freeze is in force"),
        Rule::OutsideWindow => ("warn", "No maintenance window is open"),
        Rule::PlanWave => ("warn", "Its wave of a fleet plan has not begun"),
        Rule::PlanGate => ("warn", "Its fleet plan waits before a gate"),
        Rule::PlanCap => ("busy", "As many of its wave go at once as may"),
        Rule::PlanObstacle => ("warn", "Its wave goes, and something stands in its way"),
        Rule::PlanPaused => ("warn", "Nobody can tell whether its fleet plan may go on"),
        Rule::PlanHalted => ("bad", "Its fleet plan is halted or is being undone"),
        Rule::PlanYielded => ("warn", "Another fleet plan has it"),
        Rule::NoRelease => ("warn", "The release is not offered to it"),
        Rule::Unreachable => ("warn", "Another major version comes first"),
        Rule::Lapsed => ("bad", "Its last upgrade was not picked up in time"),
        Rule::LastAttempt => ("bad", "Its last attempt did not complete"),
    }
}

/// What would come back on a rollback, as far as anybody but the host can tell.
pub(crate) fn previous(executor: &Executor, history: &[Revision]) -> String {
    let on_trial = executor.pending_upgrade.as_ref().filter(|open| open.stage >= Stage::Swap);
    if let Some(open) = on_trial {
        return format!(
            "{} is being tried there: until it has proved itself, the host goes back by itself to what ran before.",
            open.target_version
        );
    }
    let before =
        history.iter().find(|one| one.status == Stage::Completed && one.version != executor.current_version);
    match before {
        Some(before) => format!(
            "Probably {}: it was the last other version to complete here (revision {}). Only the host knows which binary it \
             keeps as `.prev`; `novacula-agent status` says so there.",
            before.version, before.revision
        ),
        None => "Not known here: no other version has completed on it that the control plane knows of. Only the host knows \
                 which binary it keeps as `.prev`; `novacula-agent status` says so there."
            .to_owned(),
    }
}

/// How an entry of the history ended.
pub(crate) fn ended(stage: &Stage) -> &'static str {
    match stage {
        Stage::Completed => "good",
        Stage::RolledBack => "warn",
        _ => "bad",
    }
}

/// Who says a label of an executor, in the order of keys.
pub(crate) struct Label {
    pub key: String,
    pub value: String,
    pub by: String,
}

pub(crate) fn labels(executor: &Executor) -> Vec<Label> {
    let (people, host) = (executor.labels_by_people.as_ref(), executor.host_labels.as_ref());
    let labels = executor.labels.iter().map(|(key, value)| {
        let by_people = people.is_some_and(|people| people.contains_key(key));
        let by = match (by_people, host.and_then(|host| host.get(key))) {
            (true, Some(host)) => format!("people; its host says {host}"),
            (true, None) => "people".to_owned(),
            (false, _) => "its host".to_owned(),
        };
        Label { key: key.clone(), value: value.clone(), by }
    });
    labels.collect()
}
