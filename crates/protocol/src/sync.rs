//! `POST /api/v1/syncExecutor`: the executor's heartbeat and its only inbound channel.

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::signature::MAX_TRUSTED_KEYS;
use crate::spec::{Kind, PendingUpgrade};
use crate::stage::{LogLevel, Stage, Status};

/// The path of the call, below the control plane's URL.
pub const SYNC_PATH: &str = "/api/v1/syncExecutor";

/// What an executor says about itself at every sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SyncRequest {
    /// Unique inside the account.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
    /// Fixed by the first sync.
    pub kind: Kind,
    /// What runs.
    pub current_version: Version,
    /// What it follows.
    #[serde(default)]
    pub channel: Channel,
    /// Rust target triple.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub target: String,
    /// Whatever its sysadmin wrote into the config.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "labels"))]
    pub labels: BTreeMap<String, String>,
    /// Changes with every boot of the host.
    #[serde(default)]
    pub boot_id: String,
    /// When this process started, by the host's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Starts of the service since boot, this one not counted.
    #[serde(default)]
    pub restarts: u32,
    /// Set while a sysadmin holds this host.
    #[serde(default)]
    pub held: Option<Held>,
    /// The upgrade in hand, or the last one until it is no longer offered.
    #[serde(default)]
    pub upgrade: Option<UpgradeReport>,
    /// Results of the checks that the last answer asked for.
    #[serde(default)]
    pub preflight: Vec<PreflightResult>,
    /// The ids of the release keys that are built into it, as minisign prints them; older executors do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(length(max = MAX_TRUSTED_KEYS), inner(regex(pattern = r"^[0-9A-F]{16}$")))
    )]
    pub trusted_keys: Option<Vec<String>>,
}

#[cfg(feature = "schema")]
fn labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let hidden = crate::PRINTABLE.trim_end_matches("+$");
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 64,
        "propertyNames": {"minLength": 1, "maxLength": 63, "pattern": crate::PRINTABLE},
        "additionalProperties": {"type": "string", "maxLength": 256, "pattern": format!("{hidden}*$")},
        "default": {},
    })
}

/// How daring a host is. A wider channel contains the narrower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// For everyone.
    #[default]
    Stable,
    /// For the curious.
    Beta,
    /// For the makers.
    Dev,
}

impl Channel {
    /// Every channel, narrowest first.
    pub const ALL: [Self; 3] = [Self::Stable, Self::Beta, Self::Dev];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Beta => "beta",
            Self::Dev => "dev",
        }
    }

    /// The channel a word names.
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word)
    }

    /// A host on this channel is offered releases of `other`: dev ⊇ beta ⊇ stable.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        self >= other
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A sysadmin's hold on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Held {
    /// Why.
    pub reason: String,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// How long, and why: `until 2027-01-31T08:00:00Z: frozen for the audit`.
impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.until {
            Some(until) => write!(f, "until {until}: {}", self.reason),
            None => write!(f, "until `unhold`: {}", self.reason),
        }
    }
}

/// The report on one attempt of one upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpgradeReport {
    /// As in the spec.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub upgrade_id: String,
    /// As in the spec.
    pub attempt: u32,
    /// Where it stands.
    pub stage: Stage,
    /// How that stage is doing.
    pub status: Status,
    /// Of the artifact.
    #[serde(default)]
    pub bytes_done: u64,
    /// Of the artifact.
    #[serde(default)]
    pub bytes_total: u64,
    /// Why it failed or was rolled back.
    #[serde(default)]
    pub error: Option<ReportError>,
    /// Lines not yet acknowledged by a 200.
    #[serde(default)]
    pub log: Vec<LogLine>,
}

/// Why an upgrade did not complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportError {
    /// A code of [`crate::RefusalCode`], or one that a newer executor knows.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub code: String,
    /// Whose check it was.
    pub stage: Stage,
    /// One sentence: what was expected, what was found.
    pub message: String,
    /// By the host's clock.
    pub timestamp: Timestamp,
}

/// One line of an upgrade's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogLine {
    /// By the host's clock.
    pub at: Timestamp,
    /// How weighty.
    pub level: LogLevel,
    /// One sentence.
    pub message: String,
}

/// The result of one preflight check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PreflightResult {
    /// Its name.
    pub check: String,
    /// It would not stop an upgrade.
    pub ok: bool,
    /// What was found.
    pub note: String,
}

/// How the executor's major version relates to the control plane's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// Same major, or newer.
    InWindow,
    /// One major behind.
    Deprecated,
    /// More than one major behind. Sync and upgrades keep working on purpose.
    OutOfSupport,
}

/// The answer to a sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SyncResponse {
    /// What answers.
    pub control_plane_version: String,
    /// The control plane's clock: expiry is judged by it.
    pub now: Timestamp,
    /// For a banner; stops nothing.
    #[serde(default = "in_window")]
    pub support: Support,
    /// Clamp it with [`clamp_interval_ms`].
    #[serde(default = "default_interval_ms")]
    pub sync_interval_ms: u64,
    /// What the executor shall do.
    #[serde(default)]
    pub pending_upgrade: Option<Offer>,
    /// Names of checks to run now.
    #[serde(default)]
    pub preflight: Vec<String>,
}

/// A spec as received: one that cannot be read must not spoil the answer around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Offer {
    /// A spec.
    Understood(Box<PendingUpgrade>),
    /// Something else, perhaps from a newer control plane.
    NotUnderstood(serde_json::Value),
}

// Not derived: what serde reads a second time it reads more kindly, a number for the kind and all.
impl<'de> Deserialize<'de> for Offer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        match serde_json::from_str(text.get()) {
            Ok(spec) => Ok(Self::Understood(Box::new(spec))),
            Err(_) => {
                serde_json::from_str(text.get()).map(Self::NotUnderstood).map_err(serde::de::Error::custom)
            }
        }
    }
}

fn in_window() -> Support {
    Support::InWindow
}

/// Between two syncs, unless the control plane says otherwise.
pub const DEFAULT_SYNC_INTERVAL_MS: u64 = 5_000;

fn default_interval_ms() -> u64 {
    DEFAULT_SYNC_INTERVAL_MS
}

/// Keeps an interval asked for by a control plane inside [1 s, 15 min].
#[must_use]
pub fn clamp_interval_ms(asked_ms: u64) -> u64 {
    asked_ms.clamp(1_000, 15 * 60 * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev_contains_beta_contains_stable() {
        let offered =
            |host: Channel| Channel::ALL.into_iter().filter(|c| host.includes(*c)).collect::<Vec<_>>();
        assert_eq!(offered(Channel::Stable), [Channel::Stable]);
        assert_eq!(offered(Channel::Beta), [Channel::Stable, Channel::Beta]);
        assert_eq!(offered(Channel::Dev), Channel::ALL);
    }

    #[test]
    fn a_hold_says_how_long_and_why() {
        let until = |until| Held { reason: "audit".to_owned(), until }.to_string();
        assert_eq!(until(None), "until `unhold`: audit");
        assert_eq!(until(Some(Timestamp::UNIX_EPOCH)), "until 1970-01-01T00:00:00Z: audit");
    }

    #[test]
    fn a_control_plane_cannot_hurry_or_silence_an_executor() {
        assert_eq!(clamp_interval_ms(0), 1_000);
        assert_eq!(clamp_interval_ms(5_000), 5_000);
        assert_eq!(clamp_interval_ms(u64::MAX), 900_000);
    }

    #[test]
    fn a_spec_that_cannot_be_read_leaves_the_answer_readable() {
        let answer: SyncResponse = serde_json::from_str(
            r#"{"controlPlaneVersion":"9.0.0","now":"2026-11-21T08:00:00Z","pendingUpgrade":{"kind":"spaceship"}}"#,
        )
        .unwrap();
        assert!(matches!(answer.pending_upgrade, Some(Offer::NotUnderstood(_))));
        assert_eq!(answer.sync_interval_ms, DEFAULT_SYNC_INTERVAL_MS);
    }

    #[test]
    fn a_spec_is_understood_by_its_words_and_no_other_way() {
        let good = include_str!("../tests/golden/spec-operator.json");
        for (bad, same_as_good) in [
            (good.to_owned(), true),
            (good.replace("\"operator\"", "1"), false),
            (good.replace("\"attempt\": 1", "\"attempt\": 1, \"attempt\": 1"), false),
        ] {
            let understood = matches!(serde_json::from_str(&bad).unwrap(), Offer::Understood(_));
            assert_eq!(understood, same_as_good, "{bad}");
            assert_eq!(serde_json::from_str::<PendingUpgrade>(&bad).is_ok(), same_as_good, "{bad}");
        }
    }
}
