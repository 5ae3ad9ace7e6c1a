//! Fleet plans as the control plane carries them out: where each wave and each executor stands, and why.

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Approval, Checked, FleetUpgradePlan, Presence};
use crate::spec::Kind;

/// Where a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum PlanState {
    /// Somebody else than who applied it has to approve it.
    ApprovalWanted,
    /// Its waves go one after the other.
    Running,
    /// Nobody can tell whether it may go on; it goes on by itself once that is known.
    Paused,
    /// Nobody is started until a person resumes it.
    Halted,
    /// What it did is being undone.
    RollingBack,
    /// What it did is undone.
    RolledBack,
    /// Every wave passed.
    Completed,
}

impl PlanState {
    /// Nothing more comes of it.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::RolledBack | Self::Completed)
    }
}

/// Where a wave stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum WaveState {
    /// Those before it come first.
    Pending,
    /// Its canaries go; the rest waits for them.
    Canary,
    /// Its executors go.
    Running,
    /// All had their turn, and it is watched for how long it stays healthy.
    Soaking,
    /// It has soaked and waits for its gates.
    Gate,
    /// The next may begin.
    Passed,
    /// It failed; nobody more of it is started.
    Halted,
    /// What was done in it is being undone.
    RollingBack,
    /// What was done in it is undone.
    RolledBack,
}

/// What becomes of an executor in a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum MemberOutcome {
    /// Its turn comes.
    Waiting,
    /// Its upgrade is under way.
    Started,
    /// Its upgrade completed.
    Completed,
    /// It ran the target before its turn.
    AlreadyThere,
    /// Its upgrade failed, or it went back.
    Failed,
    /// Its upgrade stood still until it was given up.
    Slow,
    /// It does not sync.
    Unreachable,
    /// A sysadmin holds its host.
    Held,
    /// It cannot go there: no release for it, no way, or it runs something newer.
    Refused,
    /// Another plan has it.
    Yielded,
    /// It was deleted.
    Gone,
    /// It goes back to where it was before the plan.
    RollingBack,
    /// It is where it was before the plan.
    RolledBack,
    /// It could not go back.
    NotRolledBack,
}

/// How many executors of a wave are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "they are the outcomes, which are described there")]
pub struct WaveCounts {
    pub total: u32,
    pub waiting: u32,
    pub started: u32,
    pub completed: u32,
    pub already_there: u32,
    pub failed: u32,
    pub slow: u32,
    pub unreachable: u32,
    pub held: u32,
    pub refused: u32,
    pub yielded: u32,
    pub gone: u32,
    pub rolling_back: u32,
    pub rolled_back: u32,
    pub not_rolled_back: u32,
}

impl WaveCounts {
    /// Counts one more, or so many.
    pub fn add(&mut self, outcome: MemberOutcome, count: u32) {
        self.total += count;
        *match outcome {
            MemberOutcome::Waiting => &mut self.waiting,
            MemberOutcome::Started => &mut self.started,
            MemberOutcome::Completed => &mut self.completed,
            MemberOutcome::AlreadyThere => &mut self.already_there,
            MemberOutcome::Failed => &mut self.failed,
            MemberOutcome::Slow => &mut self.slow,
            MemberOutcome::Unreachable => &mut self.unreachable,
            MemberOutcome::Held => &mut self.held,
            MemberOutcome::Refused => &mut self.refused,
            MemberOutcome::Yielded => &mut self.yielded,
            MemberOutcome::Gone => &mut self.gone,
            MemberOutcome::RollingBack => &mut self.rolling_back,
            MemberOutcome::RolledBack => &mut self.rolled_back,
            MemberOutcome::NotRolledBack => &mut self.not_rolled_back,
        } += count;
    }
}

/// What a gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GateOutcome {
    /// Nothing yet: it is not asked before the wave is healthy, or a person has not answered.
    Waiting,
    /// The next wave may begin, as far as it is concerned.
    Pass,
    /// The wave halts.
    Fail,
    /// Nobody can tell; the plan pauses.
    Inconclusive,
}

/// One gate of a wave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Unique inside the wave: `online`, `reconciled`, `restarts`, `approval`, or as the plan says.
    pub name: String,
    /// What it says.
    pub outcome: GateOutcome,
    /// Why, in one sentence.
    pub message: String,
    /// Else it is shown and holds nobody up.
    pub blocking: bool,
    /// When it was last asked.
    pub at: Option<Timestamp>,
    /// Who approved or skipped it.
    pub by: Option<String>,
    /// A person let the wave past it.
    pub skipped: bool,
}

/// One wave of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Unique inside the plan.
    pub name: String,
    /// Where it stands.
    pub state: WaveState,
    /// Why, in one sentence.
    pub reason: String,
    /// When its members were fixed.
    pub began_at: Option<Timestamp>,
    /// Since when it is healthy, from where its soak counts.
    pub healthy_since: Option<Timestamp>,
    /// When it has soaked, if it stays healthy.
    pub soaks_until: Option<Timestamp>,
    /// When the next could begin.
    pub passed_at: Option<Timestamp>,
    /// How many at once, as it comes to in this wave.
    pub max_in_flight: u32,
    /// How many go first, as it comes to in this wave.
    pub canary: u32,
    /// How its executors are doing; before it begins, how many its selector takes.
    pub counts: WaveCounts,
    /// What is asked before the next wave begins.
    pub gates: Vec<Gate>,
}

/// A plan that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FleetPlan {
    /// UUIDv7.
    pub id: String,
    /// As its document says.
    pub name: String,
    /// Of which kind its executors are.
    pub executor_kind: Kind,
    /// What shall run, as it was found when the plan was applied.
    pub target_version: Version,
    /// Where plans overlap, the higher one has the executor.
    pub priority: i32,
    /// Where it stands.
    pub state: PlanState,
    /// Why, in one sentence.
    pub reason: String,
    /// Who applied it.
    pub requested_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When the last wave passed, or all was undone.
    pub ended_at: Option<Timestamp>,
    /// Where somebody else has to approve it.
    pub approval: Option<Approval>,
    /// What was noticed when it was applied: what was clamped, which plans it overlaps with, which waves take nobody.
    pub warnings: Vec<String>,
    /// One after the other.
    pub waves: Vec<Wave>,
    /// Executors of the kind that are in none of its waves and that no wave to come takes, by name, at most 100; only
    /// where one plan is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_no_wave: Option<Vec<String>>,
    /// The document as it was applied; only where one plan is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<FleetUpgradePlan>,
}

/// `GET /fleet/plans/{id}/executors`: an executor of a wave that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlanMember {
    /// UUIDv7.
    pub executor_id: String,
    /// As it was called when its wave began.
    pub executor_name: String,
    /// Its wave, fixed when that began.
    pub wave: String,
    /// Its place in the order of the wave, from 1.
    pub position: u32,
    /// It goes before the rest of the wave.
    pub canary: bool,
    /// What became of it.
    pub outcome: MemberOutcome,
    /// Why, where that is not plain.
    pub reason: String,
    /// What ran there when its wave began.
    pub from_version: Version,
    /// Its upgrade by the plan, the last of several; while it goes back, the one that takes it there.
    pub upgrade_id: Option<String>,
    /// The wave that its labels of today would put it into; it stays in the one it is in.
    pub wave_by_labels: Option<String>,
}

/// `POST /fleet/plans/{id}/approve`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanApproval {
    /// Which wave; the one that waits for it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// For the activity.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: String,
}

/// `POST /fleet/plans/{id}/skip-gate`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GateSkip {
    /// The wave whose gate it is.
    pub wave: String,
    /// Which of its gates.
    pub gate: String,
    /// For the activity.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: String,
}

/// `POST /fleet/plans/{id}/rollback`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRollback {
    /// Only this wave; the whole plan when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// For the activity.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: String,
}

/// `POST /fleet/plans/dry-run` and `POST /fleet/plans/{id}/dry-run`: what would come of a plan that began now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlanDryRun {
    /// What the target version comes to.
    pub target_version: Version,
    /// What should be looked at first.
    pub warnings: Vec<String>,
    /// One after the other.
    pub waves: Vec<DryWave>,
    /// Executors of the kind that no wave takes, by name.
    pub in_no_wave: Vec<String>,
    /// When the last wave would have soaked, if people approve at once and nothing fails.
    pub ends_at: Timestamp,
}

/// One wave of a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DryWave {
    /// Its name.
    pub name: String,
    /// How many at once, as it comes to.
    pub max_in_flight: u32,
    /// How many go first, as it comes to.
    pub canary: u32,
    /// When it would begin.
    pub starts_at: Timestamp,
    /// When it would have soaked.
    pub ends_at: Timestamp,
    /// A person would have to approve before the next one.
    pub wants_approval: bool,
    /// Its executors in their order.
    pub executors: Vec<DryMember>,
}

/// One executor of a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DryMember {
    /// UUIDv7.
    pub executor_id: String,
    /// Its name.
    pub name: String,
    /// It goes before the rest of its wave.
    pub canary: bool,
    /// What runs there.
    pub current_version: Version,
    /// The versions it would go to, one after the other; more than one where it needs a hop.
    pub route: Vec<Version>,
    /// Whether it syncs.
    pub status: Presence,
    /// What would stand in its way now: it is held, out of reach, outside its windows, has no way there or belongs to
    /// another plan.
    pub obstacle: Option<String>,
    /// Its last answers to the checks of its host.
    pub preflight: Vec<Checked>,
    /// The checks it was asked for just now and still owes an answer to.
    pub owes: Vec<String>,
}

/// What happened to a plan, as its stream and its list tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlanEvent {
    /// Grows; the `Last-Event-ID` of the stream.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// How weighty.
    pub level: crate::stage::LogLevel,
    /// The wave it is about.
    pub wave: Option<String>,
    /// The executor it is about.
    pub executor_name: Option<String>,
    /// One sentence.
    pub message: String,
}
