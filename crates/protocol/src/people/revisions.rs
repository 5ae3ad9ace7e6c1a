//! What ran on an executor, one after the other; and how to go back.

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::stage::Stage;

/// `GET /executors/{id}/revisions`: one entry of the history of an executor. It is written once and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Counts from 1.
    pub revision: u64,
    /// What it was about: what runs since, where it completed.
    pub version: Version,
    /// `COMPLETED`, `ROLLEDBACK` or `FAILED`.
    pub status: Stage,
    /// Why, for people.
    pub description: String,
    /// Who asked for it: a person, or the executor itself.
    pub by: String,
    /// The upgrade it came with; `null` for what happened on the host.
    pub upgrade_id: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// `POST /executors/{id}/rollback`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackRequest {
    /// A revision that completed; its version is asked for, as a new upgrade and a new revision.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 9_223_372_036_854_775_807_u64)))]
    pub target_revision: u64,
    /// For people.
    #[cfg_attr(feature = "schema", schemars(length(max = 4096)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `POST /executors/{id}/rollback/last-successful`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LastSuccessful {
    /// For people.
    #[cfg_attr(feature = "schema", schemars(length(max = 4096)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
