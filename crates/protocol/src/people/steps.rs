//! Steps of a release that people do themselves, and who has acknowledged them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One step, as the release says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// Counts from 1.
    pub number: u32,
    /// What to do.
    pub text: String,
}

/// `GET /upgrades/{id}/steps`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpgradeSteps {
    /// Before it begins; while one is open it does not.
    pub prerequisites: Vec<UpgradeStep>,
    /// After it has completed.
    pub postrequisites: Vec<UpgradeStep>,
}

/// One step of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpgradeStep {
    /// Counts from 1.
    pub number: u32,
    /// What to do.
    pub text: String,
    /// Who was the first to say that it is done.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged_at: Option<Timestamp>,
}

/// `POST /upgrades/{id}/prerequisites/acknowledge` and `…/postrequisites/acknowledge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// The steps that are done.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 50)))]
    pub numbers: Vec<u32>,
}
