//! Going back: what a plan did in some of its waves is undone, executor by executor, and nothing else is touched.

use novacula_protocol::LogLevel;
use novacula_protocol::people::{Action, MemberOutcome, PlanState, WaveState};

use super::Sql;
use super::activity::CONTROL_PLANE;
use super::plan_rows as rows;
use super::plan_tick::Tick;
use super::requests::request;
use super::steering::{Said, steer_for_plan};
use crate::plan_document;
use crate::rollout::back::{Back, back};
use crate::rollout::member::{Looked, Member};
use crate::upgrade::Ask;

impl Tick<'_> {
    /// From now on these waves go back.
    pub(super) fn begin_rollback(&mut self, waves: &[usize], reason: &str) -> Sql<()> {
        for index in waves.iter().copied() {
            for mut member in self.members(index, true)? {
                if !matches!(back(&member), Back::Leave) && has_moved(&member) {
                    rows::set_turn(self.sql, self.plan.id, member.executor_id, None)?;
                    self.settle(index, &mut member, Looked::plain(MemberOutcome::RollingBack, ""))?;
                }
            }
            let wave = &mut self.waves[index];
            (wave.state, wave.healthy_since) = (WaveState::RollingBack, None);
            wave.reason = "what was done in it is being undone".to_owned();
        }
        (self.plan.state, self.plan.reason) = (PlanState::RollingBack, reason.to_owned());
        Ok(())
    }

    /// Takes the waves that go back as far as they can go now.
    pub(super) fn go_back(&mut self) -> Sql<()> {
        for index in 0..self.waves.len() {
            if self.waves[index].state == WaveState::RollingBack {
                self.go_back_in(index)?;
            }
        }
        if self.waves.iter().any(|wave| wave.state == WaveState::RollingBack) {
            return Ok(());
        }
        let is_whole = self.waves.iter().all(|wave| wave.state == WaveState::RolledBack);
        if is_whole {
            (self.plan.state, self.plan.reason) =
                (PlanState::RolledBack, "what the plan did is undone".to_owned());
            self.plan.ended_at = Some(self.now);
        } else {
            self.plan.state = PlanState::Halted;
            self.plan.reason = format!("{}; what was done there is undone", self.plan.reason);
        }
        self.tell(LogLevel::Success, None, None, "what was done is undone")?;
        self.deed(Action::PlanRolledBack, CONTROL_PLANE, None, &self.plan.reason)
    }

    fn go_back_in(&mut self, index: usize) -> Sql<()> {
        let mut members = self.members(index, true)?;
        let total = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let on_their_way = members.iter().filter(|member| is_on_its_way(member)).count();
        let mut room = (plan_document::in_flight(&self.plan.document.spec.waves[index], total) as usize)
            .saturating_sub(on_their_way);
        for member in members.iter_mut().filter(|member| member.outcome == MemberOutcome::RollingBack) {
            let after = self.step_back(member, &mut room)?;
            self.settle(index, member, after)?;
        }
        let count = |outcome| members.iter().filter(|member| member.outcome == outcome).count();
        let (left, stuck) = (count(MemberOutcome::RollingBack), count(MemberOutcome::NotRolledBack));
        let wave = &mut self.waves[index];
        if left > 0 {
            wave.reason = format!("{left} executors are on their way back");
            return Ok(());
        }
        wave.state = WaveState::RolledBack;
        let trouble = if stuck > 0 { format!(", {stuck} could not go back") } else { String::new() };
        wave.reason = format!("what was done in it is undone{trouble}");
        Ok(())
    }

    fn step_back(&mut self, member: &Member, room: &mut usize) -> Sql<Looked> {
        use MemberOutcome::{NotRolledBack, RolledBack, RollingBack};
        let way = back(member);
        let ask = match &way {
            Back::Abandon => Ask::AbandonUnstarted,
            _ => Ask::Rollback,
        };
        Ok(match way {
            Back::Done => Looked::plain(RolledBack, ""),
            Back::Leave => {
                Looked::plain(NotRolledBack, "somebody else has changed it since; it is left alone")
            }
            Back::Cannot(why) => Looked::plain(NotRolledBack, &why),
            Back::Wait => Looked::plain(RollingBack, ""),
            Back::Abandon | Back::Steer => {
                if let Some(attempt) = &member.seen.attempt {
                    let actor = self.actor();
                    let said = Said { actor: &actor, reason: &self.plan.reason, now: self.now };
                    self.changed.extend(steer_for_plan(self.sql, &attempt.id, ask, &said)?);
                }
                Looked::plain(RollingBack, "")
            }
            Back::Downgrade if *room == 0 => {
                Looked::plain(RollingBack, "as many as may go at once are under way")
            }
            Back::Downgrade => {
                let order = self.order(member, member.from_version.clone(), true);
                match request(self.sql, &order)? {
                    Ok(snapshot) => {
                        *room -= 1;
                        let id = snapshot.upgrade.as_ref().map(|upgrade| upgrade.shown.id.clone());
                        rows::set_turn(self.sql, self.plan.id, member.executor_id, id.as_deref())?;
                        self.changed.push(snapshot);
                        Looked::plain(RollingBack, "")
                    }
                    Err(refused) => Looked::plain(NotRolledBack, refused.to_string()),
                }
            }
        })
    }
}

/// The plan has done something to it.
fn has_moved(member: &Member) -> bool {
    member.seen.version != member.from_version
        || member
            .seen
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.is_open || (attempt.is_given_up && attempt.is_picked_up))
}

fn is_on_its_way(member: &Member) -> bool {
    member.seen.attempt.as_ref().is_some_and(|attempt| attempt.is_open)
}
