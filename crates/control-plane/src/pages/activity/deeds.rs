//! Pure: what was done, in plain words, and where that is now.

use novacula_protocol::people::{Action, Activity};

/// Every action, as the filter lists them.
pub(crate) const GROUPS: [(&str, &[Action]); 8] = [
    (
        "Upgrades",
        &[
            Action::UpgradeRequested,
            Action::UpgradeApprovalWanted,
            Action::UpgradeApproved,
            Action::PrerequisitesAcknowledged,
            Action::PostrequisitesAcknowledged,
            Action::UpgradeStartRequested,
            Action::UpgradeValidateRequested,
            Action::UpgradePauseRequested,
            Action::UpgradeContinueRequested,
            Action::UpgradeRetryRequested,
            Action::UpgradeRescheduled,
            Action::UpgradeRollbackRequested,
            Action::UpgradeAbandonRequested,
            Action::UpgradeCompleteRequested,
            Action::UpgradeHopRefused,
            Action::BatchRequested,
            Action::BatchStopped,
            Action::UpgradeValidated,
            Action::UpgradeStarted,
            Action::UpgradeEnded,
        ],
    ),
    (
        "Fleet plans",
        &[
            Action::GroupCreated,
            Action::GroupChanged,
            Action::GroupDeleted,
            Action::PlanApplied,
            Action::PlanApprovalWanted,
            Action::PlanApproved,
            Action::PlanWaveBegan,
            Action::PlanWavePassed,
            Action::PlanPaused,
            Action::PlanHalted,
            Action::PlanResumed,
            Action::PlanGateSkipped,
            Action::PlanRollbackRequested,
            Action::PlanRolledBack,
            Action::PlanCompleted,
            Action::PlanDeleted,
        ],
    ),
    (
        "Executors",
        &[
            Action::ExecutorCreated,
            Action::ExecutorEnrolled,
            Action::ExecutorDeleted,
            Action::ExecutorHeld,
            Action::ExecutorUnheld,
            Action::PreflightRequested,
            Action::ExecutorLabelsChanged,
        ],
    ),
    (
        "Releases",
        &[Action::ReleaseUploaded, Action::ReleasePublished, Action::ReleaseYanked, Action::ReleaseChanged],
    ),
    (
        "Keys",
        &[
            Action::KeyIssued,
            Action::KeyRevoked,
            Action::KeyRotated,
            Action::EnrolmentTokenIssued,
            Action::EnrolmentTokenRevoked,
        ],
    ),
    (
        "Windows",
        &[
            Action::WindowCreated,
            Action::WindowChanged,
            Action::WindowDeleted,
            Action::FreezeCreated,
            Action::FreezeEnded,
            Action::FreezeDeleted,
            Action::FourEyesChanged,
        ],
    ),
    (
        "People",
        &[
            Action::AccountCreated,
            Action::AccountRenamed,
            Action::AccountSuspended,
            Action::AccountResumed,
            Action::UserAdded,
            Action::UserChanged,
            Action::UserRemoved,
            Action::UserPasswordReset,
            Action::UserPasswordChanged,
            Action::TokenIssued,
            Action::TokenRevoked,
            Action::SessionOpened,
            Action::SessionEnded,
        ],
    ),
    (
        "Webhooks",
        &[
            Action::WebhookCreated,
            Action::WebhookChanged,
            Action::WebhookRotated,
            Action::WebhookTested,
            Action::WebhookRetried,
            Action::WebhookDisabled,
            Action::WebhookDeleted,
        ],
    ),
];

/// What was done, so that it stands behind a name: “jane: Requested an upgrade”.
pub(crate) fn deed(action: &Action) -> &'static str {
    match action {
        Action::ReleaseUploaded => "Uploaded an artifact",
        Action::ReleasePublished => "Published a release",
        Action::ReleaseYanked => "Yanked a release",
        Action::ReleaseChanged => "Changed a release",
        Action::ExecutorCreated => "Synced for the first time",
        Action::ExecutorEnrolled => "Enrolled an executor",
        Action::ExecutorDeleted => "Removed an executor",
        Action::ExecutorHeld => "Put a host on hold",
        Action::ExecutorUnheld => "Ended the hold of a host",
        Action::PreflightRequested => "Asked for checks of a host",
        Action::KeyIssued => "Made a key",
        Action::KeyRevoked => "Revoked a key",
        Action::KeyRotated => "Rotated a key",
        Action::EnrolmentTokenIssued => "Made an enrolment token",
        Action::EnrolmentTokenRevoked => "Revoked an enrolment token",
        Action::WindowCreated => "Made a maintenance window",
        Action::WindowChanged => "Changed a maintenance window",
        Action::WindowDeleted => "Deleted a maintenance window",
        Action::FreezeCreated => "Made a freeze",
        Action::FreezeEnded => "Ended a freeze",
        Action::FreezeDeleted => "Deleted a freeze",
        Action::UpgradeRequested => "Requested an upgrade",
        Action::UpgradeApprovalWanted => "Asked for the approval of an upgrade",
        Action::UpgradeApproved => "Approved an upgrade",
        Action::PrerequisitesAcknowledged => "Acknowledged prerequisites",
        Action::PostrequisitesAcknowledged => "Acknowledged postrequisites",
        Action::UpgradeStartRequested => "Asked an upgrade to start",
        Action::UpgradeValidateRequested => "Asked for a dry run",
        Action::UpgradePauseRequested => "Asked an upgrade to pause",
        Action::UpgradeContinueRequested => "Let an upgrade go on",
        Action::UpgradeRetryRequested => "Ordered a new attempt",
        Action::UpgradeRescheduled => "Rescheduled an upgrade",
        Action::UpgradeRollbackRequested => "Asked for a rollback",
        Action::UpgradeAbandonRequested => "Asked to abandon an upgrade",
        Action::UpgradeCompleteRequested => "Confirmed an upgrade",
        Action::FourEyesChanged => "Changed the rule of four eyes",
        Action::UpgradeHopRefused => "Could not request the next hop",
        Action::BatchRequested => "Requested upgrades of many executors",
        Action::BatchStopped => "Stopped a batch",
        Action::ExecutorLabelsChanged => "Changed labels of an executor",
        Action::GroupCreated => "Made a group",
        Action::GroupChanged => "Changed a group",
        Action::GroupDeleted => "Deleted a group",
        Action::PlanApplied => "Applied a fleet plan",
        Action::PlanApprovalWanted => "Asked for the approval of a plan",
        Action::PlanApproved => "Approved a plan or a wave",
        Action::PlanWaveBegan => "Began a wave",
        Action::PlanWavePassed => "Passed a wave",
        Action::PlanPaused => "Paused a plan",
        Action::PlanHalted => "Halted a plan",
        Action::PlanResumed => "Resumed a plan",
        Action::PlanGateSkipped => "Skipped a gate",
        Action::PlanRollbackRequested => "Asked for the rollback of a plan",
        Action::PlanRolledBack => "Rolled a plan back",
        Action::PlanCompleted => "Completed a plan",
        Action::PlanDeleted => "Deleted a plan",
        Action::UpgradeValidated => "Ended a dry run",
        Action::UpgradeStarted => "Picked an upgrade up",
        Action::UpgradeEnded => "Ended an upgrade",
        Action::AccountCreated => "Made an account",
        Action::AccountRenamed => "Renamed an account",
        Action::AccountSuspended => "Suspended an account",
        Action::AccountResumed => "Resumed an account",
        Action::UserAdded => "Added somebody",
        Action::UserChanged => "Changed somebody",
        Action::UserRemoved => "Removed somebody",
        Action::UserPasswordReset => "Made up a one-time password",
        Action::UserPasswordChanged => "Changed their password",
        Action::TokenIssued => "Made a token",
        Action::TokenRevoked => "Revoked a token",
        Action::SessionOpened => "Signed in",
        Action::SessionEnded => "Signed out",
        Action::WebhookCreated => "Made a webhook",
        Action::WebhookChanged => "Changed a webhook",
        Action::WebhookRotated => "Gave a webhook another secret",
        Action::WebhookTested => "Tested a webhook",
        Action::WebhookRetried => "Had a delivery sent again",
        Action::WebhookDisabled => "Disabled a webhook",
        Action::WebhookDeleted => "Deleted a webhook",
    }
}

/// What it was done to: its name, else the end of its id, which tells it apart from others; else it is all of it.
pub(crate) fn called(entry: &Activity) -> String {
    if !entry.name.is_empty() {
        return entry.name.clone();
    }
    if entry.target.is_empty() {
        return "the account".to_owned();
    }
    let end: String = entry.target.chars().rev().take(8).collect();
    format!("…{}", end.chars().rev().collect::<String>())
}

/// The page of what it was done to, where it has one and may still be there.
pub(crate) fn place(entry: &Activity) -> Option<String> {
    let action = entry.action.to_string();
    let (kind, _) = action.split_once('.')?;
    let target = &entry.target;
    let is_gone = action.ends_with(".deleted");
    let is_id = target.parse::<uuid::Uuid>().is_ok();
    let own = |folder: &str| (is_id && !is_gone).then(|| format!("/{folder}/{target}"));
    match kind {
        "upgrade" | "prerequisites" | "postrequisites" => own("upgrades"),
        "executor" | "preflight" => own("executors"),
        "release" => own("releases"),
        "plan" => own("plans"),
        "webhook" => own("webhooks"),
        "key" | "enrolmentToken" => Some("/keys/".to_owned()),
        "window" | "freeze" | "fourEyes" => Some("/windows/".to_owned()),
        "user" => Some("/people/".to_owned()),
        "account" => Some("/accounts/".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use schemars::schema_for;

    use super::*;

    #[test]
    fn every_action_can_be_chosen_once_and_is_said_in_words_of_its_own() {
        let chosen: Vec<_> = GROUPS.iter().flat_map(|(_, actions)| actions.iter()).collect();
        let names: BTreeSet<_> = chosen.iter().map(|action| action.to_string()).collect();
        let said: BTreeSet<_> = chosen.iter().map(|action| deed(action)).collect();
        let schema = serde_json::to_value(schema_for!(Action)).unwrap().to_string();
        let known: BTreeSet<_> = schema
            .split('"')
            .filter(|word| word.contains('.') && !word.contains([' ', '/']))
            .map(str::to_owned)
            .collect();
        assert_eq!(names, known);
        assert_eq!((chosen.len(), said.len()), (names.len(), names.len()));
    }

    #[test]
    fn what_is_gone_or_has_no_page_is_no_link() {
        let entry = |action, target: &str| Activity {
            id: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            actor: String::new(),
            action,
            target: target.to_owned(),
            name: String::new(),
            reason: String::new(),
            before: None,
            after: None,
            hash: String::new(),
        };
        let id = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";
        let at = |action, target| place(&entry(action, target)).unwrap_or_default();
        assert_eq!(at(Action::UpgradeStarted, id), format!("/upgrades/{id}"));
        assert_eq!(at(Action::ExecutorHeld, id), format!("/executors/{id}"));
        assert_eq!(at(Action::PlanHalted, id), format!("/plans/{id}"));
        assert_eq!(at(Action::ExecutorDeleted, id), "");
        assert_eq!(at(Action::ReleaseYanked, "//evil.example"), "");
        assert_eq!(at(Action::SessionOpened, id), "");
        assert_eq!(called(&entry(Action::KeyIssued, id)), "…bcc5687c");
    }
}
