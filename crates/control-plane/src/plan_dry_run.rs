//! Pure: what would come of a fleet plan that began now: who would go when, over which versions, and what stands in the
//! way.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use novacula_protocol::people::{
    self, DryMember, DryWave, FleetUpgradePlan, MemberOutcome, PlanDryRun, Presence, WaveSpec,
};
use semver::Version;
use uuid::Uuid;

use crate::clock::after_ms;
use crate::executor::Executor;
use crate::plan_document::{self, Checked, Known, Standing, Way};
use crate::rollout;
use crate::rollout::gates;
use crate::rollout::member::{Member, OtherUpgrade, Seen, look};
use crate::window::Schedule;

/// How long an upgrade takes, where none has completed yet that could tell.
const USUAL_MS: u64 = 3 * 60 * 1_000;
/// Whatever needs more openings of its window than that ends when it has had so many.
const MOST_OPENINGS: usize = 10_000;

/// A plan, and what its dry run needs to know beside what it was held against.
pub struct DryRun<'a> {
    /// What it says.
    pub document: &'a FleetUpgradePlan,
    /// What it comes to.
    pub checked: Checked,
    /// What it was held against.
    pub known: Known<'a>,
    /// Its id, and when it was applied; of one that was not applied yet nothing.
    pub applied: Option<(Uuid, Timestamp)>,
    /// How its executors stand.
    pub stands: HashMap<Uuid, Stand>,
    /// How long the last upgrades took that completed, in ms.
    pub lasted_ms: Vec<u64>,
}

/// How an executor stands now.
#[derive(Clone, Debug, Default)]
pub struct Stand {
    /// Whether it syncs; nobody knows just after a start of the control plane.
    pub presence: Option<Presence>,
    /// The freeze or window that lets nothing begin there.
    pub calendar: Option<String>,
    /// An upgrade that has not ended.
    pub upgrade: Option<OtherUpgrade>,
    /// Its last answers to checks of its host.
    pub preflight: Vec<people::Checked>,
    /// The checks that it was asked for and has not answered.
    pub owes: Vec<String>,
}

/// What would come of it.
#[must_use]
pub fn dry_run(plan: DryRun<'_>) -> PlanDryRun {
    let DryRun { document, checked, known, applied, mut stands, lasted_ms } = plan;
    let Checked { target_version, mut warnings } = checked;
    let spec = &document.spec;
    let (id, created_at) = applied.unwrap_or((Uuid::max(), known.now));
    let above = above(document, &known, id, created_at);
    let usual_ms = median(lasted_ms).unwrap_or(USUAL_MS);
    let members = plan_document::members(spec, &known);
    let taken: BTreeSet<Uuid> = members.iter().flatten().map(|executor| executor.id).collect();
    let mut starts_at = known.now;
    let waves = spec.waves.iter().zip(members).map(|(wave, mut members)| {
        members.sort_by_key(|executor| plan_document::rank(id, executor.id));
        let mut dry: Vec<Dry> = members
            .into_iter()
            .map(|executor| {
                let stand = stands.remove(&executor.id).unwrap_or_default();
                let way = plan_document::way(executor, &target_version, known.releases);
                let other = above.iter().find(|(_, theirs)| theirs.contains(&executor.id));
                of_one(executor, &target_version, way, stand, other.map(|(name, _)| name.as_str()))
            })
            .collect();
        let size = u32::try_from(dry.len()).unwrap_or(u32::MAX);
        let canaries = plan_document::canary(wave, size);
        // Who is not there, or there already, proves nothing.
        let able = dry.iter_mut().filter(|dry| dry.goes);
        able.take(canaries as usize).for_each(|dry| dry.shown.canary = true);
        let times = Times { wave, max_in_flight: plan_document::in_flight(wave, size), usual_ms };
        let (from, until) = times.of(&dry, starts_at);
        starts_at = until;
        DryWave {
            name: wave.name.clone(),
            max_in_flight: times.max_in_flight,
            canary: canaries,
            starts_at: from,
            ends_at: until,
            wants_approval: gates::names(wave).iter().any(|name| rollout::is_approval(name, wave)),
            executors: dry.into_iter().map(|dry| dry.shown).collect(),
        }
    });
    let waves: Vec<DryWave> = waves.collect();
    if applied.is_none() && waves.iter().any(|wave| wave.canary > 0) {
        warnings
            .push("who the canaries are is drawn when the plan is applied: then it may be others".to_owned());
    }
    let mut in_no_wave: Vec<String> = known
        .executors
        .iter()
        .filter(|executor| executor.kind == spec.executor_kind && !taken.contains(&executor.id))
        .map(|executor| executor.name.clone())
        .collect();
    in_no_wave.sort();
    PlanDryRun { target_version, warnings, waves, in_no_wave, ends_at: starts_at }
}

/// The plans that come before this one, by name, each with the executors that it has.
fn above<'a>(
    document: &FleetUpgradePlan,
    known: &Known<'a>,
    id: Uuid,
    created_at: Timestamp,
) -> Vec<(String, &'a BTreeSet<Uuid>)> {
    let this = Standing {
        id,
        name: &document.metadata.name,
        priority: document.spec.priority,
        yields_to: &document.spec.yields_to,
        created_at,
    };
    let order = plan_document::order(known.plans.iter().map(Standing::from).chain([this]));
    let before = order.into_iter().take_while(|other| *other != id);
    before
        .filter_map(|other| known.plans.iter().find(|plan| plan.id == other))
        .map(|plan| (plan.name.clone(), &plan.executors))
        .collect()
}

/// An executor of a wave.
struct Dry {
    shown: DryMember,
    /// It would go once its turn has come.
    goes: bool,
}

fn of_one(executor: &Executor, target: &Version, way: Way, stand: Stand, other: Option<&str>) -> Dry {
    let Stand { presence, calendar, upgrade, preflight, owes } = stand;
    let member = Member {
        executor_id: executor.id,
        name: executor.name.clone(),
        canary: false,
        outcome: MemberOutcome::Waiting,
        reason: String::new(),
        from_version: executor.current_version.clone(),
        restarts_before: executor.restarts,
        has_turn: false,
        seen: Seen {
            is_deleted: false,
            presence,
            held: executor.held.as_ref().map(|held| held.reason.clone()),
            version: executor.current_version.clone(),
            restarts: executor.restarts,
            calendar,
            other_plan: other.map(str::to_owned),
            attempt: None,
            other_upgrade: upgrade,
        },
    };
    // The planner's own word, so that what is shown is what would happen.
    let looked = look(&member, target);
    let seen = &member.seen;
    let mut obstacles = Vec::new();
    if looked.outcome != MemberOutcome::AlreadyThere {
        obstacles.push(looked.reason);
        if let Way::None(why) = &way {
            obstacles.push(format!("it {why}"));
        }
        if seen.presence == Some(Presence::Offline) {
            obstacles.push("it does not sync".to_owned());
        }
        obstacles.extend(seen.held.as_ref().map(|reason| format!("its host is on hold: {reason}")));
        obstacles.extend(seen.obstacle());
        obstacles.extend(seen.calendar.clone());
    }
    let route = match way {
        Way::Over(route) => route,
        Way::Already | Way::None(_) => Vec::new(),
    };
    Dry {
        goes: looked.outcome == MemberOutcome::Waiting && !route.is_empty(),
        shown: DryMember {
            executor_id: executor.id.to_string(),
            name: executor.name.clone(),
            canary: false,
            current_version: executor.current_version.clone(),
            route,
            status: presence.unwrap_or(Presence::Offline),
            obstacle: together(obstacles),
            preflight,
            owes,
        },
    }
}

/// Each once, in one sentence.
fn together(obstacles: Vec<String>) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    for obstacle in obstacles {
        // The planner and the way say in different words that what runs there is newer.
        let is_said =
            |said: &String| *said == obstacle || said.contains("newer") && obstacle.contains("newer");
        if !obstacle.is_empty() && !all.iter().any(is_said) {
            all.push(obstacle);
        }
    }
    (!all.is_empty()).then(|| all.join("; "))
}

/// How long a wave takes.
struct Times<'a> {
    wave: &'a WaveSpec,
    max_in_flight: u32,
    usual_ms: u64,
}

impl Times<'_> {
    /// From when until when, if it may begin then.
    fn of(&self, members: &[Dry], may_begin: Timestamp) -> (Timestamp, Timestamp) {
        let window = self.wave.window.as_ref();
        let window = window.and_then(|window| {
            Schedule::read(&window.cron, window.duration.ms, &window.zone, may_begin).ok()
        });
        let window = window.as_ref();
        let opens_at = window.and_then(|window| window.now_or_next(may_begin)).map(|span| span.opens_at);
        let begins_at = opens_at.map_or(may_begin, |opens_at| opens_at.max(may_begin));
        let part = |canary: bool| members.iter().filter(move |dry| dry.goes && dry.shown.canary == canary);
        let mut at = begins_at;
        for canary in [true, false] {
            if canary && part(canary).next().is_none() {
                continue;
            }
            // A round is as long as the longest way in it.
            let hops = part(canary).map(|dry| dry.shown.route.len() as u64).max().unwrap_or_default();
            let rounds = (part(canary).count() as u64).div_ceil(u64::from(self.max_in_flight.max(1)));
            let work_ms = rounds.saturating_mul(hops).saturating_mul(self.usual_ms);
            at = later(worked(window, at, work_ms), self.wave.validation.health_check_duration.ms);
        }
        (begins_at, at)
    }
}

/// When so much is done that is only worked on while the window is open.
fn worked(window: Option<&Schedule>, from: Timestamp, mut work_ms: u64) -> Timestamp {
    let Some(window) = window else { return later(from, work_ms) };
    let mut at = from;
    for _ in 0..MOST_OPENINGS {
        let Some(span) = window.now_or_next(at).filter(|_| work_ms > 0) else { break };
        at = at.max(span.opens_at);
        let left = span.closes_at.duration_since(at).as_millis();
        let left_ms = u64::try_from(left).unwrap_or_default();
        if work_ms <= left_ms {
            return later(at, work_ms);
        }
        work_ms -= left_ms;
        at = span.closes_at;
    }
    at
}

fn later(at: Timestamp, ms: u64) -> Timestamp {
    after_ms(at, ms).unwrap_or(Timestamp::MAX)
}

fn median(mut all: Vec<u64>) -> Option<u64> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests;
