//! One tick of a fleet plan, in one transaction: what has become of its executors, what follows from that, and who goes
//! now. Nobody else grants anything for a plan, so no cap can be overshot.

use jiff::Timestamp;
use novacula_protocol::LogLevel;
use novacula_protocol::people::{Action, Gate, LateArrivers, MemberOutcome, PlanState, WaveState};
use novacula_protocol::spec::{Confirm, DEFAULT_HEALTH_WINDOW_MS};
use semver::Version;
use serde_json::json;

use super::activity::{CONTROL_PLANE, Deed, append};
use super::column::Word;
use super::plan_rows::{self as rows, Plan, WaveRow};
use super::plan_sights::Sights;
use super::requests::{RequestRefused, UpgradeOrder, request};
use super::sql::{Connection, params};
use super::steering::{Said, steer_for_plan};
use super::{Sql, plan_events, plan_gates};
use crate::executor::Snapshot;
use crate::plan_document;
use crate::rollout::member::{Looked, Member, look};
use crate::rollout::{self, Next, Verdict};
use crate::upgrade::Ask;

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
        } else if self.is_empty(index)? {
            // Of a wave that takes nobody nothing is fixed: it pauses, and begins with whoever comes.
            self.fill(index)?;
        } else if self.spec(index).late_arrivers == LateArrivers::Join {
            self.join(index, &[index])?;
        }
        let mut members = self.members(index, false)?;
        for member in &mut members {
            self.look_at(index, member)?;
        }
        if self.waves[index].state == WaveState::Canary {
            self.replace_canaries(index, &mut members)?;
        }
        self.follow(index, members)
    }

    pub(super) fn spec(&self, wave: usize) -> &novacula_protocol::people::WaveSpec {
        &self.plan.document.spec.waves[wave]
    }

    pub(super) fn number(&self, wave: usize) -> u32 {
        self.waves[wave].wave
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
        let max_in_flight = plan_document::in_flight(spec, total);
        let wave = rollout::Wave {
            spec,
            is_canary_part,
            members: &members,
            healthy_since: row.healthy_since,
            said: &said,
            max_in_flight,
        };
        let Next { verdict, grants, healthy_since, gates } = rollout::next(&wave, self.now);
        self.keep_gates(number, &said, &gates)?;
        // What made the wave halt is to be seen as long as it stands halted.
        let has_lost_health = healthy_since.is_none() && row.healthy_since.is_some();
        if has_lost_health && !matches!(verdict, Verdict::Halt(_)) {
            plan_gates::forget_probes(self.sql, self.plan.id, number)?;
        }
        for member in members.iter_mut().filter(|member| grants.contains(&member.executor_id)) {
            self.grant(index, member)?;
        }
        if verdict == Verdict::Run {
            self.waves[index].reason = rollout::under_way(&members, is_canary_part, max_in_flight);
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
            Verdict::Run => {
                wave.state = part(WaveState::Running);
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
                wave.state = part(if healthy_since.is_none() { WaveState::Running } else { WaveState::Gate });
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
                let why = "the plan halted before it began";
                self.withdraw(&member, why)?;
                self.settle(index, &mut member, Looked::plain(MemberOutcome::Waiting, why))?;
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
                Looked::plain(MemberOutcome::Started, "")
            }
            Err(refused @ RequestRefused::AlreadyPending { .. }) => {
                Looked::plain(MemberOutcome::Waiting, refused.to_string())
            }
            Err(refused) => Looked::plain(MemberOutcome::Refused, refused.to_string()),
        };
        self.settle(wave, member, looked)
    }

    pub(super) fn order(&self, member: &Member, target_version: Version, is_back: bool) -> UpgradeOrder {
        let spec = &self.plan.document.spec;
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
            health_window_ms: spec.health_window.map_or(DEFAULT_HEALTH_WINDOW_MS, |window| window.ms),
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
        rows::sum_up(self.sql, self.plan.id)
    }
}
