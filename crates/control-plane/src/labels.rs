//! Labels of an executor, as a large fleet keeps them: one piece of memory for all, shared by whoever reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What ends a key and a value: no label can have it, because it cannot be printed.
const END: char = '\0';

/// Labels, in the order of their keys.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

impl Labels {
    /// The value of a label.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Every key with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.0.split_terminator(END);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These labels under those: where both have one, that of `above` counts.
    #[must_use]
    pub fn under(&self, above: &Self) -> Self {
        match (self.is_empty(), above.is_empty()) {
            (_, true) => self.clone(),
            (true, _) => above.clone(),
            _ => self.iter().chain(above.iter()).collect::<BTreeMap<_, _>>().into_iter().collect(),
        }
    }

    /// As it travels.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// They are the very same.
    #[must_use]
    pub fn are(&self, others: &BTreeMap<String, String>) -> bool {
        self.iter().eq(others.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }
}

/// The keys must come in their order, each once.
impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(labels: I) -> Self {
        let mut text = String::new();
        for (key, value) in labels {
            debug_assert!(!key.contains(END) && !value.contains(END), "{key:?}: {value:?}");
            for part in [key, value] {
                text.push_str(part);
                text.push(END);
            }
        }
        if text.is_empty() { Self::default() } else { Self(text.into()) }
    }
}

impl From<&BTreeMap<String, String>> for Labels {
    fn from(labels: &BTreeMap<String, String>) -> Self {
        labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Labels {
    fn from(labels: [(&str, &str); N]) -> Self {
        BTreeMap::from(labels).into_iter().collect()
    }
}

impl std::fmt::Debug for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|labels| Self::from(&labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_back_as_they_went() {
        let none = Labels::default();
        assert!(none.is_empty() && none.get("").is_none() && none.are(&BTreeMap::new()));
        let labels = Labels::from([("ring", "canary"), ("rack", ""), ("züge", "☂")]);
        assert_eq!(labels.get("rack"), Some(""));
        assert_eq!((labels.get("ring"), labels.get("canary")), (Some("canary"), None), "a value is no key");
        let map = labels.to_map();
        assert!(labels.are(&map) && Labels::from(&map) == labels);
        let json = serde_json::to_string(&labels).unwrap();
        assert_eq!(json, r#"{"rack":"","ring":"canary","züge":"☂"}"#);
        assert_eq!(serde_json::from_str::<Labels>(&json).unwrap(), labels);
    }

    #[test]
    fn what_lies_above_counts() {
        let (host, people) = (Labels::from([("a", "1"), ("b", "2")]), Labels::from([("b", "3"), ("c", "")]));
        assert_eq!(host.under(&people), Labels::from([("a", "1"), ("b", "3"), ("c", "")]));
        assert_eq!(host.under(&Labels::default()), host);
        assert_eq!(Labels::default().under(&people), people);
    }
}
