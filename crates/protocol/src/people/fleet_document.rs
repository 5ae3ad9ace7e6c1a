//! `FleetUpgradePlan`, as people write it: which executors go to a version, in which waves, and what each wave has to
//! prove before the next begins.

#[cfg(feature = "documents")]
mod reading;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};

#[cfg(feature = "documents")]
pub use reading::{DocumentRefused, MAX_DOCUMENT_BYTES};

use super::Selector;
use crate::spec::Kind;

/// The whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetUpgradePlan {
    /// Which shape of document it is.
    pub api_version: PlanApiVersion,
    /// What it is.
    pub kind: PlanKind,
    /// What it is called.
    pub metadata: PlanMetadata,
    /// What shall be done.
    pub spec: PlanSpec,
}

/// The shapes that are read; both mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PlanApiVersion {
    /// Ours.
    #[serde(rename = "novacula/v1")]
    NovaculaV1,
    /// openCenter's.
    #[serde(rename = "fleet.opencenter.cloud/v1alpha1")]
    OpenCenterV1Alpha1,
}

/// There is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PlanKind {
    /// Executors go to a version, wave by wave.
    FleetUpgradePlan,
}

/// What a plan is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanMetadata {
    /// Unique among the plans of the account that have not ended.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
    /// Kept for people; they select nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Kept for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What shall be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanSpec {
    /// A version such as `1.34.2`; or its beginning, `1.34` or `1`, for the highest release of it that is published when
    /// the plan is applied.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub target_version: String,
    /// Of which kind the executors are.
    #[serde(default = "agent")]
    pub executor_kind: Kind,
    /// Where plans overlap, the higher one has the executor; of equal ones the older.
    #[serde(default)]
    pub priority: i32,
    /// The names of plans of the same priority that have an executor before this one does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub yields_to: Vec<String>,
    /// How long the new version must stay up on a host before its upgrade is completed; 1m when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_window: Option<PlanDuration>,
    /// Whoever applies the plan says that the prerequisites of the release are done for all its executors.
    #[serde(default)]
    pub prerequisites_acknowledged: bool,
    /// One after the other.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub waves: Vec<WaveSpec>,
}

fn agent() -> Kind {
    Kind::Agent
}

/// Executors that go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = one_selection))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaveSpec {
    /// Unique inside the plan.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
    /// Whom it takes, by their labels; `executorSelector` means the same. This or `group` must be there.
    #[serde(default, alias = "executorSelector", skip_serializing_if = "Option::is_none")]
    pub cluster_selector: Option<Selector>,
    /// Whom it takes, by the name of a group of executors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it has to prove.
    #[serde(default)]
    pub validation: WaveValidation,
    /// How many at once; a quarter of the wave when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<CountOrPercent>,
    /// How many go first, soak and pass the gates before the rest of the wave begins; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CountOrPercent>,
    /// How many may fail or go back before the wave halts; a percentage is one of those that had their turn. None when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failed: Option<CountOrPercent>,
    /// How many may be slow, which is to stand still in an upgrade until it is given up; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_slow: Option<CountOrPercent>,
    /// How many may be out of reach before the wave pauses; a fifth when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unreachable: Option<CountOrPercent>,
    /// Percentages count once so many had their turn; 10, or the whole wave where that is less, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub min_sample: Option<u32>,
    /// What is asked before the next wave begins, beside what always is: that executors are online and on target, that
    /// none has an open or failed upgrade, and that none restarts all the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub gates: Vec<GateSpec>,
    /// What becomes of executors that the selector takes after the wave has begun.
    #[serde(default)]
    pub late_arrivers: LateArrivers,
    /// Upgrades of the wave begin only while it is open, beside the windows of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WaveWindow>,
    /// When the wave halts by itself, its executors go back to where they were.
    #[serde(default)]
    pub rollback_on_failure: bool,
}

/// A wave says whom it takes in one way, and the selector has two names.
#[cfg(feature = "schema")]
fn one_selection(schema: &mut schemars::Schema) {
    let alone = |name: &str, shape: &str| serde_json::json!({"required": [name], "properties": {name: {"type": shape}}});
    let ways = [("clusterSelector", "object"), ("executorSelector", "object"), ("group", "string")];
    schema.insert("oneOf".to_owned(), ways.map(|(name, shape)| alone(name, shape)).to_vec().into());
    let properties = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut);
    if let Some(properties) = properties
        && let Some(selector) = properties.get("clusterSelector").cloned()
    {
        properties.insert("executorSelector".to_owned(), selector);
    }
}

/// What a wave has to prove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaveValidation {
    /// How long the wave soaks, counted from when it is healthy.
    #[serde(default)]
    pub health_check_duration: PlanDuration,
    /// The next wave begins by itself; else a person approves first.
    #[serde(default)]
    pub automated: bool,
}

/// What becomes of executors that a wave would take and that came after it had begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LateArrivers {
    /// They join it while it runs; after that the next one.
    Join,
    /// They go with the next wave; after the last they stay.
    #[default]
    Next,
    /// They stay where they are.
    Never,
}

/// When upgrades of a wave may begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaveWindow {
    /// When it opens: minute, hour, day of the month, month, day of the week.
    #[cfg_attr(feature = "schema", schemars(length(min = 9, max = 256)))]
    pub cron: String,
    /// How long it stays open.
    pub duration: PlanDuration,
    /// The zone in which `cron` is meant, by its IANA name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub zone: String,
}

/// What is asked before the next wave begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum GateSpec {
    /// No executor of the wave has restarted more often since the wave began; a wave without this gate has it with 3.
    Restarts {
        /// Of one executor, beside the restart that an upgrade is.
        max_per_executor: u32,
    },
    /// No such alert fires in a Prometheus.
    Prometheus {
        /// Unique inside the wave; `prometheus` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
        name: Option<String>,
        /// Its address, below which `/api/v1/alerts` is.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 2048)))]
        url: String,
        /// Which alerts count, by their label `severity`; `critical` when absent.
        #[serde(default = "critical")]
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 16)))]
        severities: Vec<String>,
        /// And by these labels.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
        /// Else it is shown and holds nobody up.
        #[serde(default = "yes")]
        blocking: bool,
    },
    /// Something answers 2xx.
    Http {
        /// Unique inside the wave; `http` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
        name: Option<String>,
        /// What is asked, with GET.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 2048)))]
        url: String,
        /// Else it is shown and holds nobody up.
        #[serde(default = "yes")]
        blocking: bool,
    },
    /// A person says yes, as where `validation.automated` is false.
    Approval {
        /// Unique inside the wave; `approval` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
        name: Option<String>,
    },
}

fn critical() -> Vec<String> {
    vec!["critical".to_owned()]
}

fn yes() -> bool {
    true
}

impl GateSpec {
    /// What it is called inside its wave.
    #[must_use]
    pub fn name(&self) -> &str {
        let (name, usual) = match self {
            Self::Restarts { .. } => return "restarts",
            Self::Prometheus { name, .. } => (name, "prometheus"),
            Self::Http { name, .. } => (name, "http"),
            Self::Approval { name } => (name, "approval"),
        };
        name.as_deref().unwrap_or(usual)
    }
}

/// A number of executors: so many, or so many of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountOrPercent {
    /// So many.
    Count(u32),
    /// 0 to 100.
    Percent(u8),
}

impl CountOrPercent {
    /// So many of `total`, rounded up, so that what is asked for is never nothing.
    #[must_use]
    pub fn of(self, total: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let share = (u64::from(total) * u64::from(percent)).div_ceil(100);
                u32::try_from(share).unwrap_or(u32::MAX)
            }
        }
    }
}

impl fmt::Display for CountOrPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for CountOrPercent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `+5` and `007` are numbers to a program, and mistakes to people.
        let plain = |digits: &str| {
            let is_plain = digits == "0" || !digits.starts_with('0');
            (is_plain && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse().ok())?
        };
        let read = match text.strip_suffix('%') {
            Some(percent) => plain(percent)
                .and_then(|percent: u32| u8::try_from(percent).ok())
                .filter(|percent| *percent <= 100)
                .map(Self::Percent),
            None => plain(text).map(Self::Count),
        };
        read.ok_or_else(|| {
            format!("must be a number of executors or a percentage such as 10%, it is `{text}`")
        })
    }
}

impl Serialize for CountOrPercent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for CountOrPercent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer) {
            Ok(Written::Number(number)) => number.to_string(),
            Ok(Written::Text(text)) => text,
            Err(_) => {
                return Err(serde::de::Error::custom(
                    "must be a number of executors or a percentage such as 10%",
                ));
            }
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for CountOrPercent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CountOrPercent".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number of executors: so many, or so many of a hundred.",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": u32::MAX},
                {"type": "string", "pattern": "^(0|[1-9][0-9]{0,8}|(0|[1-9][0-9]?|100)%)$"},
            ],
        })
    }
}

/// A length of time as people write it: `1h`, `90s`, `1h30m`, `2d`; a day has 24 hours here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanDuration {
    /// In ms.
    pub ms: u64,
}

impl FromStr for PlanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("must be a duration such as 90s, 30m, 1h or 2d, it is `{text}`");
        let span: Span = text.parse().map_err(|_| expected())?;
        let length: SignedDuration =
            span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| expected())?;
        if length.is_negative() {
            return Err(format!("must not be negative, it is `{text}`"));
        }
        Ok(Self { ms: u64::try_from(length.as_millis()).map_err(|_| expected())? })
    }
}

impl fmt::Display for PlanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ms } = *self;
        if ms == 0 {
            return f.write_str("0s");
        }
        let parts =
            [(ms / 3_600_000, "h"), (ms / 60_000 % 60, "m"), (ms / 1_000 % 60, "s"), (ms % 1_000, "ms")];
        parts.iter().filter(|(count, _)| *count > 0).try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

impl Serialize for PlanDuration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PlanDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for PlanDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PlanDuration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A length of time such as 90s, 30m, 1h30m or 2d.",
            "type": "string", "pattern": "^([0-9]+(d|h|m|s|ms) ?)+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_people_write_them() {
        for (text, ms, again) in [
            ("0s", 0, "0s"),
            ("1h", 3_600_000, "1h"),
            ("24h", 86_400_000, "24h"),
            ("2d", 172_800_000, "48h"),
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1500ms", 1_500, "1s500ms"),
        ] {
            let read: PlanDuration = text.parse().unwrap();
            assert_eq!((read.ms, read.to_string()), (ms, again.to_owned()), "{text}");
            assert_eq!(again.parse(), Ok(read));
        }
        for (text, said) in [("-1h", "negative"), ("1", "it is `1`"), ("", "it is ``"), ("soon", "`soon`")] {
            assert!(text.parse::<PlanDuration>().unwrap_err().contains(said), "{text}");
        }
    }

    #[test]
    fn a_share_is_a_number_or_a_percentage_and_never_rounds_to_nothing() {
        for (text, of, expected) in
            [("5", 3, 5), ("10%", 1_000, 100), ("10%", 3, 1), ("0%", 3, 0), ("100%", 7, 7), ("0", 9, 0)]
        {
            assert_eq!(text.parse::<CountOrPercent>().unwrap().of(of), expected, "{text} of {of}");
        }
        for text in ["-1", "101%", "1.5", "%", "ten", "10 %", "+5", "007", "05%"] {
            assert!(text.parse::<CountOrPercent>().unwrap_err().contains(text), "{text}");
        }
        for json in ["3", "\"25%\""] {
            let read: CountOrPercent = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
        assert!(serde_json::from_str::<CountOrPercent>("-1").is_err());
    }
}
