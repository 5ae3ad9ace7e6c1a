//! Why an executor is not upgraded.

use semver::Version;
use serde::{Deserialize, Serialize};

/// What stops an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It does not sync.
    Offline,
    /// A sysadmin's hold.
    Held,
    /// Its upgrade is due later.
    Scheduled,
    /// Its upgrade waits to be picked up.
    Pending,
    /// Its upgrade is under way.
    Running,
    /// The release is not offered to it.
    NoRelease,
    /// It is there.
    UpToDate,
    /// Another major version comes first.
    Unreachable,
    /// Its upgrade was not picked up in time.
    Lapsed,
    /// Its last upgrade to this release was refused, failed or went back.
    LastAttempt,
    /// An upgrade can be requested.
    Nothing,
}

/// `GET /executors/{id}/explain`: the first rule that stops its upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Which.
    pub rule: Rule,
    /// One sentence.
    pub message: String,
    /// The release it is about: the one asked for, else the newest that is offered.
    pub target_version: Option<Version>,
    /// The upgrade that has not ended, if any.
    pub upgrade_id: Option<String>,
}
