//! The catalogue: releases, their artifacts, and how they are changed.

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::Step;
use crate::reach::Candidate;
use crate::spec::Kind;
use crate::sync::Channel;

/// Whether a release is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReleaseStatus {
    /// Artifacts may still be added; offered to nobody.
    Draft,
    /// Offered.
    Published,
    /// Taken back; offered to nobody.
    Yanked,
}

impl ReleaseStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Yanked => "yanked",
        }
    }

    /// The status a word names.
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        [Self::Draft, Self::Published, Self::Yanked].into_iter().find(|status| status.as_str() == word)
    }
}

/// One version of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// UUIDv7.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// Unique per kind.
    pub version: Version,
    /// Where it is offered.
    pub channel: Channel,
    /// Whether it is offered.
    pub status: ReleaseStatus,
    /// For people.
    pub notes: String,
    /// Upgrades of different types keep their order; its kind unless somebody says otherwise.
    #[serde(default)]
    pub r#type: String,
    /// What people do before an upgrade to it; only where one release is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prerequisites: Option<Vec<Step>>,
    /// What people do after it; only where one release is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postrequisites: Option<Vec<Step>>,
    /// One per target.
    pub artifacts: Vec<Artifact>,
    /// First upload.
    pub created_at: Timestamp,
    /// When it was first offered.
    pub published_at: Option<Timestamp>,
}

/// The bytes for one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Artifact {
    /// Rust target triple.
    pub target: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// The whole text of the `.minisig` file.
    pub signature: String,
}

impl Candidate for Release {
    fn kind(&self) -> Kind {
        self.kind
    }
    fn version(&self) -> &Version {
        &self.version
    }
    fn channel(&self) -> Channel {
        self.channel
    }
    fn is_published(&self) -> bool {
        self.status == ReleaseStatus::Published
    }
    fn has_target(&self, target: &str) -> bool {
        self.artifacts.iter().any(|artifact| artifact.target == target)
    }
}

/// `PATCH /releases/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", schemars(extend(
    "if" = {"properties": {"status": {"const": "yanked"}}, "required": ["status"]},
    "then" = {"properties": {"reason": {"type": "string", "pattern": r"\S"}}, "required": ["reason"]},
)))]
pub struct ReleasePatch {
    /// `draft` → `published` → `yanked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ReleaseStatus>,
    /// Where it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 65536)))]
    pub notes: Option<String>,
    /// Why, for the activity; a release is not yanked without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 1024)))]
    pub reason: Option<String>,
    /// While it is a draft: upgrades of different types keep their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[a-z0-9-]{1,64}$")))]
    pub r#type: Option<String>,
    /// While it is a draft: what people do before an upgrade to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(length(max = 50), inner(length(min = 1, max = 4096), regex(pattern = r"\S")))
    )]
    pub prerequisites: Option<Vec<String>>,
    /// While it is a draft: what people do after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(length(max = 50), inner(length(min = 1, max = 4096), regex(pattern = r"\S")))
    )]
    pub postrequisites: Option<Vec<String>>,
}
