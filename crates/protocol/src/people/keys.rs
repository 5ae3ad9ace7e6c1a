//! Executor keys: how one is replaced while its executor goes on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `POST /executor-keys/{id}/rotate`: a new secret for the same key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecutorKeyRotation {
    /// How long the old secret goes on working; a day when absent, 0 ends it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 2_592_000_000_u64)))]
    pub overlap_ms: Option<u64>,
    /// When the new secret ends; as the old one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The new secret of a key, shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RotatedKey {
    /// UUIDv7 of the key, the same as before.
    pub id: String,
    /// `nva_…`
    pub secret: String,
    /// Until when the old secret works; `null` when it ended at once.
    pub previous_until: Option<Timestamp>,
}
