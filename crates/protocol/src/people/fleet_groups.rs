//! Labels that people give executors, and groups of executors by their labels.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MemberOutcome, Selector};

/// `PATCH /executors/{id}`: labels given by people stand over those of the host's own config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecutorPatch {
    /// What each label shall be; `null` takes back what people said of it, so that the host's own word counts again. A
    /// label that is absent stays.
    #[serde(default)]
    pub labels: BTreeMap<String, Option<String>>,
    /// For the activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: Option<String>,
}

/// Where an executor stands in a plan that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InPlan {
    /// The plan.
    pub plan_id: String,
    /// Its name.
    pub plan_name: String,
    /// The wave it is in, fixed when that began; `null` while it is in none.
    pub wave: Option<String>,
    /// The wave that its labels of today would put it into.
    pub wave_by_labels: Option<String>,
    /// What became of it.
    pub outcome: Option<MemberOutcome>,
    /// Why, in one sentence.
    pub reason: String,
}

/// A group of executors: all that its selector takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExecutorGroup {
    /// UUIDv7.
    pub id: String,
    /// Unique inside the account.
    pub name: String,
    /// Whom it takes.
    pub selector: Selector,
    /// How many that are now.
    pub executors: u32,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// `POST /fleet/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecutorGroupRequest {
    /// Unique inside the account.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
    /// Whom it takes; not everybody.
    pub selector: Selector,
}

/// `PATCH /fleet/groups/{id}`: what is absent stays. A wave that has begun keeps its executors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecutorGroupPatch {
    /// Unique inside the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: Option<String>,
    /// Whom it takes; not everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
}
