//! Checks of a host that people ask for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sync::PreflightResult;

/// `POST /executors/{id}/preflight`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PreflightRequest {
    /// Their names; every check that the control plane knows of when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1, max = 16), inner(regex(pattern = "^[A-Za-z0-9_-]{1,64}$")))
    )]
    pub checks: Option<Vec<String>>,
}

/// `GET /executors/{id}/preflight`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Preflight {
    /// Asked for and not answered yet.
    pub waiting: Vec<String>,
    /// The last answer to each, by name.
    pub results: Vec<Checked>,
}

/// The result of a check, and when the control plane heard it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checked {
    /// The result.
    #[serde(flatten)]
    pub result: PreflightResult,
    /// When.
    pub at: Timestamp,
}
