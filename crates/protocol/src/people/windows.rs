//! Maintenance windows: when executors may begin an upgrade.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which executors: those whose labels have all that is named here, in the manner of Kubernetes. An empty one takes
/// every executor of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    /// These labels with these values.
    #[serde(default)]
    pub match_labels: BTreeMap<String, String>,
    /// And all of these.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 32)))]
    pub match_expressions: Vec<Requirement>,
}

/// What is asked of one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Requirement {
    /// The label.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 63), regex(pattern = crate::PRINTABLE)))]
    pub key: String,
    /// How its value is held against `values`.
    pub operator: Operator,
    /// At least one for `In` and `NotIn`, none for the others.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 32)))]
    pub values: Vec<String>,
}

/// How the value of a label is held against others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Operator {
    /// It is one of them.
    In,
    /// It is none of them, or there is no such label.
    NotIn,
    /// There is such a label.
    Exists,
    /// There is none.
    DoesNotExist,
}

/// `POST /windows` and `POST /windows/preview`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowRequest {
    /// Unique inside the account.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
    /// For whom; every executor of the account when absent.
    #[serde(default)]
    pub selector: Selector,
    /// When it opens: minute, hour, day of the month, month, day of the week.
    #[cfg_attr(feature = "schema", schemars(length(min = 9, max = 256)))]
    pub cron: String,
    /// How long it stays open, in elapsed time.
    #[cfg_attr(feature = "schema", schemars(range(min = 60_000, max = 604_800_000)))]
    pub duration_ms: u64,
    /// The zone in which `cron` is meant, by its IANA name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub zone: String,
}

/// `PATCH /windows/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowPatch {
    /// Unique inside the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: Option<String>,
    /// For whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// When it opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 9, max = 256)))]
    pub cron: Option<String>,
    /// How long it stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 60_000, max = 604_800_000)))]
    pub duration_ms: Option<u64>,
    /// The zone in which `cron` is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub zone: Option<String>,
}

/// One maintenance window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// UUIDv7; nothing in a preview.
    pub id: Option<String>,
    /// Unique inside the account.
    pub name: String,
    /// For whom.
    pub selector: Selector,
    /// When it opens.
    pub cron: String,
    /// How long it stays open.
    pub duration_ms: u64,
    /// The zone in which `cron` is meant.
    pub zone: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// It is open now.
    pub is_open: bool,
    /// When it closes, if it is open and an end is in sight.
    pub closes_at: Option<Timestamp>,
    /// The next three times it opens.
    pub next: Vec<Opening>,
}

/// One time that a window opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// From then on.
    pub opens_at: Timestamp,
    /// No longer.
    pub closes_at: Timestamp,
    /// As the clocks there show it.
    pub opens_at_local: String,
    /// As the clocks there show it.
    pub closes_at_local: String,
    /// Where: the zone of the window.
    pub zone: String,
    /// Which window.
    pub window: String,
}

/// `GET /executors/{id}/windows`: what applies to one executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExecutorWindows {
    /// An upgrade may begin now.
    pub is_open: bool,
    /// Why not, in one sentence.
    pub reason: Option<String>,
    /// When the windows close, if they are open and an end is in sight.
    pub closes_at: Option<Timestamp>,
    /// The next three times one of them opens.
    pub next: Vec<Opening>,
    /// Those that select it; without any it is always open.
    pub windows: Vec<Window>,
    /// The freezes that select it and have not ended.
    pub freezes: Vec<super::Freeze>,
}
