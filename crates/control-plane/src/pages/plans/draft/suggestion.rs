//! Pure: waves to begin with, from the labels that executors have.

use std::collections::{BTreeMap, BTreeSet};

use novacula_protocol::people::Selector;

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

/// One wave for each value of a label that looks as if it were made for that, and everybody is in one of them; where
/// there is no such label, one wave of everybody that is not held back, with a canary.
pub(crate) fn suggested(labels: &[&BTreeMap<String, String>]) -> Vec<WaveDraft> {
    let parting = KEYS.into_iter().find(|key| labels.iter().any(|labels| labels.contains_key(*key)));
    let values: Vec<_> =
        parting.iter().flat_map(|key| labels.iter().map(|labels| labels.get(*key))).collect();
    let waves = parting.map(|key| by_label(key, &values)).unwrap_or_default();
    if waves.is_empty() { vec![everybody()] } else { waves }
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

/// The values of all executors, of those too that have not got the label.
fn by_label(key: &str, values: &[Option<&String>]) -> Vec<WaveDraft> {
    let early = |value: &str| EARLY.iter().position(|known| *known == value);
    let known: BTreeSet<&str> = values.iter().flatten().map(|value| value.as_str()).collect();
    let mut order: Vec<&str> = known.into_iter().filter(|value| fits(key, value)).collect();
    order.sort_by_key(|value| (early(value).unwrap_or(EARLY.len()), *value));
    order.truncate(MOST);
    let is_known = |value: &Option<&String>| value.is_some_and(|value| order.contains(&value.as_str()));
    let has_others = !values.iter().all(is_known);
    if has_others {
        order.truncate(MOST - 1);
    }
    // The last wave takes everybody else, whoever comes with whatever label: a wave of nobody would hold the plan up.
    let last = if has_others { Some("rest") } else { order.pop() };
    let mut waves: Vec<_> = order.iter().map(|value| named(value, &format!("{key}={value}"))).collect();
    let Some(last) = last.filter(|_| !waves.is_empty()) else { return Vec::new() };
    let others = match order.as_slice() {
        [one] => format!("{key}!={one}"),
        several => format!("{key} notin ({})", several.join(",")),
    };
    waves.push(named(last, &others));
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
