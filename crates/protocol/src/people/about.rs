//! What answers.

use semver::Version;
use serde::{Deserialize, Serialize};

/// `GET /about`: the control plane itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// What runs.
    pub version: Version,
    /// Where executors reach it: as it was told, else as this request came in.
    pub url: String,
}
