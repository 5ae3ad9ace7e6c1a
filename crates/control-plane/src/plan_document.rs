//! Pure: whether a fleet plan can be carried out here, and what it comes to. Whatever is wrong with it is told with the
//! path of the field before anything is kept.

mod gates;
mod names;
mod order;
mod release;
mod warnings;
mod waves;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use novacula_protocol::people::{
    CountOrPercent, DocumentRefused, FleetUpgradePlan, PlanSpec, Release, Selector, WaveSpec,
};
use semver::Version;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::executor::Executor;
use crate::outgoing::address::Leave;
use crate::said;
use crate::selector;

pub use order::{Standing, order};
pub use release::{Way, way};

/// What share of a wave is upgraded at once, unless its plan says.
const USUAL_IN_FLIGHT: CountOrPercent = CountOrPercent::Percent(25);
/// So many labels and annotations people may write down.
const MOST_NOTES: usize = 64;
/// As for one upgrade.
const HEALTH_WINDOW_MS: std::ops::RangeInclusive<u64> = 1_000..=86_400_000;
const MAX_NOTE: usize = 4_096;

/// What a plan is held against.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Of the account; those of other kinds do not matter.
    pub releases: &'a [Release],
    /// Of the account; those of other kinds do not matter.
    pub executors: &'a [&'a Executor],
    /// Of the account, by name.
    pub groups: &'a BTreeMap<String, Selector>,
    /// The other plans of the account that have not ended.
    pub plans: &'a [LivePlan],
    /// Where gates may ask.
    pub gates: Leave,
    /// Windows that only opened before it are no use.
    pub now: Timestamp,
}

/// Another plan that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePlan {
    /// Its id.
    pub id: Uuid,
    /// Unique among them.
    pub name: String,
    /// The higher one has an executor.
    pub priority: i32,
    /// As its document says.
    pub yields_to: Vec<String>,
    /// Of equal ones the older has an executor.
    pub created_at: Timestamp,
    /// Whom it takes.
    pub executors: BTreeSet<Uuid>,
}

/// What a plan comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// From now on fixed.
    pub target_version: Version,
    /// What was noticed: what was clamped, which plans it overlaps with, which waves take nobody.
    pub warnings: Vec<String>,
}

/// Whether the plan can be meant, and be carried out here.
///
/// # Errors
/// The path of the first field that is wrong, and why.
pub fn checked(document: &FleetUpgradePlan, known: &Known<'_>) -> Result<Checked, DocumentRefused> {
    let spec = &document.spec;
    checked_metadata(document)?;
    if let Some(window) = spec.health_window.filter(|window| !HEALTH_WINDOW_MS.contains(&window.ms)) {
        let reason = format!("must be 1s to 24h, it is {window}");
        return Err(DocumentRefused::at("spec.healthWindow", reason));
    }
    waves::checked(spec, known)?;
    let release = release::meant(spec, known.releases)?;
    order::checked(document, known.plans)?;
    let members = members(spec, known);
    waves::take_somebody_once(spec, known, &members)?;
    let ways = release::ways(&release.version, &members, known)?;
    release::prerequisites_are_done(spec, release, &ways, known.releases)?;
    let warnings = warnings::of(document, known, &members, &ways);
    Ok(Checked { target_version: release.version.clone(), warnings })
}

fn checked_metadata(document: &FleetUpgradePlan) -> Result<(), DocumentRefused> {
    let metadata = &document.metadata;
    said::text("it", &metadata.name, said::MAX_NAME)
        .map_err(|why| DocumentRefused::at("metadata.name", why.replacen("it must", "must", 1)))?;
    for (field, notes) in [("labels", &metadata.labels), ("annotations", &metadata.annotations)] {
        let path = format!("metadata.{field}");
        if notes.len() > MOST_NOTES {
            let count = notes.len();
            return Err(DocumentRefused::at(
                path,
                format!("must be at most {MOST_NOTES}, there are {count}"),
            ));
        }
        if let Some((name, _)) = notes.iter().find(|(name, note)| name.len() + note.len() > MAX_NOTE) {
            let name = names::short(name);
            let reason = format!("must have at most {MAX_NOTE} bytes each, `{name}` has more");
            return Err(DocumentRefused::at(path, reason));
        }
    }
    Ok(())
}

/// Whom the wave takes; nothing when its group is unknown or it says neither.
#[must_use]
pub fn selector_of(wave: &WaveSpec, groups: &BTreeMap<String, Selector>) -> Option<Selector> {
    match (&wave.cluster_selector, &wave.group) {
        (Some(selector), None) => Some(selector.clone()),
        (None, Some(group)) => groups.get(group).cloned(),
        _ => None,
    }
}

/// How many of a wave of `n` may be upgraded at once.
#[must_use]
pub fn in_flight(wave: &WaveSpec, n: u32) -> u32 {
    wave.max_in_flight.unwrap_or(USUAL_IN_FLIGHT).of(n).min(n).max(1)
}

/// How many of a wave of `n` go before the rest.
#[must_use]
pub fn canary(wave: &WaveSpec, n: u32) -> u32 {
    wave.canary.map_or(0, |canary| canary.of(n)).min(n)
}

/// Where an executor stands in the order of its wave: the smaller goes first. Nobody can foresee it, and it is another one
/// in every plan, so that it is not always the same hosts that try everything first.
#[must_use]
pub fn rank(plan_id: Uuid, executor_id: Uuid) -> [u8; 32] {
    Sha256::new().chain_update(plan_id.as_bytes()).chain_update(executor_id.as_bytes()).finalize().into()
}

/// The executors of each wave, by name, as their labels are now.
#[must_use]
pub fn members<'a>(spec: &PlanSpec, known: &Known<'a>) -> Vec<Vec<&'a Executor>> {
    let of = |wave: &WaveSpec| {
        let Some(selector) = selector_of(wave, known.groups) else { return Vec::new() };
        let of_the_kind = known.executors.iter().filter(|executor| executor.kind == spec.executor_kind);
        let mut taken: Vec<_> =
            of_the_kind.filter(|executor| selector::takes(&selector, &executor.labels)).copied().collect();
        taken.sort_by(|a, b| a.name.cmp(&b.name));
        taken
    };
    spec.waves.iter().map(of).collect()
}

/// The path of a field of a wave.
fn at(wave: usize, field: &str) -> String {
    format!("spec.waves[{wave}].{field}")
}

#[cfg(test)]
mod tests;
