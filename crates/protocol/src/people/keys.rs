//! Executor keys and enrolment tokens: how one is made, and replaced while its executor goes on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `POST /executor-keys`: a key for one executor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecutorKeyRequest {
    /// The executor it is for; absent: the first name that syncs with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: Option<String>,
    /// When it ends; absent: never, because an executor whose key has ended is out of reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// `POST /enrolment-tokens`: a token that many executors may exchange for keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrolmentTokenRequest {
    /// How often it may be used.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub max_uses: u32,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A secret, shown once; only its hash is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IssuedSecret {
    /// UUIDv7 of the key or token.
    pub id: String,
    /// `nva_…`, `nve_…` or `nvu_…`
    pub secret: String,
}

/// A key as people see it: everything but the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExecutorKey {
    /// UUIDv7.
    pub id: String,
    /// The executor it belongs to; nobody until the first name syncs with it.
    pub name: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When its secret ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Until when the secret before the last rotation goes on working.
    pub previous_until: Option<Timestamp>,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

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

/// `GET /enrolment-tokens`: a token as people see it, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EnrolmentToken {
    /// UUIDv7.
    pub id: String,
    /// How often it may be used.
    pub max_uses: u32,
    /// How often it was.
    pub uses: u32,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When a person ended it.
    pub revoked_at: Option<Timestamp>,
}
