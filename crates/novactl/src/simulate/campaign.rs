//! The plan of a simulation, carried out as a person would: applied, approved, watched until nothing more comes of it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use novacula_protocol::people::{
    ExecutorGroup, ExecutorGroupRequest, FleetPlan, FleetUpgradePlan, Gate, GateOutcome, GateSpec,
    PlanApproval, PlanMember, PlanRollback, PlanState, WaveSpec, WaveState,
};

use super::engine::Engine;
use super::pace::{Pace, between_ms};
use super::program::Program;
use super::waves::Wave;
use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::terminal::Terminal;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Of real time, until what stands still is told to do so for good.
const LEAST_PATIENCE: Duration = Duration::from_secs(20);
/// Of simulated time.
const PATIENCE_MS: u64 = 3 * 60 * 60 * 1_000;
const REASON: &str = "simulated";
const PLANS: &str = "/fleet/plans";

/// How people behave.
#[derive(Clone, Copy, Debug)]
pub struct People {
    /// They approve every wave that waits for it.
    pub approve: bool,
    /// They undo the whole plan once it has halted.
    pub roll_back: bool,
    /// They pull the plug of the control plane in the middle of each wave.
    pub kill: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Every wave passed.
    Completed,
    /// A wave failed.
    Halted,
    /// A wave failed, and was undone.
    RolledBack,
    /// Nobody can tell, or nobody answers.
    StandsStill,
}

/// A plan under way.
pub struct Campaign<'a> {
    /// Who is asked.
    pub control_plane: &'a ControlPlane,
    /// Where it runs.
    pub program: &'a mut Program,
    /// The executors.
    pub engine: &'a Engine,
    /// The time.
    pub pace: Pace,
    /// What executors can see of the waves.
    pub waves: &'a [Wave],
    /// Where it is told.
    pub terminal: &'a Terminal,
    /// Somebody has pressed Ctrl-C.
    pub interrupted: &'a AtomicBool,
    /// How people behave.
    pub people: People,
}

/// What it came to.
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// As the control plane shows it at the end.
    pub plan: FleetPlan,
    /// The wave that halted.
    pub halted: Option<usize>,
    /// Whose way back has failed, by the control plane's own word.
    pub stuck: HashSet<String>,
    /// How often the control plane was killed.
    pub kills: u32,
}

impl Campaign<'_> {
    /// Waits until everybody who is on time was heard.
    pub fn introduce(&mut self, on_time: usize) -> anyhow::Result<()> {
        let began = now();
        while self.engine.introduced() < on_time {
            self.look_around()?;
            if began.elapsed() > Duration::from_secs(300) {
                let heard = self.engine.introduced();
                return Err(stopped(format!(
                    "only {heard} of {on_time} executors were heard within 5 minutes"
                ))
                .into());
            }
            wait();
        }
        Ok(())
    }

    /// Makes the groups that the waves name.
    pub fn make_groups(&self) -> anyhow::Result<()> {
        let mut made = HashSet::new();
        for (name, selector) in self.waves.iter().filter_map(|wave| wave.group.clone()) {
            if made.insert(name.clone()) {
                let asked = ExecutorGroupRequest { name, selector };
                let _: ExecutorGroup = self.control_plane.post("/fleet/groups", &asked)?;
            }
        }
        Ok(())
    }

    /// Applies the plan and watches it to its end.
    pub fn run(&mut self, document: &FleetUpgradePlan) -> anyhow::Result<Ended> {
        let applied: FleetPlan = self.control_plane.post(PLANS, document)?;
        applied.warnings.iter().for_each(|warning| self.terminal.note(format!("the plan: {warning}")));
        let path = format!("{PLANS}/{}", applied.id);
        let mut shown: Vec<String> = Vec::new();
        let (mut halted, mut halted_at, mut kills, mut killed_in) = (None, None, 0, HashSet::new());
        let mut moved = (String::new(), now(), self.pace.now());
        let mut is_going_back = false;
        loop {
            self.look_around()?;
            let plan = self.look(&path)?;
            self.tell(&plan, &mut shown);
            let state =
                serde_json::to_string(&(&plan.state, &plan.waves)).context("a plan can be written")?;
            if state != moved.0 {
                moved = (state, now(), self.pace.now());
            }
            for (index, wave) in plan.waves.iter().enumerate().filter(|(_, wave)| wave.began_at.is_some()) {
                self.engine.judge().note_started(index, wave.counts.started);
            }
            self.note_canaries(&path, &plan)?;
            if plan.state != PlanState::ApprovalWanted && self.people.approve {
                self.approve(&path, &plan, &document.spec.waves)?;
            }
            if self.people.kill && self.is_time_to_kill(&plan, &mut killed_in) {
                self.program.kill_and_start_again()?;
                kills += 1;
            }
            if plan.state == PlanState::Halted {
                self.engine.judge().note_halt(now());
                halted_at.get_or_insert(self.pace.now());
                let stands = |wave: &novacula_protocol::people::Wave| {
                    matches!(wave.state, WaveState::Halted | WaveState::RollingBack | WaveState::RolledBack)
                };
                halted = halted.or_else(|| plan.waves.iter().position(stands));
            }
            // Whoever decides looks at it first; and so it is seen whether anybody is started all the same.
            let is_considered =
                halted_at.is_some_and(|at| between_ms(at, self.pace.now()) > 3 * self.pace.sync_interval_ms);
            let outcome = match plan.state {
                PlanState::Halted if !is_considered => None,
                PlanState::Completed => Some(Outcome::Completed),
                PlanState::RolledBack => Some(Outcome::RolledBack),
                PlanState::Halted => match halted.map(|wave| plan.waves[wave].state) {
                    Some(WaveState::RollingBack) => None,
                    // It goes back by itself, in a moment.
                    Some(WaveState::Halted) if halted.is_some_and(|wave| self.waves[wave].is_rolled_back) => {
                        None
                    }
                    _ if self.people.roll_back && !is_going_back => {
                        self.engine.judge().note_rollback();
                        let asked = PlanRollback { wave: None, reason: REASON.to_owned() };
                        let _: FleetPlan = self.control_plane.post(&format!("{path}/rollback"), &asked)?;
                        is_going_back = true;
                        None
                    }
                    Some(WaveState::RolledBack) => Some(Outcome::RolledBack),
                    _ if is_going_back => None,
                    _ => Some(Outcome::Halted),
                },
                _ => None,
            };
            let rests_since = (moved.1.elapsed(), between_ms(moved.2, self.pace.now()));
            let is_stuck = rests_since.0 > LEAST_PATIENCE && rests_since.1 > self.patience_ms(&plan);
            if let Some(outcome) = outcome.or_else(|| is_stuck.then_some(Outcome::StandsStill)) {
                let stuck = self.members(&path, &[("outcome", "notRolledBack")])?;
                let stuck = stuck.into_iter().map(|member| member.executor_name).collect();
                let halted =
                    halted.or_else(|| plan.waves.iter().position(|it| it.state == WaveState::RolledBack));
                let plan = self.look(&path)?;
                return Ok(Ended { outcome, plan, halted, stuck, kills });
            }
            wait();
        }
    }

    /// A wave that soaks says nothing new for as long.
    fn patience_ms(&self, plan: &FleetPlan) -> u64 {
        let soaking = plan.waves.iter().position(|wave| wave.passed_at.is_none());
        PATIENCE_MS + soaking.map_or(0, |wave| self.waves[wave].soak_ms)
    }

    fn look(&mut self, path: &str) -> anyhow::Result<FleetPlan> {
        Ok(self.control_plane.get(path, &[])?)
    }

    fn look_around(&mut self) -> anyhow::Result<()> {
        if self.interrupted.load(Ordering::SeqCst) {
            return Err(
                stopped("interrupted; the control plane of the simulation is ended".to_owned()).into()
            );
        }
        if let Some(failure) = self.program.has_ended() {
            return Err(failure.into());
        }
        if let Some(refused) = self.engine.refused() {
            let found = format!("an executor that keeps to the protocol was refused: {refused}");
            return Err(Failure::new(Ending::Broken, "refused", found).into());
        }
        if let Some(broken) = &self.engine.judge().broken {
            let found = format!("it must hold that {}: {}", broken.invariant, broken.event);
            return Err(Failure::new(Ending::Broken, "invariant_broken", found).into());
        }
        Ok(())
    }

    /// Who they are is final once they have gone: before that, one that falls silent is replaced.
    fn note_canaries(&self, path: &str, plan: &FleetPlan) -> anyhow::Result<()> {
        let have_gone = |wave: &novacula_protocol::people::Wave| {
            wave.began_at.is_some() && wave.canary > 0 && wave.state != WaveState::Canary
        };
        for (index, wave) in plan.waves.iter().enumerate().filter(|(_, wave)| have_gone(wave)) {
            if self.engine.judge().knows_canaries(index) {
                continue;
            }
            let members = self.members(path, &[("wave", wave.name.as_str())])?;
            let names = members.into_iter().filter(|it| it.canary).map(|it| it.executor_name).collect();
            self.engine.judge().note_canaries(index, &names);
        }
        Ok(())
    }

    fn members(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<PlanMember>, Failure> {
        self.control_plane.all(&format!("{path}/executors"), query)
    }

    fn approve(&self, path: &str, plan: &FleetPlan, specs: &[WaveSpec]) -> anyhow::Result<()> {
        for (index, wave) in plan.waves.iter().enumerate().filter(|(_, it)| it.state == WaveState::Gate) {
            let is_asked =
                |gate: &Gate| gate.outcome == GateOutcome::Waiting && is_approval(gate, &specs[index]);
            let others = wave.gates.iter().filter(|gate| gate.blocking && !gate.skipped && !is_asked(gate));
            if !wave.gates.iter().any(is_asked)
                || others.clone().any(|gate| gate.outcome != GateOutcome::Pass)
            {
                continue;
            }
            self.engine.judge().note_approval(index, self.pace.now());
            let asked = PlanApproval { wave: Some(wave.name.clone()), reason: REASON.to_owned() };
            match self.control_plane.post::<FleetPlan>(&format!("{path}/approve"), &asked) {
                Ok(_) => self.terminal.note(format!("{}: approved", wave.name)),
                // It went on meanwhile.
                Err(failure) if failure.status == Some(409) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    /// Once in each wave, when some of its executors are through and some are not.
    fn is_time_to_kill(&self, plan: &FleetPlan, killed_in: &mut HashSet<usize>) -> bool {
        let middle = plan.waves.iter().enumerate().find(|(_, wave)| {
            matches!(wave.state, WaveState::Running | WaveState::Canary)
                && wave.counts.completed * 3 >= wave.counts.total
        });
        middle.is_some_and(|(index, _)| killed_in.insert(index))
    }

    fn tell(&self, plan: &FleetPlan, shown: &mut Vec<String>) {
        shown.resize(plan.waves.len(), String::new());
        for (wave, before) in plan.waves.iter().zip(shown) {
            let word = super::report::word(wave.state);
            if *before != word {
                word.clone_into(before);
                if wave.state != WaveState::Pending {
                    self.terminal.note(format!("{} {}: {word}: {}", self.pace.now(), wave.name, wave.reason));
                }
            }
        }
    }
}

fn is_approval(gate: &Gate, spec: &WaveSpec) -> bool {
    let named = |it: &GateSpec| matches!(it, GateSpec::Approval { .. }) && it.name() == gate.name;
    gate.name == "approval" || spec.gates.iter().any(named)
}

fn stopped(message: String) -> Failure {
    Failure::new(Ending::Failed, "simulation_stopped", message)
}

fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "it waits because that was asked for")]
fn wait() {
    std::thread::sleep(LOOK_EVERY);
}
