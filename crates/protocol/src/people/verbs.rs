//! What a person may ask of an upgrade, and whether it would be heard now.

use serde::{Deserialize, Serialize};

/// What a person may ask of an upgrade, as the last word of its path; `reschedule` is the `PATCH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UpgradeVerb {
    /// Begin now.
    Start,
    /// Try it out on the host, and swap nothing.
    Validate,
    /// Say yes to what somebody else requested.
    Approve,
    /// Another time.
    Reschedule,
    /// Stand still at the next checkpoint.
    Pause,
    /// Go on after a pause, past a stage that stalled, or again after a failure.
    Continue,
    /// End CONFIRM_COMPLETION.
    Complete,
    /// Bring the previous version back.
    Rollback,
    /// Begin a new attempt after a failure.
    Retry,
    /// Drop it.
    Abandon,
}

impl UpgradeVerb {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Start,
        Self::Validate,
        Self::Approve,
        Self::Reschedule,
        Self::Pause,
        Self::Continue,
        Self::Complete,
        Self::Rollback,
        Self::Retry,
        Self::Abandon,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Validate => "validate",
            Self::Approve => "approve",
            Self::Reschedule => "reschedule",
            Self::Pause => "pause",
            Self::Continue => "continue",
            Self::Complete => "complete",
            Self::Rollback => "rollback",
            Self::Retry => "retry",
            Self::Abandon => "abandon",
        }
    }
}

/// Whether something could be asked of an upgrade now, by the caller if they may steer at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpgradeAction {
    /// What.
    pub action: UpgradeVerb,
    /// It would be done; a start without force.
    pub allowed: bool,
    /// The code it would be refused with; `null` where it is allowed.
    pub code: Option<String>,
    /// Why not, and what to do instead; `null` where it is allowed.
    pub reason: Option<String>,
}
