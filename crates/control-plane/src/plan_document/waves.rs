//! What can be wrong with waves.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use novacula_protocol::people::{CountOrPercent, DocumentRefused, PlanSpec, Selector, WaveSpec, WaveWindow};
use uuid::Uuid;

use super::{Known, at, gates, names, selector_of};
use crate::executor::Executor;
use crate::said;
use crate::selector;
use crate::window::{NoSchedule, Schedule};

const MOST_WAVES: usize = 64;
/// Whoever wants to wait longer wants a person to say when.
const MAX_SOAK_MS: u64 = 30 * 24 * 3_600_000;

/// Each wave by itself, and their names.
pub(super) fn checked(spec: &PlanSpec, known: &Known<'_>) -> Result<(), DocumentRefused> {
    let count = spec.waves.len();
    if !(1..=MOST_WAVES).contains(&count) {
        return Err(DocumentRefused::at(
            "spec.waves",
            format!("must be 1 to {MOST_WAVES} waves, there are {count}"),
        ));
    }
    for (place, wave) in spec.waves.iter().enumerate() {
        let refused = |field: &str, reason: String| Err(DocumentRefused::at(at(place, field), reason));
        if let Err(why) = said::text("it", &wave.name, said::MAX_NAME) {
            return refused("name", why.replacen("it must", "must", 1));
        }
        if let Some(twin) = spec.waves[..place].iter().position(|before| before.name == wave.name) {
            let name = names::short(&wave.name);
            return refused("name", format!("must be unique, `{name}` is spec.waves[{twin}] already"));
        }
        selection(place, wave, known.groups)?;
        let soak = wave.validation.health_check_duration;
        if soak.ms > MAX_SOAK_MS {
            return refused(
                "validation.healthCheckDuration",
                format!("must be at most 30 days, it is {soak}"),
            );
        }
        if matches!(wave.max_in_flight, Some(CountOrPercent::Count(0) | CountOrPercent::Percent(0))) {
            return refused("maxInFlight", "must be at least 1, else nobody would ever begin".to_owned());
        }
        if wave.min_sample == Some(0) {
            return refused("minSample", "must be at least 1, it is 0".to_owned());
        }
        gates::checked(place, wave, known.gates)?;
        if let Some(window) = &wave.window {
            opens(place, window, known.now)?;
        }
    }
    Ok(())
}

/// A wave says in one way whom it takes, and that is not everybody.
fn selection(
    place: usize,
    wave: &WaveSpec,
    groups: &BTreeMap<String, Selector>,
) -> Result<(), DocumentRefused> {
    match (&wave.cluster_selector, &wave.group) {
        (Some(_), Some(_)) => Err(DocumentRefused::at(
            at(place, "group"),
            "must stand alone, `clusterSelector` stands beside it; say in one way whom the wave takes",
        )),
        (None, None) => Err(DocumentRefused::at(
            at(place, "clusterSelector"),
            "must be given, or `group` in its place: it says whom the wave takes",
        )),
        (Some(asked), None) => {
            let refused = |reason: String| Err(DocumentRefused::at(at(place, "clusterSelector"), reason));
            if asked.match_labels.is_empty() && asked.match_expressions.is_empty() {
                let name = names::short(&wave.name);
                return refused(format!(
                    "must name a label, it is empty: `{name}` would take every executor of the account"
                ));
            }
            selector::checked(asked).or_else(|why| refused(format!("cannot be meant: {why}")))
        }
        (None, Some(group)) => {
            let refused = |reason: String| Err(DocumentRefused::at(at(place, "group"), reason));
            let Some(meant) = groups.get(group) else {
                let (name, known) = (names::short(group), names::list_or(groups.keys(), "none"));
                return refused(format!(
                    "must be the name of a group, there is no `{name}`; there are: {known}"
                ));
            };
            if meant.match_labels.is_empty() && meant.match_expressions.is_empty() {
                return refused(
                    "must be a group that names a label, this one takes every executor".to_owned(),
                );
            }
            Ok(())
        }
    }
}

fn opens(place: usize, window: &WaveWindow, now: Timestamp) -> Result<(), DocumentRefused> {
    let refused = |field: &str, reason: String| Err(DocumentRefused::at(at(place, field), reason));
    match Schedule::read(&window.cron, window.duration.ms, &window.zone, now) {
        Ok(_) => Ok(()),
        Err(NoSchedule::Duration { .. }) => {
            refused("window.duration", format!("must be 1 minute to 7 days, it is {}", window.duration))
        }
        Err(e @ NoSchedule::Zone(_)) => refused("window.zone", format!("cannot be meant: {e}")),
        Err(e @ (NoSchedule::Cron(_) | NoSchedule::Never(_))) => {
            refused("window.cron", e.to_string().replacen("`cron` must", "must", 1))
        }
    }
}

/// Somebody is in a wave, and nobody in two.
pub(super) fn take_somebody_once(
    spec: &PlanSpec,
    known: &Known<'_>,
    members: &[Vec<&Executor>],
) -> Result<(), DocumentRefused> {
    let selectors: Vec<_> = spec.waves.iter().map(|wave| selector_of(wave, known.groups)).collect();
    for (place, wave) in spec.waves.iter().enumerate() {
        let field = if wave.group.is_some() { "group" } else { "clusterSelector" };
        if let Some(twin) = selectors[..place].iter().position(|before| *before == selectors[place]) {
            let name = names::short(&spec.waves[twin].name);
            return Err(DocumentRefused::at(
                at(place, field),
                format!("must take others than wave `{name}` (spec.waves[{twin}]), it takes the same"),
            ));
        }
    }
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    for (place, taken) in members.iter().enumerate() {
        let field = if spec.waves[place].group.is_some() { "group" } else { "clusterSelector" };
        let Some(first) = taken.iter().find_map(|executor| places.get(&executor.id)) else {
            places.extend(taken.iter().map(|executor| (executor.id, place)));
            continue;
        };
        let both = taken.iter().filter(|executor| places.get(&executor.id) == Some(first));
        let (both, name) =
            (names::list(both.map(|executor| &executor.name)), names::short(&spec.waves[*first].name));
        return Err(DocumentRefused::at(
            at(place, field),
            format!("must take others than wave `{name}` (spec.waves[{first}]), both take {both}"),
        ));
    }
    if places.is_empty() {
        let shown = spec.waves.iter().zip(&selectors).map(|(wave, selector)| {
            let selector = selector.as_ref().map(shown).unwrap_or_default();
            format!("{}: {selector}", wave.name)
        });
        let (kind, shown) = (spec.executor_kind, names::list(shown));
        let count = known.executors.iter().filter(|executor| executor.kind == kind).count();
        return Err(DocumentRefused::at(
            "spec.waves",
            format!(
                "must take somebody, of {} of kind {kind} they take none ({shown})",
                names::executors(count)
            ),
        ));
    }
    Ok(())
}

/// A selector on one line, in the manner of kubectl.
pub(super) fn shown(selector: &Selector) -> String {
    use novacula_protocol::people::Operator;
    let labels = selector.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.match_expressions.iter().map(|asked| {
        let (key, values) = (&asked.key, asked.values.join(", "));
        match asked.operator {
            Operator::In => format!("{key} in ({values})"),
            Operator::NotIn => format!("{key} notin ({values})"),
            Operator::Exists => key.clone(),
            Operator::DoesNotExist => format!("!{key}"),
        }
    });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}
