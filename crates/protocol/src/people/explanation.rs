//! Why an executor is not upgraded.

use semver::Version;
use serde::{Deserialize, Serialize};

use super::WaitCode;

/// What stops an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Its account is suspended.
    AccountSuspended,
    /// It does not sync.
    Offline,
    /// A sysadmin's hold.
    Held,
    /// A person paused its upgrade before it began.
    UpgradePaused,
    /// Its upgrade wants the approval of a second person.
    ApprovalWanted,
    /// Its upgrade wants steps to be acknowledged.
    PrerequisitesOpen,
    /// Its upgrade waits for a person to start it.
    StartAwaited,
    /// Its upgrade is due later.
    Scheduled,
    /// An older upgrade of another type comes first.
    OlderUpgradePending,
    /// A freeze.
    Frozen,
    /// No maintenance window is open.
    OutsideWindow,
    /// Its upgrade waits to be picked up.
    Pending,
    /// Its upgrade is under way.
    Running,
    /// Its wave of a fleet plan has not begun, or the canaries of it go first.
    PlanWave,
    /// The wave before it has not passed its gates, or the plan was not approved.
    PlanGate,
    /// As many of its wave go at once as may.
    PlanCap,
    /// Something stands in its way though its wave goes: the window of the wave, an upgrade of somebody else.
    PlanObstacle,
    /// Nobody can tell whether its plan may go on.
    PlanPaused,
    /// Its plan is halted, or is being undone.
    PlanHalted,
    /// Another plan has it.
    PlanYielded,
    /// The release is not offered to it.
    NoRelease,
    /// It is there.
    UpToDate,
    /// Another major version comes first.
    Unreachable,
    /// Its upgrade was not picked up in time.
    Lapsed,
    /// Its last upgrade to this release was refused, failed or went back.
    LastAttempt,
    /// An upgrade can be requested.
    Nothing,
}

impl From<WaitCode> for Rule {
    fn from(code: WaitCode) -> Self {
        match code {
            WaitCode::UpgradePaused => Self::UpgradePaused,
            WaitCode::ApprovalWanted => Self::ApprovalWanted,
            WaitCode::PrerequisitesOpen => Self::PrerequisitesOpen,
            WaitCode::StartAwaited => Self::StartAwaited,
            WaitCode::NotDue => Self::Scheduled,
            WaitCode::OlderUpgradePending => Self::OlderUpgradePending,
            WaitCode::Frozen => Self::Frozen,
            WaitCode::OutsideWindow => Self::OutsideWindow,
        }
    }
}

/// `GET /executors/{id}/explain`: the first rule that stops its upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Which.
    pub rule: Rule,
    /// One sentence.
    pub message: String,
    /// The release it is about: the one asked for, else the newest that is offered.
    pub target_version: Option<Version>,
    /// The upgrade that has not ended, if any.
    pub upgrade_id: Option<String>,
}
