//! Freezes: times in which no upgrade begins, whatever the windows say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Selector;

/// `POST /freezes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeRequest {
    /// Why, for whoever waits.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: String,
    /// From when on; at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub ends_at: Timestamp,
    /// For whom; every executor of the account when absent.
    #[serde(default)]
    pub selector: Selector,
    /// The zone in which its times are shown, by its IANA name; UTC when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub zone: Option<String>,
}

/// One freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Freeze {
    /// UUIDv7.
    pub id: String,
    /// Why.
    pub reason: String,
    /// From when on.
    pub starts_at: Timestamp,
    /// Until when; earlier than planned where a person ended it.
    pub ends_at: Timestamp,
    /// As the clocks in `zone` show it.
    pub starts_at_local: String,
    /// As the clocks in `zone` show it.
    pub ends_at_local: String,
    /// Where its times are shown.
    pub zone: String,
    /// For whom.
    pub selector: Selector,
    /// It is in force now.
    pub is_in_force: bool,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Who ended it before its time.
    pub ended_by: Option<String>,
    /// Why.
    pub end_reason: Option<String>,
}
