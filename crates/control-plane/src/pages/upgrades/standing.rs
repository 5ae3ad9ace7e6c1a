//! Pure: where an upgrade stands, in one word with the reason beside it, and what most visitors would do about it.

use novacula_protocol::people::{Action, Upgrade, UpgradeVerb, WaitCode};
use novacula_protocol::spec::{Confirm, Intent};
use novacula_protocol::sync::ReportError;
use novacula_protocol::{LogLevel, Progress, Stage, Status};

use crate::pages::words;

/// A badge, and why it is that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Of the badge.
    pub class: &'static str,
    pub label: String,
    pub reason: Option<String>,
}

/// Where it stands.
pub(crate) fn standing(upgrade: &Upgrade) -> Standing {
    let (class, label) = match (upgrade.state, upgrade.stage, upgrade.status) {
        (Progress::Pending, ..) if upgrade.intent == Intent::Pause => ("warn", "Paused".to_owned()),
        (Progress::Pending, ..) if upgrade.intent == Intent::Validate => ("busy", "Dry run".to_owned()),
        (Progress::Pending, ..) => ("warn", "Pending".to_owned()),
        (Progress::Running, stage, Status::Paused) => ("warn", format!("Paused: {}", words::stage(&stage))),
        (Progress::Running, stage, _) if upgrade.intent == Intent::Validate => {
            ("busy", format!("Dry run: {}", words::stage(&stage)))
        }
        (Progress::Running, Stage::ConfirmCompletion, _) => ("warn", words::stage(&upgrade.stage).to_owned()),
        (Progress::Running, stage, _) => ("busy", words::stage(&stage).to_owned()),
        (Progress::Completed, stage, _) => ("good", words::stage(&stage).to_owned()),
        (Progress::Error, Stage::Abandoned, _) => ("", words::stage(&Stage::Abandoned).to_owned()),
        (Progress::Error, stage, _) => ("bad", words::stage(&stage).to_owned()),
    };
    Standing { class, label, reason: reason(upgrade) }
}

fn reason(upgrade: &Upgrade) -> Option<String> {
    if let Some(error) = &upgrade.error {
        return Some(trouble(error));
    }
    let waits_for = upgrade.waits_for.as_ref().map(|wait| wait.code);
    let told = match upgrade.intent {
        _ if upgrade.stage == Stage::Abandoned => "It was dropped, and nothing was swapped.",
        _ if upgrade.ended_at.is_some() => return None,
        Intent::Pause if upgrade.state == Progress::Running && upgrade.status != Status::Paused => {
            "A person asked for a pause; it takes effect at the next checkpoint."
        }
        Intent::Pause if upgrade.state == Progress::Running => {
            "A person paused it; it waits to be continued."
        }
        Intent::Abandon => "A person dropped it; the executor has to answer.",
        Intent::Rollback => "A person asked for the way back; the executor has to answer.",
        Intent::Complete => "A person completed it; the executor has to answer.",
        _ if upgrade.stage == Stage::ConfirmCompletion => {
            "The new version is healthy; a person has to complete it or roll it back."
        }
        _ if upgrade.stage == Stage::Download && upgrade.bytes_total > 0 => {
            let (done, total) = (words::bytes(&upgrade.bytes_done), words::bytes(&upgrade.bytes_total));
            return Some(format!("{done} of {total}"));
        }
        _ if waits_for == Some(WaitCode::NotDue) => {
            return Some(format!("It begins {}.", words::to_the_minute(&upgrade.scheduled_at)));
        }
        _ if waits_for.is_some() => {
            return upgrade.waits_for.as_ref().map(|wait| words::sentence(&wait.message));
        }
        _ if upgrade.state == Progress::Pending => "Its executor is told with its next sync.",
        _ => return None,
    };
    Some(told.to_owned())
}

/// An error in one sentence, with the stage whose check it was.
pub(crate) fn trouble(error: &ReportError) -> String {
    format!("{}: {}", words::stage(&error.stage), words::sentence(&error.message))
}

/// What most visitors would do about it, at most two; each is allowed wherever it stands here, as long as its host is
/// there and the release still is. Whoever wants anything else opens the upgrade.
pub(crate) fn useful(upgrade: &Upgrade) -> &'static [UpgradeVerb] {
    use UpgradeVerb::{Abandon, Approve, Complete, Continue, Pause, Retry, Rollback, Start};
    let waits_for = upgrade.waits_for.as_ref().map(|wait| wait.code);
    match (upgrade.state, upgrade.intent, upgrade.stage) {
        (Progress::Pending, Intent::Pause, _) => &[Continue, Abandon],
        (Progress::Pending, Intent::Apply, _) => match waits_for {
            Some(WaitCode::ApprovalWanted) => &[Approve, Abandon],
            Some(_) => &[Start, Abandon],
            None => &[Pause, Abandon],
        },
        (Progress::Pending | Progress::Running, Intent::Validate, _) => &[Abandon],
        (Progress::Running, Intent::Apply, Stage::ConfirmCompletion) => &[Complete, Rollback],
        (Progress::Running, Intent::Apply, stage) if stage < Stage::Swap => &[Pause, Abandon],
        (Progress::Running, Intent::Pause, stage) if stage < Stage::Swap => &[Continue, Abandon],
        (Progress::Running, Intent::Apply | Intent::Pause, _) => &[Rollback],
        (Progress::Error, _, Stage::Failed | Stage::RolledBack) => &[Retry],
        _ => &[],
    }
}

/// Who begins it and who ends it, as people say it.
pub(crate) fn confirms(who: &Confirm) -> &'static str {
    match who {
        Confirm::Auto => "by itself",
        Confirm::Manual => "by a person",
    }
}

/// `start requested`, of `upgrade.startRequested`.
pub(crate) fn deed(action: &Action) -> String {
    let word = action.to_string();
    let mut said = String::new();
    for letter in word.rsplit('.').next().unwrap_or_default().chars() {
        if letter.is_uppercase() {
            said.push(' ');
        }
        said.extend(letter.to_lowercase());
    }
    said
}

/// Of a line of the log, in one word.
pub(crate) fn level(level: &LogLevel) -> &'static str {
    match level {
        LogLevel::Info => "info",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
        LogLevel::Success => "success",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_said_in_words() {
        assert_eq!(deed(&Action::UpgradeStartRequested), "start requested");
        assert_eq!(deed(&Action::UpgradeRequested), "requested");
        assert_eq!(deed(&Action::PrerequisitesAcknowledged), "acknowledged");
    }
}
