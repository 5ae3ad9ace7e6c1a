//! What people and novactl see of releases, executors and upgrades.

mod about;
mod accounts;
mod activity;
mod census;
mod checks;
mod consequences;
mod explanation;
mod fleet_census;
mod fleet_document;
mod fleet_groups;
mod fleet_plans;
mod fleet_progress;
mod freezes;
mod keys;
mod page;
mod release_keys;
mod releases;
mod revisions;
mod roles;
mod selector;
mod sessions;
mod steering;
mod steps;
mod tokens;
mod users;
mod verbs;
mod webhooks;
mod windows;

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

pub use about::About;
pub use accounts::{Account, AccountPatch, AccountRequest, SuspensionRequest};
pub use activity::{Action, Activity, ActivityVerdict};
pub use census::{Batch, BatchItem, BatchRequest, NeedsUpgrade, Outcome};
pub use checks::{Checked, Preflight, PreflightRequest};
pub use consequences::{AimingPlan, Consequences, Instead, OpenUpgrade};
pub use explanation::{Explanation, Rule};
pub use fleet_census::{
    Attention, AttentionUpgrade, CensusRow, FleetCensus, Need, SupportCounts, UpgradesOnDay,
};
pub use fleet_document::{
    CountOrPercent, FleetUpgradePlan, GateSpec, LateArrivers, PlanApiVersion, PlanDuration, PlanKind,
    PlanMetadata, PlanSpec, WaveSpec, WaveValidation, WaveWindow,
};
#[cfg(feature = "documents")]
pub use fleet_document::{DocumentRefused, MAX_DOCUMENT_BYTES};
pub use fleet_groups::{ExecutorGroup, ExecutorGroupPatch, ExecutorGroupRequest, ExecutorPatch, InPlan};
pub use fleet_plans::{
    DryMember, DryWave, FleetPlan, Gate, GateOutcome, GateSkip, MemberOutcome, PlanApproval, PlanDryRun,
    PlanEvent, PlanMember, PlanRollback, PlanState, Wave, WaveCounts, WaveState,
};
pub use fleet_progress::PlanProgress;
pub use freezes::{Freeze, FreezeRequest};
pub use keys::{
    EnrolmentToken, EnrolmentTokenRequest, ExecutorKey, ExecutorKeyRequest, ExecutorKeyRotation,
    IssuedSecret, RotatedKey,
};
pub use page::Page;
pub use release_keys::{ReleaseKey, ReleaseKeys, SignedRelease};
pub use releases::{Artifact, Release, ReleasePatch, ReleaseStatus};
pub use revisions::{LastSuccessful, Revision, RollbackRequest};
pub use roles::Role;
pub use sessions::{LoginRequest, Membership, PasswordChange, Session, SessionPatch};
pub use steering::{
    AbandonRequest, Approval, ArtifactFacts, Diff, DiffSummary, FourEyes, MayHaveReason, ReleaseNotes,
    Reschedule, StageEvents, StartRequest, UpgradeEvent, UpgradeProgress, Validation, ValidationState, Wait,
    WaitCode, WithReason,
};
pub use steps::{Acknowledge, Step, UpgradeStep, UpgradeSteps};
pub use tokens::{Token, TokenRequest};
pub use users::{User, UserPatch, UserRequest, UserWithPassword};
pub use verbs::{UpgradeAction, UpgradeVerb};
pub use webhooks::{
    Delivery, DeliveryStatus, IssuedWebhook, Webhook, WebhookEvent, WebhookPatch, WebhookRequest,
};
pub use windows::{
    ExecutorWindows, Opening, Operator, Requirement, Selector, Window, WindowPatch, WindowRequest,
};

use crate::spec::{Confirm, Direction, Intent, Kind};
use crate::stage::{Progress, Stage, Status};
use crate::sync::{Channel, Held, LogLine, ReportError, Support};

/// Whether an executor syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Its last sync is younger than the heartbeat timeout.
    Online,
    /// It is not.
    Offline,
}

/// One executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Executor {
    /// UUIDv7.
    pub id: String,
    /// Unique inside the account.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What runs there, by its last sync.
    pub current_version: Version,
    /// What it follows.
    pub channel: Channel,
    /// Rust target triple.
    pub target: String,
    /// What selectors see: those of its config, under those that people gave it.
    pub labels: BTreeMap<String, String>,
    /// Whether it syncs.
    pub status: Presence,
    /// How far behind it is.
    pub support: Support,
    /// A sysadmin's hold.
    pub held: Option<Held>,
    /// Starts of the service since boot.
    pub restarts: u32,
    /// Its last sync, by the control plane's clock.
    pub last_seen_at: Timestamp,
    /// Its first sync.
    pub created_at: Timestamp,
    /// The upgrade that has not ended, if any.
    pub pending_upgrade_id: Option<String>,
    /// Where that upgrade stands; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_upgrade: Option<UpgradeInBrief>,
    /// Only where one executor is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_upgrades: Option<Vec<AvailableRelease>>,
    /// Only where one executor is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_downgrades: Option<Vec<AvailableRelease>>,
    /// From its config; only where one executor is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_labels: Option<BTreeMap<String, String>>,
    /// What people say of its labels, which stands over its config; only where one executor is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels_by_people: Option<BTreeMap<String, String>>,
    /// Where it stands in every plan of its kind that has not ended; only where one executor is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plans: Option<Vec<InPlan>>,
    /// The ids of the release keys that it says it trusts; only where one executor is asked for, and absent where an
    /// older one does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_keys: Option<Vec<String>>,
}

/// An upgrade that has not ended, beside its executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpgradeInBrief {
    /// What shall run.
    pub target_version: Version,
    /// Which way.
    pub direction: Direction,
    /// Where it stands.
    pub stage: Stage,
    /// How that stage is doing.
    pub status: Status,
    /// In one word.
    pub state: Progress,
}

/// A release as seen from one executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AvailableRelease {
    /// Its version.
    pub version: Version,
    /// Its channel.
    pub channel: Channel,
    /// For people.
    pub notes: String,
    /// It can be requested now.
    pub allowed_as_direct_target: bool,
    /// Why not: `requires upgrade to N.x first`.
    pub reason: Option<String>,
}

/// `POST /executors/{id}/upgrade`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradeRequest {
    /// What shall run.
    pub target_version: Version,
    /// Not before; at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
    /// When it is overdue: still to be carried out, and shown as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Go over the versions in between, one after the other, where the target is too far.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hops: bool,
    /// Who starts it, once it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_start: Option<Confirm>,
    /// Who completes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 4096)))]
    pub description: Option<String>,
    /// How long the new version must stay up before it is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1_000, max = 86_400_000)))]
    pub health_window_ms: Option<u64>,
}

impl UpgradeRequest {
    /// To that version at once, and everything else as usual.
    #[must_use]
    pub fn to(target_version: Version) -> Self {
        Self {
            target_version,
            scheduled_at: None,
            deadline: None,
            hops: false,
            confirm_start: None,
            confirm: None,
            description: None,
            health_window_ms: None,
        }
    }
}

/// `GET /upgrades/counts`: how many upgrades of the account stand in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpgradeCounts {
    /// Not begun.
    pub pending: u64,
    /// In the hands of their executors.
    pub running: u64,
    /// Completed in the last seven days.
    pub completed: u64,
    /// Rolled back in the last seven days.
    pub rolled_back: u64,
    /// Failed in the last seven days.
    pub failed: u64,
    /// Abandoned in the last seven days.
    pub abandoned: u64,
}

/// One upgrade of one executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Upgrade {
    /// UUIDv7.
    pub id: String,
    /// Whose.
    pub executor_id: String,
    /// Whose, for people.
    pub executor_name: String,
    /// Its kind.
    pub kind: Kind,
    /// As its release says: upgrades of different types keep their order.
    #[serde(default)]
    pub r#type: String,
    /// What ran when it was requested.
    pub from_version: Version,
    /// What shall run.
    pub target_version: Version,
    /// Where the hops lead of which this is one; the next is requested when this one completes.
    #[serde(default)]
    pub hops_to: Option<Version>,
    /// Which way.
    pub direction: Direction,
    /// Who starts it.
    #[serde(default)]
    pub confirm_start: Confirm,
    /// Who completes.
    pub confirm: Confirm,
    /// What the executor is told now.
    pub intent: Intent,
    /// Counts from 1.
    pub attempt: u32,
    /// How long the new version must stay up before it is committed.
    pub health_window_ms: u64,
    /// Where it stands.
    pub stage: Stage,
    /// How that stage is doing.
    pub status: Status,
    /// In one word.
    pub state: Progress,
    /// Of the artifact.
    pub bytes_done: u64,
    /// Of the artifact.
    pub bytes_total: u64,
    /// Why it did not complete.
    pub error: Option<ReportError>,
    /// For people.
    pub description: String,
    /// Who asked.
    pub requested_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Not before.
    pub scheduled_at: Timestamp,
    /// When it is overdue.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// It has not ended, and its deadline is over.
    #[serde(default)]
    pub overdue: bool,
    /// Who started it, where a person had to or did.
    #[serde(default)]
    pub started_by: Option<String>,
    /// A person sent it past windows, freezes and older upgrades.
    #[serde(default)]
    pub forced: bool,
    /// The fleet plan that requested it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// Where somebody else than who asked for it has to say yes.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// Its last dry run.
    #[serde(default)]
    pub validation: Option<Validation>,
    /// What it waits for before its executor is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Wait>,
    /// What could be asked of it now, by who may steer; only where one upgrade is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<UpgradeAction>,
    /// Since when its executor is told of it.
    #[serde(default)]
    pub offered_at: Option<Timestamp>,
    /// When an executor that did not pick it up no longer may.
    pub expires_at: Timestamp,
    /// When the executor picked it up.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What the executor said; only where one upgrade is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
}
