//! What the control plane asks of an executor: a spec, discriminated by the kind of the executor.

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

/// What an executor is: set by its first sync, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A service on a systemd host.
    Agent,
    /// A deployment in Kubernetes.
    Operator,
}

impl Kind {
    /// The word on the wire and in the trusted comment.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Operator => "operator",
        }
    }

    /// The kind a word names.
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        [Self::Agent, Self::Operator].into_iter().find(|kind| kind.as_str() == word)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The one way the control plane steers an upgrade in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    /// Run to the end.
    #[default]
    Apply,
    /// Dry run: ends COMPLETED at VERIFY, nothing is swapped.
    Validate,
    /// Stop at the next checkpoint.
    Pause,
    /// Drop it while nothing has been swapped.
    Abandon,
    /// Bring the previous binary back.
    Rollback,
    /// End CONFIRM_COMPLETION: commit.
    Complete,
}

/// Which way the version moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To a higher version.
    Upgrade,
    /// To a lower version, because a person asked for it.
    Downgrade,
}

/// Who ends CONFIRM_COMPLETION.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Confirm {
    /// The executor itself.
    #[default]
    Auto,
    /// A person.
    Manual,
}

/// The default of [`SpecHeader::health_window_ms`].
pub const DEFAULT_HEALTH_WINDOW_MS: u64 = 60_000;

fn default_health_window_ms() -> u64 {
    DEFAULT_HEALTH_WINDOW_MS
}

/// What every spec says, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SpecHeader {
    /// The upgrade this spec belongs to; opaque to the executor.
    pub upgrade_id: String,
    /// Counts from 1; a retry that a person ordered is a new attempt.
    pub attempt: u32,
    /// What the executor shall do now.
    #[serde(default)]
    pub intent: Intent,
    /// What must run on the host for this spec to be taken.
    pub from_version: Version,
    /// What shall run afterwards.
    pub target_version: Version,
    /// Must fit the two versions.
    pub direction: Direction,
    /// Who completes.
    #[serde(default)]
    pub confirm: Confirm,
    /// How long the new version must stay up before it is committed.
    #[serde(default = "default_health_window_ms")]
    pub health_window_ms: u64,
    /// By the control plane's clock.
    pub expires_at: Timestamp,
}

/// An artifact for an agent to carry out on itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AgentUpgradeSpec {
    /// The fields common to all kinds.
    #[serde(flatten)]
    pub header: SpecHeader,
    /// Where the artifact is.
    pub download_url: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// The whole text of the `.minisig` file.
    pub signature: String,
}

/// An image for an operator to deploy itself from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OperatorUpgradeSpec {
    /// The fields common to all kinds.
    #[serde(flatten)]
    pub header: SpecHeader,
    /// Reference with digest.
    pub image: String,
    /// The whole text of the `.minisig` file over the digest.
    pub signature: String,
}

/// The spec an executor is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum PendingUpgrade {
    /// For an agent.
    Agent(AgentUpgradeSpec),
    /// For an operator.
    Operator(OperatorUpgradeSpec),
}

impl PendingUpgrade {
    /// The fields common to all kinds.
    #[must_use]
    pub fn header(&self) -> &SpecHeader {
        match self {
            Self::Agent(spec) => &spec.header,
            Self::Operator(spec) => &spec.header,
        }
    }
}
