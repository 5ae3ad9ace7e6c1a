//! Pure: waves to begin with, from the labels that executors have.

use std::collections::{BTreeMap, BTreeSet};

use novacula_protocol::people::{Operator, Requirement, Selector};

use super::WaveDraft;

/// Labels by which people usually part a fleet into waves, the plainest first.
const KEYS: [&str; 8] = ["upgrade-wave", "wave", "ring", "canary", "stage", "env", "environment", "tier"];
/// Values that usually go first.
const EARLY: [&str; 10] =
    ["canary", "true", "0", "1", "test", "dev", "development", "early", "staging", "stage"];
/// More waves nobody wants to begin with.
const MOST: usize = 4;
/// Who has this label stays where it is, as long as nobody says otherwise.
const HOLD_BACK: &str = "hold-back";

/// One wave for each value of a label that looks as if it were made for that, the last for everybody else; where there is
/// no such label, one wave of everybody that is not held back, with a canary.
pub(crate) fn suggested<'a>(
    labels: impl IntoIterator<Item = &'a BTreeMap<String, String>>,
) -> Vec<WaveDraft> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for labels in labels {
        for (key, value) in labels {
            values.entry(key).or_default().insert(value);
        }
    }
    let parting = KEYS.into_iter().find_map(|key| values.get(key).map(|values| (key, values)));
    match parting {
        Some((key, values)) => by_label(key, values),
        None => vec![everybody()],
    }
}

fn everybody() -> WaveDraft {
    let mut wave = first();
    wave.set("name", "fleet");
    wave.set("labels", format!("!{HOLD_BACK}"));
    wave
}

fn first() -> WaveDraft {
    let mut wave = WaveDraft::usual();
    wave.set("canary", "1");
    wave
}

fn by_label(key: &str, values: &BTreeSet<&str>) -> Vec<WaveDraft> {
    let early = |value: &str| EARLY.iter().position(|known| *known == value);
    let mut order: Vec<&str> = values.iter().copied().filter(|value| fits(key, value)).collect();
    order.sort_by_key(|value| (early(value).unwrap_or(EARLY.len()), *value));
    order.truncate(MOST - 1);
    let mut waves: Vec<_> = order.iter().map(|value| named(value, &format!("{key}={value}"))).collect();
    let others = Selector {
        match_expressions: vec![Requirement {
            key: key.to_owned(),
            operator: Operator::NotIn,
            values: order.iter().map(|value| (*value).to_owned()).collect(),
        }],
        ..Selector::default()
    };
    if order.is_empty() {
        return vec![everybody()];
    }
    waves.push(named("rest", &others.to_string()));
    waves[0].set("canary", "1");
    waves
}

/// It is read again from one line as it is.
fn fits(key: &str, value: &str) -> bool {
    let selector =
        Selector { match_labels: [(key.to_owned(), value.to_owned())].into(), ..Selector::default() };
    !value.is_empty()
        && value != "rest"
        && selector.to_string().parse() == Ok(selector)
        && !value.contains(['(', ')', ','])
}

fn named(name: &str, labels: &str) -> WaveDraft {
    let mut wave = WaveDraft::usual();
    wave.set("name", name);
    wave.set("labels", labels);
    wave
}
