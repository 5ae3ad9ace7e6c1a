//! Pure: which executors a plan's waves take, and labels that make an executor fall into one of them and no other.

use std::collections::BTreeMap;

use novacula_protocol::people::{
    CountOrPercent, FleetUpgradePlan, Operator, Requirement, Selector, WaveSpec,
};

/// The labels of an executor.
pub type Labels = BTreeMap<String, String>;

/// The label by which a wave's group takes its executors here, where nobody has made the group yet.
const GROUP_LABEL: &str = "simulated-group";

/// How many at once, where a wave does not say.
const USUAL_CAP: CountOrPercent = CountOrPercent::Percent(25);

/// A wave, as far as executors can see of it.
#[derive(Clone, Debug)]
pub struct Wave {
    /// Its name.
    pub name: String,
    /// How many executors fall into it by their labels.
    pub size: u32,
    /// What these labels are.
    pub labels: Labels,
    /// A group that has to be made, and whom it takes.
    pub group: Option<(String, Selector)>,
    /// How many may be in hand at once, at most.
    pub cap: u32,
    /// How long it soaks, in ms.
    pub soak_ms: u64,
    /// The next one begins by itself.
    pub is_automated: bool,
    /// It goes back by itself when it halts.
    pub is_rolled_back: bool,
    /// How many may fail, where that is a number.
    pub max_failed: Option<u32>,
    /// How many may stand still, where that is a number.
    pub max_slow: Option<u32>,
}

/// The waves of a plan with so many executors each. `late` executors may join a later wave than their own, and make it
/// larger.
///
/// # Errors
/// When no labels are found that fall into one wave alone.
pub fn of_plan(plan: &FleetUpgradePlan, sizes: &[u32]) -> Result<Vec<Wave>, String> {
    let specs = &plan.spec.waves;
    let mut waves = Vec::new();
    let mut sum = 0;
    for (spec, &size) in specs.iter().zip(sizes) {
        sum += size;
        let group = spec.group.as_ref().map(|group| {
            let match_labels = Labels::from([(GROUP_LABEL.to_owned(), group.clone())]);
            (group.clone(), Selector { match_labels, ..Selector::default() })
        });
        let mut labels = Labels::new();
        for selector in selectors(spec, group.as_ref()) {
            fulfil(selector, &mut labels);
        }
        let number = |limit: Option<CountOrPercent>| match limit {
            None => Some(0),
            Some(CountOrPercent::Count(count)) => Some(count),
            Some(CountOrPercent::Percent(_)) => None,
        };
        let cap = match spec.max_in_flight.unwrap_or(USUAL_CAP) {
            CountOrPercent::Count(count) => count,
            // Whoever came late to the waves before may be in this one too.
            share @ CountOrPercent::Percent(_) => share.of(if spec.late_joins() { sum } else { size }),
        };
        waves.push(Wave {
            name: spec.name.clone(),
            size,
            labels,
            group,
            cap,
            soak_ms: spec.validation.health_check_duration.ms,
            is_automated: spec.validation.automated,
            is_rolled_back: spec.rollback_on_failure,
            max_failed: number(spec.max_failed),
            max_slow: number(spec.max_slow),
        });
    }
    for wave in &waves {
        let takes = |(spec, other): (&WaveSpec, &Wave)| {
            let taken = selectors(spec, other.group.as_ref()).into_iter().all(|it| takes(it, &wave.labels));
            taken.then(|| other.name.clone())
        };
        let taken_by: Vec<_> = specs.iter().zip(&waves).filter_map(takes).collect();
        if taken_by != [wave.name.as_str()] {
            let whom = if taken_by.is_empty() { "no wave".to_owned() } else { taken_by.join(" and ") };
            return Err(format!(
                "labels must be found that fall into wave `{}` alone, those that its selector asks for fall into {whom}: \
                 tell the waves apart by a label of their own",
                wave.name
            ));
        }
    }
    Ok(waves)
}

/// So many executors for each wave, as equal as can be.
pub fn equal_shares(executors: u32, waves: usize) -> Vec<u32> {
    let waves = u32::try_from(waves).unwrap_or(u32::MAX).max(1);
    (0..waves).map(|wave| executors / waves + u32::from(wave < executors % waves)).collect()
}

trait MayGrow {
    fn late_joins(&self) -> bool;
}

impl MayGrow for WaveSpec {
    fn late_joins(&self) -> bool {
        self.late_arrivers != novacula_protocol::people::LateArrivers::Never
    }
}

fn selectors<'a>(spec: &'a WaveSpec, group: Option<&'a (String, Selector)>) -> Vec<&'a Selector> {
    spec.cluster_selector.iter().chain(group.map(|(_, selector)| selector)).collect()
}

/// Adds what the selector asks for.
fn fulfil(selector: &Selector, labels: &mut Labels) {
    labels.extend(selector.match_labels.clone());
    for Requirement { key, operator, values } in &selector.match_expressions {
        match operator {
            Operator::In if !labels.get(key).is_some_and(|value| values.contains(value)) => {
                labels.insert(key.clone(), values.first().cloned().unwrap_or_default());
            }
            Operator::Exists => {
                labels.entry(key.clone()).or_insert_with(|| "simulated".to_owned());
            }
            Operator::In | Operator::NotIn | Operator::DoesNotExist => {}
        }
    }
}

/// As the control plane reads it.
fn takes(selector: &Selector, labels: &Labels) -> bool {
    let meets = |asked: &Requirement| {
        let value = labels.get(&asked.key);
        match asked.operator {
            Operator::In => value.is_some_and(|value| asked.values.contains(value)),
            Operator::NotIn => value.is_none_or(|value| !asked.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    };
    selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        && selector.match_expressions.iter().all(meets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(waves: &str) -> FleetUpgradePlan {
        FleetUpgradePlan::read(&format!(
            "apiVersion: novacula/v1\nkind: FleetUpgradePlan\nmetadata: {{name: p}}\nspec:\n  targetVersion: 1.1.0\n  waves:\n{waves}"
        ))
        .unwrap()
    }

    #[test]
    fn an_executor_gets_labels_that_fall_into_its_wave_alone() {
        let plan = plan(
            "  - {name: a, clusterSelector: {matchLabels: {ring: canary}}, maxInFlight: 2}\n\
             \x20 - {name: b, executorSelector: {matchExpressions: [{key: ring, operator: In, values: [x, y]}, {key: site, operator: Exists}]}}\n\
             \x20 - {name: c, executorSelector: {matchExpressions: [{key: ring, operator: DoesNotExist}, {key: role, operator: Exists}]}}\n\
             \x20 - {name: d, group: racks, maxFailed: 10%}\n",
        );
        let waves = of_plan(&plan, &[1, 10, 10, 20]).unwrap();
        let shown: Vec<_> = waves.iter().map(|wave| format!("{:?}", wave.labels)).collect();
        assert_eq!(
            shown,
            [
                r#"{"ring": "canary"}"#,
                r#"{"ring": "x", "site": "simulated"}"#,
                r#"{"role": "simulated"}"#,
                r#"{"simulated-group": "racks"}"#
            ]
        );
        let caps: Vec<_> = waves.iter().map(|wave| wave.cap).collect();
        assert_eq!(caps, [2, 3, 6, 11], "a quarter, and of late arrivals too");
        assert_eq!((waves[0].max_failed, waves[3].max_failed), (Some(0), None));
        assert_eq!(waves[3].group.as_ref().unwrap().0, "racks");
    }

    #[test]
    fn waves_that_cannot_be_told_apart_are_said_back() {
        let overlapping = plan(
            "  - {name: a, clusterSelector: {matchLabels: {ring: x}}}\n\
             \x20 - {name: b, clusterSelector: {matchExpressions: [{key: ring, operator: Exists}]}}\n",
        );
        let refused = of_plan(&overlapping, &[1, 1]).unwrap_err();
        assert!(refused.contains("`a` alone") && refused.contains("a and b"), "{refused}");
    }

    #[test]
    fn shares_are_equal_and_nobody_is_left_over() {
        assert_eq!(equal_shares(10, 4), [3, 3, 2, 2]);
        assert_eq!(equal_shares(2, 3), [1, 1, 0]);
    }
}
