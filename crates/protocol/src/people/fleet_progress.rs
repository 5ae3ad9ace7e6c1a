//! What is told of a fleet plan while it is followed.

use serde::{Deserialize, Serialize};

use super::{PlanState, WaveCounts, WaveState};

/// Where a plan stands, as the events `progress` and `end` of its stream tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlanProgress {
    /// Where it stands.
    pub state: PlanState,
    /// Why, in one sentence.
    pub reason: String,
    /// The first wave that has not passed, or the last.
    pub wave: Option<String>,
    /// Where that stands.
    pub wave_state: Option<WaveState>,
    /// Why, in one sentence.
    pub wave_reason: String,
    /// How its executors are doing; none are counted before it begins.
    pub counts: WaveCounts,
}
