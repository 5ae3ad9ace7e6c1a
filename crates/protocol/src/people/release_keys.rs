//! Release keys: who trusts which, and what each signed.

use semver::Version;
use serde::{Deserialize, Serialize};

use super::ReleaseStatus;
use crate::spec::Kind;

/// `GET /release-keys`: what tells when a key may be used. An executor refuses what a key signed that it does not trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReleaseKeys {
    /// Those that this control plane trusts, by name; then those that only releases or executors know, at most 100.
    pub keys: Vec<ReleaseKey>,
    /// The executors of the account.
    pub executors: u64,
    /// Those of them that do not say which keys they trust, because they are too old.
    pub silent: u64,
}

/// One release key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReleaseKey {
    /// 16 upper-case hex digits, as minisign prints it.
    pub id: String,
    /// As its file was called where this control plane was built; `null` where it does not trust it.
    pub name: Option<String>,
    /// Executors that say they trust it.
    pub trusted_by: u64,
    /// Executors that say which keys they trust, and not this one.
    pub lacked_by: u64,
    /// How many releases have an artifact that it signed.
    pub signed_count: u64,
    /// The newest of them, at most 20.
    pub signed: Vec<SignedRelease>,
}

/// A release with an artifact that a key signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignedRelease {
    /// UUIDv7.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// Its version.
    pub version: Version,
    /// Whether it is offered.
    pub status: ReleaseStatus,
}
