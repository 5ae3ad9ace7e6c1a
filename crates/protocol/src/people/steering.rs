//! How people steer an upgrade, and what they see while they do.

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::spec::Direction;
use crate::stage::{LogLevel, Stage, Status};
use crate::sync::ReportError;

/// `POST /upgrades/{id}/pause` and `/continue`: they want to know why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WithReason {
    /// For the activity.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: String,
}

/// `POST /upgrades/{id}/complete`, `/retry`, `/rollback` and `/approve`: they take a reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MayHaveReason {
    /// For the activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: Option<String>,
}

/// `POST /upgrades/{id}/start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", schemars(extend(
    "if" = {"properties": {"force": {"const": true}}, "required": ["force"]},
    "then" = {"properties": {"reason": {"type": "string"}}, "required": ["reason"]},
)))]
pub struct StartRequest {
    /// Past windows, freezes and older upgrades of another type; never past an approval, a prerequisite or a check of
    /// the host.
    #[serde(default)]
    pub force: bool,
    /// For the activity; must be there with `force`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: Option<String>,
}

/// `POST /upgrades/{id}/abandon`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbandonRequest {
    /// For the activity.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: String,
    /// Only if the executor has not picked it up.
    #[serde(default)]
    pub check_unstarted: bool,
}

/// `PATCH /upgrades/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reschedule {
    /// Not before; at least an hour from now, and not after the deadline.
    pub scheduled_at: Timestamp,
    /// For the activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: Option<String>,
}

/// What an upgrade waits for before its executor is told of it: the first that stands in its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// In one word.
    pub code: WaitCode,
    /// One sentence: what, until when, what to do.
    pub message: String,
    /// The older upgrade it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_id: Option<String>,
}

/// In the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WaitCode {
    /// A person paused it.
    UpgradePaused,
    /// Somebody else than the one who asked has to approve.
    ApprovalWanted,
    /// Steps that a person has to acknowledge.
    PrerequisitesOpen,
    /// A person has to start it.
    StartAwaited,
    /// It is due later.
    NotDue,
    /// An older upgrade of another type comes first.
    OlderUpgradePending,
    /// A freeze.
    Frozen,
    /// No maintenance window is open.
    OutsideWindow,
}

impl WaitCode {
    /// The word on the wire, which is also the code of a refused start.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpgradePaused => "upgrade_paused",
            Self::ApprovalWanted => "approval_wanted",
            Self::PrerequisitesOpen => "prerequisites_open",
            Self::StartAwaited => "start_awaited",
            Self::NotDue => "not_due",
            Self::OlderUpgradePending => "older_upgrade_pending",
            Self::Frozen => "frozen",
            Self::OutsideWindow => "outside_window",
        }
    }
}

/// Somebody else than the one who asked has to say yes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Who said it.
    pub approved_by: Option<String>,
    /// When.
    pub approved_at: Option<Timestamp>,
}

/// The account's rule of four eyes: upgrades to releases of these channels want an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FourEyes {
    /// None: nobody is asked.
    pub channels: Vec<crate::sync::Channel>,
}

/// The last dry run of an upgrade on its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// How it stands.
    pub state: ValidationState,
    /// Which attempt it was.
    pub attempt: u32,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What the host refused, or why nothing was heard.
    pub error: Option<ReportError>,
}

/// How a dry run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ValidationState {
    /// The host is at it, or about to be.
    Running,
    /// Downloaded and verified; nothing was swapped.
    Passed,
    /// The host would refuse the upgrade.
    Failed,
}

/// `GET /upgrades/{id}/progress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpgradeProgress {
    /// A dry run has passed.
    pub validated: bool,
    /// The executor has picked it up.
    pub started: bool,
    /// A person has asked for a pause; it takes effect at the next checkpoint.
    pub pause_requested: bool,
    /// It stands still.
    pub paused: bool,
    /// A person has asked to go back.
    pub rollback_requested: bool,
    /// A person has asked to drop it.
    pub abandon_requested: bool,
    /// Where it stands.
    pub current_stage: Stage,
    /// How that stage is doing.
    pub status: Status,
    /// Which attempt it is.
    pub attempt: u32,
    /// Of the artifact.
    pub bytes_done: u64,
    /// Of the artifact.
    pub bytes_total: u64,
    /// Without news until then it is given up; `null` where nothing is awaited of the executor.
    pub timeout_at: Option<Timestamp>,
    /// What it waits for before its executor is told.
    pub waits_for: Option<Wait>,
    /// Why it did not complete, or its trouble so far.
    pub failed_with_error: Option<ReportError>,
}

/// Something that happened to an upgrade: a new stage or status, or a line of its executor's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpgradeEvent {
    /// Grows; the `Last-Event-ID` of the stream.
    pub id: u64,
    /// Which attempt.
    pub attempt: u32,
    /// By the clock of whom it comes from.
    pub at: Timestamp,
    /// Where the upgrade stood.
    pub stage: Stage,
    /// Where this is the news of a stage: how it is doing.
    pub status: Option<Status>,
    /// How weighty.
    pub level: LogLevel,
    /// One sentence.
    pub message: String,
}

/// `GET /upgrades/{id}/events/stages`: the events of one stage of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageEvents {
    /// Which attempt.
    pub attempt: u32,
    /// Which stage.
    pub stage: Stage,
    /// How it is, or was when it was left.
    pub status: Status,
    /// The first event.
    pub started_at: Timestamp,
    /// What happened.
    pub events: Vec<UpgradeEvent>,
}

/// `GET /upgrades/{id}/diff`: what changes on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// In a few words.
    pub summary: DiffSummary,
    /// The releases on the way, lowest first, with their notes: of a downgrade those that are left.
    pub releases: Vec<ReleaseNotes>,
    /// What runs now; `null` where the catalogue does not know it.
    pub current: Option<ArtifactFacts>,
    /// What shall run.
    pub target: ArtifactFacts,
    /// The stages that will run, in their order.
    pub stages: Vec<Stage>,
}

/// `GET /upgrades/{id}/diff/summary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DiffSummary {
    /// What runs.
    pub from_version: Version,
    /// What shall run.
    pub target_version: Version,
    /// Which way.
    pub direction: Direction,
    /// How many releases lie on the way, the target among them.
    pub releases: u64,
    /// The artifact to download, in bytes.
    pub download_bytes: u64,
    /// How much larger the artifact becomes, in bytes; `null` where the catalogue does not know the current one.
    pub growth_bytes: Option<i64>,
    /// Another key signed it; `null` as above.
    pub is_key_new: Option<bool>,
    /// No version below it may follow; `null` where the release sets none.
    pub floor: Option<Version>,
    /// A person has to complete it.
    pub needs_completion: bool,
}

/// A release on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReleaseNotes {
    /// Its version.
    pub version: Version,
    /// For people.
    pub notes: String,
}

/// What is known of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ArtifactFacts {
    /// Which version.
    pub version: Version,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// The name of the key that signed it; `null` where it is trusted no more.
    pub signed_by: Option<String>,
    /// No version below it may follow.
    pub floor: Option<Version>,
}
