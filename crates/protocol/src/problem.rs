//! The one shape of every error answer.

use serde::{Deserialize, Serialize};

/// The body of an answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: Problem,
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// `snake_case`, for machines.
    pub code: String,
    /// One sentence that a person can act on.
    pub message: String,
    /// More for machines, if anything.
    #[serde(default)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl ErrorBody {
    /// An error without details.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            error: Problem { code: code.into(), message: message.into(), details: serde_json::Map::new() },
        }
    }
}
