//! Who did what, when and why: the entries of the activity, and how they are chained and exported.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Action {
    /// An artifact came in.
    #[serde(rename = "release.uploaded")]
    ReleaseUploaded,
    /// From now on it is offered.
    #[serde(rename = "release.published")]
    ReleasePublished,
    /// It is offered no more.
    #[serde(rename = "release.yanked")]
    ReleaseYanked,
    /// Its channel or its notes.
    #[serde(rename = "release.changed")]
    ReleaseChanged,
    /// A name synced for the first time.
    #[serde(rename = "executor.created")]
    ExecutorCreated,
    /// An enrolment token was exchanged for a key.
    #[serde(rename = "executor.enrolled")]
    ExecutorEnrolled,
    /// It was removed from the list.
    #[serde(rename = "executor.deleted")]
    ExecutorDeleted,
    /// Its host was put on hold, or the hold changed.
    #[serde(rename = "executor.held")]
    ExecutorHeld,
    /// The hold of its host ended.
    #[serde(rename = "executor.unheld")]
    ExecutorUnheld,
    /// A person asked for checks of its host.
    #[serde(rename = "preflight.requested")]
    PreflightRequested,
    /// A person made a key.
    #[serde(rename = "key.issued")]
    KeyIssued,
    /// A key ended.
    #[serde(rename = "key.revoked")]
    KeyRevoked,
    /// A key got a new secret.
    #[serde(rename = "key.rotated")]
    KeyRotated,
    /// A person made an enrolment token.
    #[serde(rename = "enrolmentToken.issued")]
    EnrolmentTokenIssued,
    /// An enrolment token ended.
    #[serde(rename = "enrolmentToken.revoked")]
    EnrolmentTokenRevoked,
    /// A person made a maintenance window.
    #[serde(rename = "window.created")]
    WindowCreated,
    /// A person changed one.
    #[serde(rename = "window.changed")]
    WindowChanged,
    /// A person removed one.
    #[serde(rename = "window.deleted")]
    WindowDeleted,
    /// A person made a freeze.
    #[serde(rename = "freeze.created")]
    FreezeCreated,
    /// A person ended one before its time.
    #[serde(rename = "freeze.ended")]
    FreezeEnded,
    /// A person removed one that was not in force.
    #[serde(rename = "freeze.deleted")]
    FreezeDeleted,
    /// A person asked for an upgrade.
    #[serde(rename = "upgrade.requested")]
    UpgradeRequested,
    /// Somebody else than who asked for it has to approve it.
    #[serde(rename = "upgrade.approvalWanted")]
    UpgradeApprovalWanted,
    /// Somebody else approved it.
    #[serde(rename = "upgrade.approved")]
    UpgradeApproved,
    /// A person says that steps before it are done.
    #[serde(rename = "prerequisites.acknowledged")]
    PrerequisitesAcknowledged,
    /// A person says that steps after it are done.
    #[serde(rename = "postrequisites.acknowledged")]
    PostrequisitesAcknowledged,
    /// A person sent it off.
    #[serde(rename = "upgrade.startRequested")]
    UpgradeStartRequested,
    /// A person asked for a dry run on the host.
    #[serde(rename = "upgrade.validateRequested")]
    UpgradeValidateRequested,
    /// A person asked it to stand still.
    #[serde(rename = "upgrade.pauseRequested")]
    UpgradePauseRequested,
    /// A person let it go on.
    #[serde(rename = "upgrade.continueRequested")]
    UpgradeContinueRequested,
    /// A person ordered a new attempt.
    #[serde(rename = "upgrade.retryRequested")]
    UpgradeRetryRequested,
    /// A person set another time.
    #[serde(rename = "upgrade.rescheduled")]
    UpgradeRescheduled,
    /// A person asked for the previous version.
    #[serde(rename = "upgrade.rollbackRequested")]
    UpgradeRollbackRequested,
    /// A person dropped it, or asked the executor to.
    #[serde(rename = "upgrade.abandonRequested")]
    UpgradeAbandonRequested,
    /// A person confirmed it.
    #[serde(rename = "upgrade.completeRequested")]
    UpgradeCompleteRequested,
    /// The channels that want four eyes.
    #[serde(rename = "fourEyes.changed")]
    FourEyesChanged,
    /// The next hop could not be requested.
    #[serde(rename = "upgrade.hopRefused")]
    UpgradeHopRefused,
    /// A person asked for upgrades of many executors.
    #[serde(rename = "batch.requested")]
    BatchRequested,
    /// A person ended a batch, or a failure in it did.
    #[serde(rename = "batch.stopped")]
    BatchStopped,
    /// A person changed the labels of an executor.
    #[serde(rename = "executor.labelsChanged")]
    ExecutorLabelsChanged,
    /// A person made a group of executors.
    #[serde(rename = "group.created")]
    GroupCreated,
    /// A person changed one.
    #[serde(rename = "group.changed")]
    GroupChanged,
    /// A person removed one.
    #[serde(rename = "group.deleted")]
    GroupDeleted,
    /// A person applied a fleet plan.
    #[serde(rename = "plan.applied")]
    PlanApplied,
    /// Somebody else than who applied it has to approve it, or a wave waits for a person's approval.
    #[serde(rename = "plan.approvalWanted")]
    PlanApprovalWanted,
    /// A person approved it, or one of its waves.
    #[serde(rename = "plan.approved")]
    PlanApproved,
    /// A wave of it began.
    #[serde(rename = "plan.waveBegan")]
    PlanWaveBegan,
    /// A wave of it passed its gates.
    #[serde(rename = "plan.wavePassed")]
    PlanWavePassed,
    /// Nobody can tell whether it may go on.
    #[serde(rename = "plan.paused")]
    PlanPaused,
    /// A wave failed, or a person halted it.
    #[serde(rename = "plan.halted")]
    PlanHalted,
    /// A person lets it go on.
    #[serde(rename = "plan.resumed")]
    PlanResumed,
    /// A person lets a wave past a gate.
    #[serde(rename = "plan.gateSkipped")]
    PlanGateSkipped,
    /// What it did is to be undone.
    #[serde(rename = "plan.rollbackRequested")]
    PlanRollbackRequested,
    /// What it did is undone.
    #[serde(rename = "plan.rolledBack")]
    PlanRolledBack,
    /// Its last wave passed.
    #[serde(rename = "plan.completed")]
    PlanCompleted,
    /// A person removed it.
    #[serde(rename = "plan.deleted")]
    PlanDeleted,
    /// A dry run came to its end.
    #[serde(rename = "upgrade.validated")]
    UpgradeValidated,
    /// The executor picked it up.
    #[serde(rename = "upgrade.started")]
    UpgradeStarted,
    /// It completed, failed, went back or was not picked up in time.
    #[serde(rename = "upgrade.ended")]
    UpgradeEnded,
    /// An account was made.
    #[serde(rename = "account.created")]
    AccountCreated,
    /// It has another name.
    #[serde(rename = "account.renamed")]
    AccountRenamed,
    /// It only keeps its lists.
    #[serde(rename = "account.suspended")]
    AccountSuspended,
    /// It can act again.
    #[serde(rename = "account.resumed")]
    AccountResumed,
    /// Somebody came into an account.
    #[serde(rename = "user.added")]
    UserAdded,
    /// Their role, their rights or how they log in.
    #[serde(rename = "user.changed")]
    UserChanged,
    /// They are in the account no longer.
    #[serde(rename = "user.removed")]
    UserRemoved,
    /// A one-time password was made up for them.
    #[serde(rename = "user.passwordReset")]
    UserPasswordReset,
    /// They changed their password.
    #[serde(rename = "user.passwordChanged")]
    UserPasswordChanged,
    /// A person made a token.
    #[serde(rename = "token.issued")]
    TokenIssued,
    /// A person's token ended.
    #[serde(rename = "token.revoked")]
    TokenRevoked,
    /// Somebody logged in.
    #[serde(rename = "session.opened")]
    SessionOpened,
    /// Somebody logged out.
    #[serde(rename = "session.ended")]
    SessionEnded,
    /// A person made a webhook.
    #[serde(rename = "webhook.created")]
    WebhookCreated,
    /// Its URL, its events, its description, or whether it is told.
    #[serde(rename = "webhook.changed")]
    WebhookChanged,
    /// It got another secret.
    #[serde(rename = "webhook.rotated")]
    WebhookRotated,
    /// A person tried it.
    #[serde(rename = "webhook.tested")]
    WebhookTested,
    /// A person had a delivery sent again.
    #[serde(rename = "webhook.retried")]
    WebhookRetried,
    /// The control plane tells it nothing any more, because nobody was there.
    #[serde(rename = "webhook.disabled")]
    WebhookDisabled,
    /// It was removed, with all its deliveries.
    #[serde(rename = "webhook.deleted")]
    WebhookDeleted,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = serde_json::to_value(self).unwrap_or_default();
        f.write_str(word.as_str().unwrap_or_default())
    }
}

/// One entry. It is written once and never changed; the chain is over these fields, so none may be added or renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Activity {
    /// Counts from 1 inside the account, without gaps.
    pub id: u64,
    /// By the control plane's clock.
    pub at: Timestamp,
    /// A person's name, `executor NAME`, `enrolment token ID` or `control plane`.
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// The id of what it was done to.
    pub target: String,
    /// What that was called then: a name or a version.
    pub name: String,
    /// Why, where somebody said so.
    pub reason: String,
    /// What it was, as far as it changed.
    pub before: Option<Value>,
    /// What it is since.
    pub after: Option<Value>,
    /// The chain up to this entry, lower-case hex.
    pub hash: String,
}

/// `GET /activity/verify`: whether the chain holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ActivityVerdict {
    /// Every entry is as it was written, and none is missing before the last.
    pub intact: bool,
    /// The first entry that does not fit the one before it.
    pub first_broken: Option<u64>,
    /// How many there are.
    pub entries: u64,
    /// The hash of the last: whoever keeps it elsewhere sees later whether entries were cut off the end.
    pub head: String,
}

impl Activity {
    /// The names of the cells of [`Self::csv`].
    pub const CSV_HEAD: &str = "id,at,actor,action,target,name,reason,before,after,hash\r\n";

    /// One line of a table, with no cell that a spreadsheet would run.
    #[must_use]
    pub fn csv(&self) -> String {
        let json = |value: &Option<Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
        let cells = [
            self.id.to_string(),
            self.at.to_string(),
            self.actor.clone(),
            self.action.to_string(),
            self.target.clone(),
            self.name.clone(),
            self.reason.clone(),
            json(&self.before),
            json(&self.after),
            self.hash.clone(),
        ];
        format!("{}\r\n", cells.map(|text| cell(&text)).join(","))
    }
}

/// Spreadsheets take what begins with one of these for a formula, also behind white space and in its wide form.
fn cell(text: &str) -> String {
    let begins = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let defused = if begins || text.starts_with(['\t', '\r', '\n']) { "'" } else { "" };
    format!("\"{defused}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Activity {
        Activity {
            id: 7,
            at: "2026-11-21T08:00:00.123Z".parse().unwrap(),
            actor: "owner".into(),
            action: Action::UpgradeRequested,
            target: "t".into(),
            name: "host-1".into(),
            reason: "because \"of\"\nthis".into(),
            before: None,
            after: Some(serde_json::json!({"b": 1, "a": "<b>"})),
            hash: String::new(),
        }
    }

    #[test]
    fn no_cell_of_an_export_is_a_formula() {
        for (text, expected) in [
            ("plain", "\"plain\""),
            ("", "\"\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@x", "\"'@x\""),
            ("  =1", "\"'  =1\""),
            ("\t=1", "\"'\t=1\""),
            ("＝1", "\"'＝1\""),
            ("a=b", "\"a=b\""),
            ("a\"b,\nc", "\"a\"\"b,\nc\""),
        ] {
            assert_eq!(cell(text), expected);
        }
        let line = entry().csv();
        assert!(line.contains(r#","because ""of"""#) && line.ends_with("\"\"\r\n"), "{line}");
    }
}
