//! Numbers of executors and lengths of time, as people write them into a plan.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};

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
