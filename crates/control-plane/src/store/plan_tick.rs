//! One tick of a fleet plan, in one transaction: what has become of its executors, what follows from that, and who goes
//! now. Nobody else grants anything for a plan, so no cap can be overshot.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use novacula_protocol::LogLevel;
use novacula_protocol::people::{Action, Gate, LateArrivers, MemberOutcome, PlanState, Presence, WaveState};
use novacula_protocol::spec::{Confirm, DEFAULT_HEALTH_WINDOW_MS, Kind};
use rusqlite::{Connection, OptionalExtension, params};
use semver::Version;
use serde_json::json;
use uuid::Uuid;

use super::activity::{CONTROL_PLANE, Deed, append};
use super::column::Word;
use super::plan_rows::{self as rows, Plan, WaveRow};
use super::requests::{RequestRefused, UpgradeOrder, request};
use super::steering::{Said, steer_for_plan};
use super::{Sql, groups, plan_events, plan_gates, plan_overlap};
use crate::clock::Clock;
use crate::executor::Snapshot;
use crate::rollout::member::{Looked, Member, Seen, look};
use crate::rollout::{self, Next, Verdict, share};
use crate::upgrade::Ask;
use crate::window::schedule::Schedule;

/// What is known of the executors of an account beside what the store holds.
#[derive(Clone)]
pub struct Sights {
    /// By their ids.
    pub by_id: Arc<HashMap<Uuid, Sight>>,
    /// How long an executor has to pick its upgrade up.
    pub ttl_ms: u64,
    /// For the ids of upgrades.
    pub clock: Clock,
}

impl Sights {
    /// For what needs to know nobody.
    pub(super) fn none() -> Self {
        Self { by_id: Arc::default(), ttl_ms: 0, clock: Clock::of_the_system() }
    }
}

/// What is known of one executor.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What people and its host say of it.
    pub labels: BTreeMap<String, String>,
    /// Whether it syncs, if anybody can tell.
    pub presence: Option<Presence>,
    /// Starts of its service since boot.
    pub restarts: u32,
    /// The freeze or window that lets nothing begin there.
    pub calendar: Option<String>,
}

/// A tick under way.
pub(super) struct Tick<'a> {
    pub sql: &'a Connection,
    pub plan: Plan,
    pub waves: Vec<WaveRow>,
    pub sights: &'a Sights,
    pub now: Timestamp,
    /// The executors that have something new to be told.
    pub changed: Vec<Snapshot>,
}

impl Tick<'_> {
    /// Takes the plan as far as it can go now.
    pub(super) fn forward(&mut self) -> Sql<()> {
        let Some(index) = self.waves.iter().position(|wave| wave.state != WaveState::Passed) else {
            return self.complete();
        };
        for passed in 0..index {
            self.look_back_at(passed)?;
        }
        match self.plan.state {
            PlanState::Running | PlanState::Paused => {}
            // Those that had begun come to their end, and it is seen.
            _ => return self.look_back_at(index),
        }
        if self.waves[index].state == WaveState::Pending {
            self.begin(index)?;
        } else if self.spec(index).late_arrivers == LateArrivers::Join {
            self.join(index, &[index])?;
        }
        let mut members = self.members(index, false)?;
        for member in &mut members {
            self.look_at(index, member)?;
        }
        self.follow(index, members)
    }

    fn spec(&self, wave: usize) -> &novacula_protocol::people::WaveSpec {
        &self.plan.document.spec.waves[wave]
    }

    pub(super) fn number(&self, wave: usize) -> u32 {
        self.waves[wave].wave
    }

    pub(super) fn members(&self, wave: usize, is_whole: bool) -> Sql<Vec<Member>> {
        let closed = self.window_closed(wave);
        let known = |id: Uuid| match self.sights.by_id.get(&id) {
            Some(sight) => {
                (sight.presence, Some(sight.restarts), sight.calendar.clone().or_else(|| closed.clone()))
            }
            None => (None, None, None),
        };
        let mut members = rows::members(self.sql, self.plan.id, self.number(wave), is_whole, &known)?;
        if !is_whole {
            let above = plan_overlap::above(self.sql, &self.plan)?;
            for member in &mut members {
                let sight = self.sights.by_id.get(&member.executor_id);
                member.seen.other_plan =
                    sight.and_then(|sight| above.has(member.executor_id, &sight.labels).map(str::to_owned));
            }
        }
        Ok(members)
    }

    /// Why nothing of the wave may begin now, by its own window.
    fn window_closed(&self, wave: usize) -> Option<String> {
        let spec = self.spec(wave);
        let window = spec.window.as_ref()?;
        let never = || Some(format!("the window of the wave `{}` does not open again", spec.name));
        let Ok(schedule) = Schedule::read(&window.cron, window.duration.ms, &window.zone, self.now) else {
            return never();
        };
        match schedule.now_or_next(self.now) {
            Some(span) if span.has(self.now) => None,
            Some(span) => Some(format!("the window of the wave `{}` opens at {}", spec.name, span.opens_at)),
            None => never(),
        }
    }

    /// The wave begins: from now on it is clear who is in it.
    fn begin(&mut self, index: usize) -> Sql<()> {
        let late: Vec<usize> =
            (0..index).filter(|before| self.spec(*before).late_arrivers == LateArrivers::Next).collect();
        self.waves[index].began_at = Some(self.now);
        let count = self.join(index, &[late, vec![index]].concat())?;
        let has_canaries = self.members(index, false)?.iter().any(|member| member.canary);
        let wave = &mut self.waves[index];
        wave.state = if has_canaries { WaveState::Canary } else { WaveState::Running };
        let name = self.spec(index).name.clone();
        let said = format!("the wave begins with {count} executors");
        self.tell(LogLevel::Info, Some(&name), None, &said)?;
        self.deed(Action::PlanWaveBegan, CONTROL_PLANE, Some(&name), &said)
    }

    /// Those that the selectors of `waves` take now, and that are in no wave yet, join this one. Answers how many.
    fn join(&mut self, index: usize, waves: &[usize]) -> Sql<usize> {
        let groups = groups::selectors(self.sql, self.plan.account_id)?;
        let selectors: Vec<_> = waves.iter().filter_map(|wave| self.spec(*wave).selector(&groups)).collect();
        let is_taken = |sight: &Sight| {
            sight.kind == self.plan.executor_kind
                && selectors.iter().any(|selector| crate::selector::takes(selector, &sight.labels))
        };
        let taken: Vec<Uuid> =
            self.sights.by_id.iter().filter(|(_, sight)| is_taken(sight)).map(|(id, _)| *id).collect();
        let mut new = Vec::new();
        for id in taken {
            if let Some(member) = self.newcomer(id)? {
                new.push(member);
            }
        }
        new.sort_by_key(|member| share::rank(self.plan.id, member.executor_id));
        let number = self.number(index);
        let before: u32 = self
            .sql
            .prepare_cached(
                "SELECT coalesce(max(position), 0) FROM plan_members WHERE plan_id = ?1 AND wave = ?2",
            )?
            .query_row(params![Word(&self.plan.id), number], |row| row.get(0))?;
        if before == 0 {
            let total = u32::try_from(new.len()).unwrap_or(u32::MAX);
            let canaries = share::canary(self.spec(index), total) as usize;
            // Who is not there, or there already, proves nothing.
            let able = new.iter_mut().filter(|member| member.outcome == MemberOutcome::Waiting);
            able.take(canaries).for_each(|member| member.canary = true);
        }
        for (position, member) in (before + 1..).zip(&new) {
            rows::insert_member(self.sql, self.plan.id, (number, position), member)?;
        }
        Ok(new.len())
    }

    /// An executor that is in no wave of the plan yet, as a member.
    fn newcomer(&self, id: Uuid) -> Sql<Option<Member>> {
        let Some(sight) = self.sights.by_id.get(&id) else { return Ok(None) };
        let found: Option<(Version, bool)> = self
            .sql
            .prepare_cached(
                "SELECT current_version, held IS NOT NULL FROM executors WHERE id = ?1 AND deleted_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM plan_members WHERE plan_id = ?2 AND executor_id = ?1)",
            )?
            .query_row(params![Word(&id), Word(&self.plan.id)], |row| {
                Ok((row.get::<_, Word<_>>(0)?.0, row.get(1)?))
            })
            .optional()?;
        let Some((version, is_held)) = found else { return Ok(None) };
        let mut member = Member {
            executor_id: id,
            name: sight.name.clone(),
            canary: false,
            outcome: MemberOutcome::Waiting,
            reason: String::new(),
            from_version: version.clone(),
            restarts_before: sight.restarts,
            has_turn: false,
            seen: Seen {
                is_deleted: false,
                presence: sight.presence,
                held: is_held.then(String::new),
                version,
                restarts: sight.restarts,
                calendar: sight.calendar.clone(),
                other_plan: None,
                attempt: None,
                other_upgrade: None,
            },
        };
        member.outcome = look(&member, &self.plan.target_version).outcome;
        Ok(Some(member))
    }

    /// Sees what has become of a member, and keeps it.
    fn look_at(&mut self, wave: usize, member: &mut Member) -> Sql<()> {
        let looked = look(member, &self.plan.target_version);
        if looked.withdraw {
            self.withdraw(member, &looked.reason)?;
        }
        self.settle(wave, member, looked)
    }

    /// Drops the upgrade of a member that has not picked it up.
    pub(super) fn withdraw(&mut self, member: &Member, reason: &str) -> Sql<()> {
        let Some(attempt) = &member.seen.attempt else { return Ok(()) };
        let actor = self.actor();
        let said = Said { actor: &actor, reason, now: self.now };
        self.changed.extend(steer_for_plan(self.sql, &attempt.id, Ask::AbandonUnstarted, &said)?);
        Ok(())
    }

    pub(super) fn settle(&mut self, wave: usize, member: &mut Member, looked: Looked) -> Sql<()> {
        use MemberOutcome as O;
        let Looked { outcome, reason, .. } = looked;
        if member.outcome == outcome && member.reason == reason {
            return Ok(());
        }
        if outcome != member.outcome {
            if outcome == O::Completed {
                member.restarts_before = member.seen.restarts;
            }
            let level = match outcome {
                O::Failed | O::Slow | O::NotRolledBack => Some(LogLevel::Error),
                O::Unreachable | O::Refused | O::Held | O::Yielded | O::Gone => Some(LogLevel::Warning),
                O::Completed | O::RolledBack => Some(LogLevel::Success),
                O::Started | O::RollingBack => Some(LogLevel::Info),
                O::Waiting | O::AlreadyThere => None,
            };
            if let Some(level) = level {
                let word = serde_json::to_value(outcome).unwrap_or_default();
                let word = word.as_str().unwrap_or_default();
                let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                let name = self.spec(wave).name.clone();
                self.tell(level, Some(&name), Some(&member.name), &format!("{word}{why}"))?;
            }
        }
        (member.outcome, member.reason) = (outcome, reason);
        rows::update_member(self.sql, self.plan.id, member)
    }

    /// In a wave that takes nobody new the ends of what was under way are still seen.
    pub(super) fn look_back_at(&mut self, index: usize) -> Sql<()> {
        use MemberOutcome as O;
        let number = self.number(index);
        let has_news = self
            .sql
            .prepare_cached(
                "SELECT 1 FROM plan_members WHERE plan_id = ?1 AND wave = ?2 AND upgrade_id IS NOT NULL
                   AND outcome IN (?3, ?4, ?5, ?6)",
            )?
            .exists(params![
                Word(&self.plan.id),
                number,
                Word(&O::Started),
                Word(&O::Slow),
                Word(&O::Unreachable),
                Word(&O::Waiting),
            ])?;
        if !has_news {
            return Ok(());
        }
        for mut member in self.members(index, false)? {
            let is_open = matches!(member.outcome, O::Started | O::Slow | O::Unreachable | O::Waiting);
            let looked = look(&member, &self.plan.target_version);
            let has_ended = matches!(looked.outcome, O::Completed | O::Failed | O::Slow | O::Unreachable);
            if is_open && has_ended && member.seen.attempt.is_some() && !looked.withdraw {
                self.settle(index, &mut member, looked)?;
            }
        }
        Ok(())
    }

    /// What follows for the wave from what has become of its members.
    fn follow(&mut self, index: usize, mut members: Vec<Member>) -> Sql<()> {
        let number = self.number(index);
        let said = self.said(number)?;
        let row = &self.waves[index];
        let spec = self.spec(index);
        let is_canary_part = row.state == WaveState::Canary;
        let total = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let next = rollout::next(
            &rollout::Wave {
                spec,
                is_canary_part,
                members: &members,
                healthy_since: row.healthy_since,
                said: &said,
                max_in_flight: share::in_flight(spec, total),
            },
            self.now,
        );
        let Next { verdict, grants, healthy_since, gates } = next;
        self.keep_gates(number, &said, &gates)?;
        if healthy_since.is_none() && row.healthy_since.is_some() {
            plan_gates::forget_probes(self.sql, self.plan.id, number)?;
        }
        for member in members.iter_mut().filter(|member| grants.contains(&member.executor_id)) {
            self.grant(index, member)?;
        }
        self.conclude(index, verdict, healthy_since)
    }

    /// What is known of the gates of a wave.
    pub(super) fn said(&self, wave: u32) -> Sql<Vec<Gate>> {
        let known = plan_gates::gate_rows(self.sql, self.plan.id)?;
        Ok(known.into_iter().filter(|row| row.wave == wave).map(plan_gates::GateRow::shown).collect())
    }

    /// What the control plane itself says to a gate is kept beside what probes and people said, for people to see.
    fn keep_gates(&self, wave: u32, said: &[Gate], gates: &[Gate]) -> Sql<()> {
        let own = [rollout::gates::ONLINE, rollout::gates::RECONCILED, rollout::gates::RESTARTS];
        for gate in gates.iter().filter(|gate| own.contains(&gate.name.as_str())) {
            let known = said.iter().find(|said| said.name == gate.name);
            if known.is_none_or(|said| (said.outcome, &said.message) != (gate.outcome, &gate.message)) {
                plan_gates::keep(self.sql, self.plan.id, wave, gate, self.now)?;
            }
        }
        Ok(())
    }

    fn conclude(&mut self, index: usize, verdict: Verdict, healthy_since: Option<Timestamp>) -> Sql<()> {
        let name = self.spec(index).name.clone();
        let is_canary_part = self.waves[index].state == WaveState::Canary;
        let part = |state| if is_canary_part { WaveState::Canary } else { state };
        self.waves[index].healthy_since = healthy_since;
        let wave = &mut self.waves[index];
        match verdict {
            Verdict::Run(why) => {
                (wave.state, wave.reason) = (part(WaveState::Running), why);
                self.goes_on(&name)
            }
            Verdict::Soak(until) => {
                (wave.state, wave.reason) = (part(WaveState::Soaking), format!("it soaks until {until}"));
                self.goes_on(&name)
            }
            Verdict::Await { gate, message } => {
                let reason = format!("it waits for its gate `{gate}`: {message}");
                let is_new = wave.reason != reason;
                (wave.state, wave.reason) = (part(WaveState::Gate), reason.clone());
                self.goes_on(&name)?;
                if is_new && rollout::is_approval(&gate, self.spec(index)) {
                    self.tell(LogLevel::Info, Some(&name), None, &reason)?;
                    self.deed(Action::PlanApprovalWanted, CONTROL_PLANE, Some(&name), &reason)?;
                }
                Ok(())
            }
            Verdict::Pause(why) => {
                wave.reason = why.clone();
                if healthy_since.is_none() {
                    wave.state = part(WaveState::Running);
                } else {
                    wave.state = part(WaveState::Gate);
                }
                let reason = format!("wave `{name}`: {why}");
                let is_new = self.plan.state != PlanState::Paused;
                (self.plan.state, self.plan.reason) = (PlanState::Paused, reason);
                if is_new {
                    self.tell(LogLevel::Warning, Some(&name), None, &format!("paused: {why}"))?;
                    self.deed(Action::PlanPaused, CONTROL_PLANE, Some(&name), &why)?;
                }
                Ok(())
            }
            Verdict::Halt(why) => self.fail(index, &why),
            Verdict::CanaryPassed => {
                wave.canary_passed_at = Some(self.now);
                wave.healthy_since = None;
                (wave.state, wave.reason) = (WaveState::Running, "its canaries have proved it".to_owned());
                plan_gates::forget_probes(self.sql, self.plan.id, wave.wave)?;
                self.tell(
                    LogLevel::Success,
                    Some(&name),
                    None,
                    "the canaries have proved it; the rest goes now",
                )?;
                self.goes_on(&name)
            }
            Verdict::Passed => {
                wave.passed_at = Some(self.now);
                (wave.state, wave.reason) = (WaveState::Passed, "it passed its gates".to_owned());
                self.tell(LogLevel::Success, Some(&name), None, "the wave passed its gates")?;
                self.deed(Action::PlanWavePassed, CONTROL_PLANE, Some(&name), "")?;
                self.goes_on(&name)?;
                self.forward()
            }
        }
    }

    fn goes_on(&mut self, wave: &str) -> Sql<()> {
        self.plan.reason = format!("wave `{wave}` is under way");
        if self.plan.state == PlanState::Paused {
            self.plan.state = PlanState::Running;
            self.tell(LogLevel::Info, Some(wave), None, "what made it pause is over; it goes on")?;
        }
        Ok(())
    }

    /// The wave halts by itself.
    fn fail(&mut self, index: usize, why: &str) -> Sql<()> {
        let name = self.spec(index).name.clone();
        let is_undone = self.spec(index).rollback_on_failure;
        let wave = &mut self.waves[index];
        (wave.state, wave.reason, wave.healthy_since) = (WaveState::Halted, why.to_owned(), None);
        let reason = format!("wave `{name}`: {why}");
        (self.plan.state, self.plan.reason) = (PlanState::Halted, reason.clone());
        self.stop_unstarted(index)?;
        self.tell(LogLevel::Error, Some(&name), None, &format!("halted: {why}"))?;
        self.deed(Action::PlanHalted, CONTROL_PLANE, Some(&name), why)?;
        if is_undone {
            self.deed(Action::PlanRollbackRequested, CONTROL_PLANE, Some(&name), why)?;
            self.begin_rollback(&[index], &reason)?;
            self.go_back()?;
        }
        Ok(())
    }

    /// Whoever has not begun stays where it is.
    pub(super) fn stop_unstarted(&mut self, index: usize) -> Sql<()> {
        for mut member in self.members(index, false)? {
            let is_unstarted = member.seen.attempt.as_ref().is_some_and(|it| it.is_open && !it.is_picked_up);
            if is_unstarted {
                self.withdraw(&member, "the plan halted before it began")?;
                let reason = "the plan halted before it began".to_owned();
                let waiting = Looked { outcome: MemberOutcome::Waiting, reason, withdraw: false };
                self.settle(index, &mut member, waiting)?;
            }
        }
        Ok(())
    }

    fn complete(&mut self) -> Sql<()> {
        (self.plan.state, self.plan.reason) = (PlanState::Completed, "every wave passed".to_owned());
        self.plan.ended_at = Some(self.now);
        self.tell(LogLevel::Success, None, None, "every wave passed")?;
        self.deed(Action::PlanCompleted, CONTROL_PLANE, None, "")
    }

    /// Asks for the upgrade of a member, as a person would.
    fn grant(&mut self, wave: usize, member: &mut Member) -> Sql<()> {
        let order = self.order(member, self.plan.target_version.clone(), false);
        let looked = match request(self.sql, &order)? {
            Ok(snapshot) => {
                let id = snapshot.upgrade.as_ref().map(|upgrade| upgrade.shown.id.clone());
                rows::set_turn(self.sql, self.plan.id, member.executor_id, id.as_deref())?;
                self.changed.push(snapshot);
                Looked { outcome: MemberOutcome::Started, reason: String::new(), withdraw: false }
            }
            Err(refused @ RequestRefused::AlreadyPending { .. }) => {
                Looked { outcome: MemberOutcome::Waiting, reason: refused.to_string(), withdraw: false }
            }
            Err(refused) => {
                Looked { outcome: MemberOutcome::Refused, reason: refused.to_string(), withdraw: false }
            }
        };
        self.settle(wave, member, looked)
    }

    pub(super) fn order(&self, member: &Member, target_version: Version, is_back: bool) -> UpgradeOrder {
        UpgradeOrder {
            id: self.sights.clock.new_id(),
            account_id: self.plan.account_id,
            requested_by: self.actor(),
            executor_id: member.executor_id,
            target_version,
            hops: true,
            scheduled_at: self.now,
            deadline: None,
            ttl_ms: self.sights.ttl_ms,
            expires_at: self.now,
            confirm_start: Confirm::Auto,
            confirm: Confirm::Auto,
            description: String::new(),
            health_window_ms: DEFAULT_HEALTH_WINDOW_MS,
            // Whoever something stands in the way of is not granted anything.
            calendar: None,
            plan: Some(rows::by_plan(&self.plan, is_back)),
            now: self.now,
        }
    }

    pub(super) fn actor(&self) -> String {
        format!("plan {}", self.plan.name)
    }

    pub(super) fn tell(
        &self,
        level: LogLevel,
        wave: Option<&str>,
        executor: Option<&str>,
        message: &str,
    ) -> Sql<()> {
        plan_events::note(self.sql, self.plan.id, self.now, level, wave, executor, message)
    }

    pub(super) fn deed(&self, action: Action, actor: &str, wave: Option<&str>, reason: &str) -> Sql<()> {
        let (target, name) = (self.plan.id.to_string(), self.plan.name.clone());
        let after = Some(json!({"wave": wave, "state": self.plan.state}));
        let deed = Deed::by(actor, self.plan.account_id, self.now, action);
        append(self.sql, Deed { target: &target, name: &name, reason, after, ..deed })
    }

    /// Keeps what has changed of the plan and its waves.
    pub(super) fn keep(&self, before: &(Plan, Vec<WaveRow>)) -> Sql<()> {
        if self.plan != before.0 {
            rows::update(self.sql, &self.plan)?;
        }
        for (row, _) in self.waves.iter().zip(&before.1).filter(|(now, then)| now != then) {
            rows::update_wave(self.sql, self.plan.id, row)?;
        }
        Ok(())
    }
}
