use serde::{Deserialize, Serialize};

/// A position of an upgrade: the same words on the wire, on disk, in the API and on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// Accepted by the control plane, not yet picked up by the executor.
    ConfirmStart,
    /// The executor decides whether it may take the spec, and looks at its host.
    Preflight,
    /// The artifact is on its way into a temporary file.
    Download,
    /// Hash, signature, trusted comment and a trial run of `--version`.
    Verify,
    /// The trial is recorded, the old binary kept as `.prev`, the new one renamed into place.
    Swap,
    /// The service is being restarted on the new binary.
    Restart,
    /// The new binary is proving itself.
    CheckHealth,
    /// Healthy; waits for a person where the spec says `confirm: manual`.
    ConfirmCompletion,
    /// End: the new version is committed.
    Completed,
    /// End: the old version runs again.
    #[serde(rename = "ROLLEDBACK")]
    RolledBack,
    /// End: dropped before anything was swapped.
    Abandoned,
    /// End: refused or impossible; nothing was swapped.
    Failed,
}

impl Stage {
    /// Every stage, in the order of the path, then the other ends.
    pub const ALL: [Self; 12] = [
        Self::ConfirmStart,
        Self::Preflight,
        Self::Download,
        Self::Verify,
        Self::Swap,
        Self::Restart,
        Self::CheckHealth,
        Self::ConfirmCompletion,
        Self::Completed,
        Self::RolledBack,
        Self::Abandoned,
        Self::Failed,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmStart => "CONFIRM_START",
            Self::Preflight => "PREFLIGHT",
            Self::Download => "DOWNLOAD",
            Self::Verify => "VERIFY",
            Self::Swap => "SWAP",
            Self::Restart => "RESTART",
            Self::CheckHealth => "CHECK_HEALTH",
            Self::ConfirmCompletion => "CONFIRM_COMPLETION",
            Self::Completed => "COMPLETED",
            Self::RolledBack => "ROLLEDBACK",
            Self::Abandoned => "ABANDONED",
            Self::Failed => "FAILED",
        }
    }

    /// The stage a word on the wire names.
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }

    /// Nothing follows this stage.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::RolledBack | Self::Abandoned | Self::Failed)
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a stage is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Not begun.
    Unstarted,
    /// In progress.
    Underway,
    /// Stopped at a checkpoint because a person asked.
    Paused,
    /// Done.
    Completed,
    /// Undone.
    #[serde(rename = "ROLLEDBACK")]
    RolledBack,
    /// Ended with an error.
    Failed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Unstarted, Self::Underway, Self::Paused, Self::Completed, Self::RolledBack, Self::Failed];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unstarted => "UNSTARTED",
            Self::Underway => "UNDERWAY",
            Self::Paused => "PAUSED",
            Self::Completed => "COMPLETED",
            Self::RolledBack => "ROLLEDBACK",
            Self::Failed => "FAILED",
        }
    }

    /// The status a word on the wire names.
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How weighty a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// A step taken.
    Info,
    /// Unexpected, but the upgrade goes on.
    Warning,
    /// The upgrade cannot go on.
    Error,
    /// A step that proves something.
    Success,
}

/// An upgrade in one word for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// Waits for its time or its executor.
    Pending,
    /// The executor has it in hand.
    Running,
    /// The target version is committed.
    Completed,
    /// Ended in any other way.
    Error,
}

impl Progress {
    /// The one word for an upgrade that stands at `stage`.
    #[must_use]
    pub fn of(stage: Stage) -> Self {
        match stage {
            Stage::ConfirmStart => Self::Pending,
            Stage::Completed => Self::Completed,
            Stage::RolledBack | Stage::Abandoned | Stage::Failed => Self::Error,
            _ => Self::Running,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_on_the_wire_and_in_code_are_the_same() {
        for stage in Stage::ALL {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.as_str());
            assert_eq!(Stage::from_wire(stage.as_str()), Some(stage));
        }
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(Status::from_wire(status.as_str()), Some(status));
        }
        assert_eq!(Stage::from_wire("completed"), None);
    }

    #[test]
    fn people_see_an_error_at_every_end_but_completed() {
        for stage in Stage::ALL.into_iter().filter(|s| s.is_end() && *s != Stage::Completed) {
            assert_eq!(Progress::of(stage), Progress::Error, "{stage}");
        }
        assert_eq!(Progress::of(Stage::Completed), Progress::Completed);
        assert_eq!(Progress::of(Stage::ConfirmStart), Progress::Pending);
        assert_eq!(Progress::of(Stage::Download), Progress::Running);
    }
}
