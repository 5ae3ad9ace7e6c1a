//! `FleetUpgradePlan`, as people write it: which executors go to a version, in which waves, and what each wave has to
//! prove before the next begins.

mod measures;
#[cfg(feature = "documents")]
mod reading;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use measures::{CountOrPercent, PlanDuration};
#[cfg(feature = "documents")]
pub use reading::{DocumentRefused, MAX_DOCUMENT_BYTES};

use super::Selector;
use crate::spec::Kind;

/// The whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetUpgradePlan {
    /// Which shape of document it is.
    pub api_version: PlanApiVersion,
    /// What it is.
    pub kind: PlanKind,
    /// What it is called.
    pub metadata: PlanMetadata,
    /// What shall be done.
    pub spec: PlanSpec,
}

/// The shapes that are read; both mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PlanApiVersion {
    /// Ours.
    #[serde(rename = "novacula/v1")]
    NovaculaV1,
    /// openCenter's.
    #[serde(rename = "fleet.opencenter.cloud/v1alpha1")]
    OpenCenterV1Alpha1,
}

/// There is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PlanKind {
    /// Executors go to a version, wave by wave.
    FleetUpgradePlan,
}

/// What a plan is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanMetadata {
    /// Unique among the plans of the account that have not ended.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
    /// Kept for people; they select nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Kept for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What shall be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanSpec {
    /// A version such as `1.34.2`; or its beginning, `1.34` or `1`, for the highest release of it that is published when
    /// the plan is applied.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub target_version: String,
    /// Of which kind the executors are.
    #[serde(default = "agent")]
    pub executor_kind: Kind,
    /// Where plans overlap, the higher one has the executor; of equal ones the older.
    #[serde(default)]
    pub priority: i32,
    /// The names of plans of the same priority that have an executor before this one does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub yields_to: Vec<String>,
    /// How long the new version must stay up on a host before its upgrade is completed; 1m when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_window: Option<PlanDuration>,
    /// Whoever applies the plan says that the prerequisites of the release are done for all its executors.
    #[serde(default)]
    pub prerequisites_acknowledged: bool,
    /// One after the other.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub waves: Vec<WaveSpec>,
}

fn agent() -> Kind {
    Kind::Agent
}

/// Executors that go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = one_selection))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaveSpec {
    /// Unique inside the plan.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
    /// Whom it takes, by their labels; `executorSelector` means the same. This or `group` must be there.
    #[serde(default, alias = "executorSelector", skip_serializing_if = "Option::is_none")]
    pub cluster_selector: Option<Selector>,
    /// Whom it takes, by the name of a group of executors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it has to prove.
    #[serde(default)]
    pub validation: WaveValidation,
    /// How many at once; a quarter of the wave when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<CountOrPercent>,
    /// How many go first, soak and pass the gates before the rest of the wave begins; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CountOrPercent>,
    /// How many may fail or go back before the wave halts; a percentage is one of those that had their turn. None when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failed: Option<CountOrPercent>,
    /// How many may be slow, which is to stand still in an upgrade until it is given up; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_slow: Option<CountOrPercent>,
    /// How many may be out of reach before the wave pauses; a fifth when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unreachable: Option<CountOrPercent>,
    /// Percentages count once so many had their turn; 10, or the whole wave where that is less, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub min_sample: Option<u32>,
    /// What is asked before the next wave begins, beside what always is: that executors are online and on target, that
    /// none has an open or failed upgrade, and that none restarts all the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub gates: Vec<GateSpec>,
    /// What becomes of executors that the selector takes after the wave has begun.
    #[serde(default)]
    pub late_arrivers: LateArrivers,
    /// Upgrades of the wave begin only while it is open, beside the windows of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WaveWindow>,
    /// When the wave halts by itself, its executors go back to where they were.
    #[serde(default)]
    pub rollback_on_failure: bool,
}

/// A wave says whom it takes in one way, and the selector has two names.
#[cfg(feature = "schema")]
fn one_selection(schema: &mut schemars::Schema) {
    let alone = |name: &str, shape: &str| serde_json::json!({"required": [name], "properties": {name: {"type": shape}}});
    let ways = [("clusterSelector", "object"), ("executorSelector", "object"), ("group", "string")];
    schema.insert("oneOf".to_owned(), ways.map(|(name, shape)| alone(name, shape)).to_vec().into());
    let properties = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut);
    if let Some(properties) = properties
        && let Some(selector) = properties.get("clusterSelector").cloned()
    {
        properties.insert("executorSelector".to_owned(), selector);
    }
}

/// What a wave has to prove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaveValidation {
    /// How long the wave soaks, counted from when it is healthy.
    #[serde(default)]
    pub health_check_duration: PlanDuration,
    /// The next wave begins by itself; else a person approves first.
    #[serde(default)]
    pub automated: bool,
}

/// What becomes of executors that a wave would take and that came after it had begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LateArrivers {
    /// They join it while it runs; after that the next one.
    Join,
    /// They go with the next wave; after the last they stay.
    #[default]
    Next,
    /// They stay where they are.
    Never,
}

/// When upgrades of a wave may begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaveWindow {
    /// When it opens: minute, hour, day of the month, month, day of the week.
    #[cfg_attr(feature = "schema", schemars(length(min = 9, max = 256)))]
    pub cron: String,
    /// How long it stays open.
    pub duration: PlanDuration,
    /// The zone in which `cron` is meant, by its IANA name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub zone: String,
}

/// What is asked before the next wave begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum GateSpec {
    /// No executor of the wave has restarted more often since the wave began; a wave without this gate has it with 3.
    Restarts {
        /// Of one executor, beside the restart that an upgrade is.
        max_per_executor: u32,
    },
    /// No such alert fires in a Prometheus.
    Prometheus {
        /// Unique inside the wave; `prometheus` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
        name: Option<String>,
        /// Its address, below which `/api/v1/alerts` is.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 2048)))]
        url: String,
        /// Which alerts count, by their label `severity`; `critical` when absent.
        #[serde(default = "critical")]
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 16)))]
        severities: Vec<String>,
        /// And by these labels.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
        /// Else it is shown and holds nobody up.
        #[serde(default = "yes")]
        blocking: bool,
    },
    /// Something answers 2xx.
    Http {
        /// Unique inside the wave; `http` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
        name: Option<String>,
        /// What is asked, with GET.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 2048)))]
        url: String,
        /// Else it is shown and holds nobody up.
        #[serde(default = "yes")]
        blocking: bool,
    },
    /// A person says yes, as where `validation.automated` is false.
    Approval {
        /// Unique inside the wave; `approval` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
        name: Option<String>,
    },
}

fn critical() -> Vec<String> {
    vec!["critical".to_owned()]
}

fn yes() -> bool {
    true
}

impl GateSpec {
    /// What it is called inside its wave.
    #[must_use]
    pub fn name(&self) -> &str {
        let (name, usual) = match self {
            Self::Restarts { .. } => return "restarts",
            Self::Prometheus { name, .. } => (name, "prometheus"),
            Self::Http { name, .. } => (name, "http"),
            Self::Approval { name } => (name, "approval"),
        };
        name.as_deref().unwrap_or(usual)
    }
}
