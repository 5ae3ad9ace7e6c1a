//! What publishing or yanking a release would mean.

use semver::Version;
use serde::{Deserialize, Serialize};

use super::PlanState;
use crate::stage::{Progress, Stage};

/// `GET /releases/{id}/consequences`: whom a release concerns now. Yanking offers it to nobody any more: new requests,
/// retries, hops and the turns of plans are refused. It takes it from nobody who runs it, and ends no upgrade that was
/// requested before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Consequences {
    /// Executors that it is offered to; of a draft those that it would be.
    pub offered_to: u64,
    /// Those of them that run something lower.
    pub upgrades_for: u64,
    /// Executors of its kind that run it.
    pub running: u64,
    /// Upgrades to it that have not ended, and were not picked up. Yanking does not stop them.
    pub pending: u64,
    /// Upgrades to it that executors carry out. Yanking does not stop them.
    pub under_way: u64,
    /// Upgrades to a version in between that shall lead to it. Yanking refuses their last hop.
    pub on_the_way: u64,
    /// All three, by the names of their executors, at most 50.
    pub upgrades: Vec<OpenUpgrade>,
    /// The fleet plans to it that have not ended.
    pub plans: Vec<AimingPlan>,
    /// What is the highest that is left for those that it is offered to, the most frequent first.
    pub instead: Vec<Instead>,
}

/// An upgrade that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OpenUpgrade {
    /// UUIDv7.
    pub id: String,
    /// Whose.
    pub executor_id: String,
    /// Whose, for people.
    pub executor_name: String,
    /// What shall run after it: the release, or a version on the way to it.
    pub target_version: Version,
    /// Where it stands.
    pub stage: Stage,
    /// In one word.
    pub state: Progress,
}

/// A fleet plan that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AimingPlan {
    /// UUIDv7.
    pub id: String,
    /// As its document says.
    pub name: String,
    /// Where it stands.
    pub state: PlanState,
    /// Executors of waves that have begun whose turn has not come: they would be refused, as would those of later waves.
    pub waiting: u64,
}

/// What would be left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Instead {
    /// The highest other release that is offered; `null` where there is none.
    pub version: Option<Version>,
    /// To how many executors.
    pub executors: u64,
}
