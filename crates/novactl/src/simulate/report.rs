//! What a simulation came to, for people and for machines.

use std::collections::BTreeMap;

use novacula_protocol::Stage;
use novacula_protocol::people::{FleetPlan, PlanDuration, WaveCounts, WaveState};
use semver::Version;
use serde::Serialize;

use super::campaign::{Ended, Outcome};
use super::faults::FaultName;
use super::judge::{Judge, Known, Stand};
use super::pace::{Pace, between_ms};
use super::waves::Wave;
use crate::terminal::Terminal;

/// The whole.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// With which it can be had again.
    pub seed: u64,
    /// How many.
    pub executors: u32,
    /// As asked for.
    pub faults: String,
    /// Seconds of the simulation in one.
    pub speed: u32,
    /// Before the plan.
    pub from_version: Version,
    /// What the plan leads to.
    pub target_version: Version,
    /// How the plan ended.
    pub outcome: Outcome,
    /// Why, in the control plane's words.
    pub reason: String,
    /// The wave that halted.
    pub halted_in: Option<String>,
    /// The wave that had to halt, by the faults that were drawn: known where `maxFailed` and `maxSlow` are numbers.
    pub must_halt_in: Option<String>,
    /// One after the other.
    pub waves: Vec<WaveReport>,
    /// How long it took, in simulated ms.
    pub took_ms: u64,
    /// How long it took, in ms.
    pub took_really_ms: u64,
    /// Answers that were looked at.
    pub answers: u64,
    /// Syncs that nobody answered.
    pub unanswered: u64,
    /// How often the control plane was killed.
    pub kills: u32,
}

/// One wave.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveReport {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: WaveState,
    /// Why.
    pub reason: String,
    /// How many may be in hand at once.
    pub cap: u32,
    /// The most that were, as executors saw it.
    pub peak: u32,
    /// From its beginning to its end, in simulated ms.
    pub took_ms: Option<u64>,
    /// As the control plane counts.
    pub counts: WaveCounts,
    /// As executors know.
    pub stand: Stand,
    /// How many have which fault.
    pub faults: BTreeMap<FaultName, u32>,
}

/// What was asked for.
pub struct Asked<'a> {
    pub seed: u64,
    pub faults: String,
    pub pace: Pace,
    pub from: &'a Version,
    pub target: &'a Version,
    pub waves: &'a [Wave],
}

impl Report {
    /// Puts it together.
    pub fn of(asked: &Asked<'_>, ended: &Ended, judge: &Judge, unanswered: u64, took_really_ms: u64) -> Self {
        let plan = &ended.plan;
        let name = |index: usize| asked.waves[index].name.clone();
        let waves = plan.waves.iter().zip(asked.waves).enumerate();
        let waves = waves.map(|(index, (shown, wave))| {
            let members = || judge.executors().iter().filter(move |it| it.wave == index);
            WaveReport {
                name: shown.name.clone(),
                state: shown.state,
                reason: shown.reason.clone(),
                cap: wave.cap,
                peak: judge.peaks[index],
                took_ms: shown
                    .began_at
                    .map(|began| between_ms(began, shown.passed_at.unwrap_or(last(plan, asked.pace)))),
                counts: shown.counts,
                stand: stand(members(), asked.target),
                faults: faults(members()),
            }
        });
        let waves: Vec<WaveReport> = waves.collect();
        let must_halt_in = must_halt_in(asked.waves, &waves).map(name);
        Self {
            seed: asked.seed,
            executors: asked.waves.iter().map(|wave| wave.size).sum(),
            faults: asked.faults.clone(),
            speed: asked.pace.speed,
            from_version: asked.from.clone(),
            target_version: asked.target.clone(),
            outcome: ended.outcome,
            reason: plan.reason.clone(),
            halted_in: ended.halted.map(name),
            must_halt_in,
            waves,
            took_ms: between_ms(plan.created_at, last(plan, asked.pace)),
            took_really_ms,
            answers: judge.answers,
            unanswered,
            kills: ended.kills,
        }
    }

    /// Prints it.
    pub fn show(&self, terminal: &Terminal) -> anyhow::Result<()> {
        if terminal.json {
            return terminal.json(self);
        }
        let Self { executors, from_version, target_version, speed, faults, seed, .. } = self;
        terminal.line(format!(
            "{executors} executors from {from_version} to {target_version}, faults {faults}, seed {seed}, {speed} times as \
             fast as time goes"
        ))?;
        let rows: Vec<_> = self.waves.iter().map(WaveReport::row).collect();
        let head = ["WAVE", "STATE", "OF", "ON TARGET", "WENT BACK", "SLOW", "SILENT", "AT ONCE", "TOOK"];
        terminal.table(head, &rows)?;
        for wave in self.waves.iter().filter(|wave| wave.state != WaveState::Pending) {
            terminal.line(format!("{}: {}", wave.name, wave.reason))?;
        }
        let outcome = match self.outcome {
            Outcome::Completed => "the plan completed".to_owned(),
            Outcome::Halted => {
                format!("the plan halted in {}", self.halted_in.as_deref().unwrap_or("no wave"))
            }
            Outcome::RolledBack => "the plan halted, and what it did was undone".to_owned(),
            Outcome::StandsStill => format!("the plan stands still: {}", self.reason),
        };
        let took = shown(self.took_ms);
        terminal.line(format!("{outcome}, after {took} of simulated time"))?;
        let Self { answers, unanswered, .. } = self;
        let seconds = self.took_really_ms / 1_000;
        terminal.line(format!(
            "every invariant held at each of {answers} answers ({unanswered} syncs went unanswered), in {seconds} s"
        ))
    }
}

impl WaveReport {
    fn row(&self) -> [String; 9] {
        let (counts, stand) = (&self.counts, &self.stand);
        [
            self.name.clone(),
            word(self.state).to_owned(),
            counts.total.to_string(),
            stand.on_target.to_string(),
            stand.went_back.to_string(),
            counts.slow.to_string(),
            counts.unreachable.to_string(),
            format!("{} of {}", self.peak, self.cap),
            self.took_ms.map(shown).unwrap_or_default(),
        ]
    }
}

/// A state, for people.
pub fn word(state: WaveState) -> &'static str {
    match state {
        WaveState::Pending => "pending",
        WaveState::Canary => "canaries go",
        WaveState::Running => "running",
        WaveState::Soaking => "soaking",
        WaveState::Gate => "at its gates",
        WaveState::Passed => "passed",
        WaveState::Halted => "halted",
        WaveState::RollingBack => "rolling back",
        WaveState::RolledBack => "rolled back",
    }
}

/// When nothing more came of it.
fn last(plan: &FleetPlan, pace: Pace) -> jiff::Timestamp {
    plan.ended_at.unwrap_or_else(|| pace.now())
}

fn shown(ms: u64) -> String {
    PlanDuration { ms: ms / 1_000 * 1_000 }.to_string()
}

fn stand<'a>(members: impl Iterator<Item = &'a Known>, target: &Version) -> Stand {
    members.fold(Stand::default(), |stand, known| Stand {
        offered: stand.offered + u32::from(known.first_offer.is_some()),
        on_target: stand.on_target + u32::from(known.runs == *target),
        went_back: stand.went_back + u32::from(known.ended_at == Some(Stage::RolledBack)),
    })
}

fn faults<'a>(members: impl Iterator<Item = &'a Known>) -> BTreeMap<FaultName, u32> {
    let mut faults = BTreeMap::new();
    for fault in members.filter_map(|known| known.fault) {
        *faults.entry(fault.name()).or_default() += 1;
    }
    faults
}

/// The first wave of which more fail or stand still than may: all of them have their turn, unless it halts before.
fn must_halt_in(waves: &[Wave], drawn: &[WaveReport]) -> Option<usize> {
    let exceeds = |drawn: &WaveReport, name: FaultName, most: Option<u32>| {
        most.is_some_and(|most| drawn.faults.get(&name).copied().unwrap_or_default() > most)
    };
    waves.iter().zip(drawn).position(|(wave, drawn)| {
        exceeds(drawn, FaultName::Bad, wave.max_failed) || exceeds(drawn, FaultName::Hang, wave.max_slow)
    })
}
