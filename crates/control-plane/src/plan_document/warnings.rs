//! What somebody should know who applies a plan, and what does not stop it.

use std::collections::BTreeSet;

use novacula_protocol::people::{CountOrPercent, FleetUpgradePlan, WaveSpec};
use uuid::Uuid;

use super::order::{Standing, order};
use super::release::{Way, Ways};
use super::waves::shown;
use super::{Known, names, selector_of};
use crate::executor::Executor;

pub(super) fn of(
    document: &FleetUpgradePlan,
    known: &Known<'_>,
    members: &[Vec<&Executor>],
    ways: &Ways<'_>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for (wave, taken) in document.spec.waves.iter().zip(members) {
        of_wave(wave, taken.len(), known, &mut warnings);
    }
    of_executors(ways, &mut warnings);
    of_others(document, known, members, &mut warnings);
    warnings
}

/// What is clamped to the size of the wave, and what makes it meaningless.
fn of_wave(wave: &WaveSpec, size: usize, known: &Known<'_>, warnings: &mut Vec<String>) {
    let name = names::short(&wave.name);
    let mut warn = |sentence: String| warnings.push(format!("wave `{name}` {sentence}"));
    if size == 0 {
        let selector = selector_of(wave, known.groups).as_ref().map(shown).unwrap_or_default();
        warn(format!(
            "takes nobody now ({}); it pauses unless somebody has come by then",
            names::short(&selector)
        ));
        return;
    }
    let n = u32::try_from(size).unwrap_or(u32::MAX);
    let all = names::executors(size);
    match wave.canary {
        Some(canary) if canary.of(n) > n => {
            warn(format!("has {all}, and `canary` is {canary}: all of them go first"));
        }
        Some(canary) if canary.of(n) == n => {
            warn(format!("has {all}, and `canary` {canary} is all of them: no rest comes after"));
        }
        _ => {}
    }
    match wave.max_in_flight {
        Some(CountOrPercent::Count(count)) if count > n => {
            warn(format!("has {all}, and `maxInFlight` is {count}: all of them go at once"));
        }
        _ => {}
    }
    match wave.min_sample {
        Some(sample) if sample > n => {
            warn(format!(
                "has {all}, and `minSample` is {sample}: percentages count once all had their turn"
            ));
        }
        _ => {}
    }
    match wave.max_failed {
        Some(most) if most.of(n) >= n => {
            warn(format!("has {all}, and `maxFailed` is {most}: it never halts for failures"));
        }
        _ => {}
    }
    if wave.validation.automated && wave.validation.health_check_duration.ms == 0 {
        warn("does not soak: `validation.healthCheckDuration` is 0s and nobody approves it".to_owned());
    }
}

/// Who stays, and why.
fn of_executors(ways: &Ways<'_>, warnings: &mut Vec<String>) {
    let mut lost = ways.iter().filter_map(|(executor, way)| match way {
        Way::None(why) => Some((*executor, why)),
        _ => None,
    });
    if let Some((first, why)) = lost.next() {
        let name = names::short(&first.name);
        let more = match lost.count() {
            0 => String::new(),
            more => format!("; so it is, or alike, with {more} more"),
        };
        warnings.push(format!("`{name}` stays where it is: it {why}{more}"));
    }
    let already = ways.iter().filter(|(_, way)| *way == Way::Already).count();
    if already == ways.len() {
        warnings.push("all its executors run the target version already".to_owned());
    }
}

/// Who has the executors that several plans take.
fn of_others(
    document: &FleetUpgradePlan,
    known: &Known<'_>,
    members: &[Vec<&Executor>],
    warnings: &mut Vec<String>,
) {
    let (name, spec) = (&document.metadata.name, &document.spec);
    let ours: Vec<&Executor> = members.iter().flatten().copied().collect();
    let this = Standing {
        id: Uuid::nil(),
        name,
        priority: spec.priority,
        yields_to: &spec.yields_to,
        created_at: known.now,
    };
    let order = order(known.plans.iter().map(Standing::from).chain([this]));
    let here = order.iter().position(|id| id.is_nil()).unwrap_or(order.len());
    let mut told: BTreeSet<Uuid> = BTreeSet::new();
    for (place, id) in order.iter().enumerate() {
        let Some(plan) = known.plans.iter().find(|plan| plan.id == *id) else { continue };
        let both: Vec<_> = ours.iter().filter(|executor| plan.executors.contains(&executor.id)).collect();
        if both.is_empty() {
            continue;
        }
        let (theirs, priority) = (names::short(&plan.name), plan.priority);
        let (count, listed) = (names::executors(both.len()), names::list(both.iter().map(|it| &it.name)));
        warnings.push(if place < here {
            told.extend(both.iter().map(|executor| executor.id));
            format!("plan `{theirs}` (priority {priority}) has {count} of this one and comes first: {listed}")
        } else {
            format!(
                "this plan comes before plan `{theirs}` (priority {priority}) and has {count} of it: {listed}"
            )
        });
    }
    if !ours.is_empty() && ours.iter().all(|executor| told.contains(&executor.id)) {
        warnings.push(
            "other plans have all executors of this one: it does nothing until they have ended".to_owned(),
        );
    }
}
