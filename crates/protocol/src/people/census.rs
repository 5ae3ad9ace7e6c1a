//! The fleet by version, and upgrades of many executors at once.

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::Presence;
use crate::spec::{Confirm, Kind};

/// `GET /releases/{kind}/needs-upgrade`: an executor that runs something lower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NeedsUpgrade {
    /// UUIDv7.
    pub executor_id: String,
    /// Unique inside the account.
    pub name: String,
    /// What runs there.
    pub current_version: Version,
    /// Whether it syncs.
    pub status: Presence,
    /// The target can be requested as it is; else why not: `requires upgrade to N.x first`, or not offered to it.
    pub reason: Option<String>,
    /// The upgrade that has not ended, if any.
    pub pending_upgrade_id: Option<String>,
}

/// `POST /releases/{kind}/batch-upgrade`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BatchRequest {
    /// Only these, in this order; absent: every one of the kind, by name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 10_000)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor_ids: Option<Vec<String>>,
    /// Only those with all of these labels.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub labels: std::collections::BTreeMap<String, String>,
    /// How many at once; absent: one after the other.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The first that does not complete ends the batch; else it blocks nobody.
    #[serde(default)]
    pub stop_on_failure: bool,
    /// Go over the versions in between where the target is too far.
    #[serde(default)]
    pub hops: bool,
    /// Who completes each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// For people.
    #[cfg_attr(feature = "schema", schemars(length(max = 4096)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What becomes of an executor in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Its turn comes.
    Waiting,
    /// Its upgrade is under way.
    Started,
    /// Its upgrade completed.
    Completed,
    /// Its upgrade ended otherwise.
    Failed,
    /// Another version comes first, and nobody asked to go over it.
    NeedsHop,
    /// It runs the target.
    AlreadyThere,
    /// It could not be asked.
    Refused,
    /// The batch ended before its turn.
    Skipped,
}

/// One executor of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BatchItem {
    /// UUIDv7.
    pub executor_id: String,
    /// As it was called then.
    pub executor_name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where it is not well.
    pub reason: String,
    /// Its upgrade, the last of several hops.
    pub upgrade_id: Option<String>,
}

/// Upgrades of many executors to one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// UUIDv7.
    pub id: String,
    /// Of which kind.
    pub kind: Kind,
    /// What shall run.
    pub target_version: Version,
    /// How many at once.
    pub concurrency: u32,
    /// The first that does not complete ends it.
    pub stop_on_failure: bool,
    /// Over the versions in between.
    pub hops: bool,
    /// Who completes each.
    pub confirm: Confirm,
    /// For people.
    pub description: String,
    /// Who asked.
    pub requested_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When the last of its executors was done with.
    pub ended_at: Option<Timestamp>,
    /// Why it ended early.
    pub stopped_because: Option<String>,
    /// Its executors in their order; only where one batch is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<BatchItem>,
}
