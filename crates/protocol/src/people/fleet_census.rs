//! How it stands: the fleet in numbers, upgrades over time, and what waits for a person.

use jiff::Timestamp;
use jiff::civil::Date;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::spec::Kind;
use crate::sync::Channel;

/// `GET /fleet/census`: the executors of the account, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FleetCensus {
    /// All of them.
    pub executors: u64,
    /// Those that sync.
    pub online: u64,
    /// Those that do not.
    pub offline: u64,
    /// Those that a sysadmin holds.
    pub held: u64,
    /// How far behind the control plane they are.
    pub support: SupportCounts,
    /// By kind, channel and version, the highest version first.
    pub rows: Vec<CensusRow>,
}

/// How many executors are how far behind the control plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SupportCounts {
    /// Same major, or newer.
    pub in_window: u64,
    /// One major behind.
    pub deprecated: u64,
    /// More than one major behind.
    pub out_of_support: u64,
}

/// The executors of one kind that follow one channel and run one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CensusRow {
    /// What they are.
    pub kind: Kind,
    /// What they follow.
    pub channel: Channel,
    /// What runs there.
    pub version: Version,
    /// How many they are.
    pub executors: u64,
    /// How many of them sync.
    pub online: u64,
    /// How many of them a sysadmin holds.
    pub held: u64,
}

/// `GET /upgrades/over-time`: what became of upgrades on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpgradesOnDay {
    /// Which day, in UTC.
    pub day: Date,
    /// How many were requested on it.
    pub requested: u64,
    /// How many completed on it.
    pub completed: u64,
    /// How many were rolled back on it.
    pub rolled_back: u64,
    /// How many failed on it.
    pub failed: u64,
    /// How many were abandoned on it.
    pub abandoned: u64,
}

/// What a person has to do about an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Need {
    /// Look why it failed.
    Failed,
    /// Look why it was rolled back.
    RolledBack,
    /// Complete it, or roll it back.
    Completion,
    /// Approve it, as somebody else than who asked for it.
    Approval,
    /// Do the prerequisites of its release, and acknowledge them.
    Prerequisites,
    /// Start it.
    Start,
    /// Continue it, as somebody paused it.
    Paused,
}

/// `GET /upgrades/attention`: the upgrades that need the same of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    /// What has to be done.
    pub need: Need,
    /// How many they are.
    pub count: u64,
    /// The newest of them, at most 20.
    pub upgrades: Vec<AttentionUpgrade>,
}

/// An upgrade that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AttentionUpgrade {
    /// UUIDv7.
    pub upgrade_id: String,
    /// Whose.
    pub executor_id: String,
    /// Whose, for people.
    pub executor_name: String,
    /// What shall run, or should have.
    pub target_version: Version,
    /// Why it needs a person, in one sentence.
    pub reason: String,
    /// When it ended, where it has; else when it was requested.
    pub at: Timestamp,
}
