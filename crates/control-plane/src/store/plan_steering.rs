//! What people say to a fleet plan, held against where it stands in one transaction.

use jiff::Timestamp;
use novacula_protocol::LogLevel;
use novacula_protocol::people::{Action, Approval, Gate, GateOutcome, MemberOutcome, PlanState, WaveState};
use uuid::Uuid;

use super::column::{Time, Word};
use super::plan_rows as rows;
use super::plan_sights::Sights;
use super::plan_tick::Tick;
use super::sql::params;
use super::{Person, Sql, Store, StoreError, plan_gates};
use crate::executor::Snapshot;
use crate::rollout::{gates, is_approval};

/// What a person says to a plan.
#[derive(Clone, Debug)]
pub struct PlanSteer {
    /// Which.
    pub plan_id: Uuid,
    /// Who says it, in which account.
    pub by: Person,
    /// What.
    pub ask: PlanAsk,
    /// Why.
    pub reason: String,
    /// When.
    pub now: Timestamp,
}

/// What a person may ask of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanAsk {
    /// Say yes to the plan, or to this wave of it.
    Approve(Option<String>),
    /// Start nobody more.
    Halt,
    /// Go on; in a wave that failed, those that failed have another turn.
    Resume,
    /// Let a wave past one of its gates.
    SkipGate {
        /// The wave.
        wave: String,
        /// Its gate.
        gate: String,
    },
    /// Undo what it did, or what it did in this wave.
    Rollback(Option<String>),
    /// Remove it.
    Delete,
}

/// Why a person's word about a plan is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanRefused {
    /// The account has no such plan.
    #[error("there is no such plan")]
    NotFound,
    /// It has no such wave or gate.
    #[error("there is no such {0}")]
    NoSuch(String),
    /// Another document has its name.
    #[error(
        "another plan `{0}` has not ended, and it is not the same document; delete that one, or give this one another name"
    )]
    Exists(String),
    /// It is not the time for that.
    #[error("{message}")]
    NotAllowed {
        /// In one word.
        code: &'static str,
        /// Why, and what to do instead.
        message: String,
    },
}

impl Store {
    /// Does what a person says to a plan, if it is the time for it. Answers the executors that have something new to be
    /// told.
    ///
    /// # Errors
    /// When the store does not answer; inside, why not.
    pub async fn steer_plan(
        &self,
        steer: PlanSteer,
        sights: Sights,
    ) -> Result<Result<Vec<Snapshot>, PlanRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(plan) = rows::find(sql, steer.by.account_id, steer.plan_id)? else {
                return Ok(Err(PlanRefused::NotFound));
            };
            let waves = rows::waves(sql, plan.id)?;
            let before = (plan, waves);
            let (plan, waves) = before.clone();
            let mut tick = Tick { sql, plan, waves, sights: &sights, now: steer.now, changed: Vec::new() };
            if let Err(refused) = tick.steered(&steer)? {
                return Ok(Err(refused));
            }
            tick.keep(&before)?;
            Ok(Ok(tick.changed))
        })
        .await
    }
}

type Verdict = Sql<Result<(), PlanRefused>>;

impl Tick<'_> {
    fn steered(&mut self, steer: &PlanSteer) -> Verdict {
        match &steer.ask {
            PlanAsk::Approve(wave) => self.approve(steer, wave.as_deref()),
            PlanAsk::Halt => self.halt(steer),
            PlanAsk::Resume => self.resume(steer),
            PlanAsk::SkipGate { wave, gate } => self.skip(steer, wave, gate),
            PlanAsk::Rollback(wave) => self.roll_back(steer, wave.as_deref()),
            PlanAsk::Delete => self.delete(steer),
        }
    }

    fn wave_named(&self, name: &str) -> Result<usize, PlanRefused> {
        let named = self.plan.document.spec.waves.iter().position(|wave| wave.name == name);
        named.ok_or_else(|| PlanRefused::NoSuch(format!("wave in the plan: `{name}`")))
    }

    fn current(&self) -> Option<usize> {
        self.waves.iter().position(|wave| wave.state != WaveState::Passed)
    }

    fn said_by(&self, steer: &PlanSteer, action: Action, wave: Option<&str>, said: &str) -> Sql<()> {
        let PlanSteer { by, reason, .. } = steer;
        self.tell(LogLevel::Info, wave, None, &format!("{} {said}: {reason}", by.name))?;
        self.deed(action, &by.name, wave, reason)
    }

    fn approve(&mut self, steer: &PlanSteer, wave: Option<&str>) -> Verdict {
        let by = &steer.by.name;
        if self.plan.state == PlanState::ApprovalWanted && wave.is_none() {
            if self.plan.requested_by == *by {
                let message = format!("{by} applied the plan, somebody else has to approve it");
                return refuse("own_request", message);
            }
            self.plan.approval =
                Some(Approval { approved_by: Some(by.clone()), approved_at: Some(self.now) });
            (self.plan.state, self.plan.reason) = (PlanState::Running, format!("{by} approved it"));
            self.said_by(steer, Action::PlanApproved, None, "approved the plan")?;
            return Ok(Ok(()));
        }
        let not_wanted = "no wave of the plan waits for an approval; a wave does so when it has soaked";
        let named = match wave.map(|name| self.wave_named(name)).transpose() {
            Ok(named) => named,
            Err(refused) => return Ok(Err(refused)),
        };
        let current = self.current().filter(|index| named.is_none_or(|named| named == *index));
        let Some(index) = current.filter(|_| is_under_way(self.plan.state)) else {
            return refuse("approval_not_wanted", not_wanted);
        };
        let spec = self.plan.document.spec.waves[index].clone();
        let number = self.number(index);
        let said = self.said(number)?;
        let is_open = |name: &String| {
            is_approval(name, &spec)
                && !said.iter().any(|gate| gate.name == *name && gate.outcome == GateOutcome::Pass)
        };
        let gate = gates::names(&spec).into_iter().find(is_open);
        let Some(name) = gate.filter(|_| self.waves[index].state == WaveState::Gate) else {
            return refuse("approval_not_wanted", not_wanted);
        };
        let message = format!("{by} approved it: {}", steer.reason);
        let gate = Gate {
            name,
            outcome: GateOutcome::Pass,
            message,
            blocking: true,
            at: None,
            by: Some(by.clone()),
            skipped: false,
        };
        plan_gates::keep(self.sql, self.plan.id, number, &gate, self.now)?;
        self.said_by(steer, Action::PlanApproved, Some(&spec.name), "approved the wave")?;
        Ok(Ok(()))
    }

    fn halt(&mut self, steer: &PlanSteer) -> Verdict {
        if !is_under_way(self.plan.state) && self.plan.state != PlanState::ApprovalWanted {
            return refuse("plan_not_running", format!("the plan cannot be halted: {}", self.stands()));
        }
        if let Some(index) = self.current().filter(|index| self.waves[*index].state != WaveState::Pending) {
            self.stop_unstarted(index)?;
            self.waves[index].healthy_since = None;
        }
        let reason = format!("{} halted it: {}", steer.by.name, steer.reason);
        (self.plan.state, self.plan.reason) = (PlanState::Halted, reason);
        self.said_by(steer, Action::PlanHalted, None, "halted the plan")?;
        Ok(Ok(()))
    }

    fn resume(&mut self, steer: &PlanSteer) -> Verdict {
        if self.plan.state != PlanState::Halted {
            return refuse("plan_not_halted", format!("the plan cannot be resumed: {}", self.stands()));
        }
        if let Some(index) = self.current() {
            let number = self.number(index);
            if matches!(self.waves[index].state, WaveState::Halted | WaveState::RolledBack) {
                self.another_turn(index)?;
                let has_canaries = self.members(index, false)?.iter().any(|member| member.canary);
                let wave = &mut self.waves[index];
                wave.state = match wave.canary_passed_at {
                    None if has_canaries => WaveState::Canary,
                    _ => WaveState::Running,
                };
            }
            self.waves[index].healthy_since = None;
            self.waves[index].reason = "it was resumed".to_owned();
            plan_gates::forget_probes(self.sql, self.plan.id, number)?;
        }
        let is_approved = self.plan.approval.as_ref().is_none_or(|approval| approval.approved_by.is_some());
        self.plan.state = if is_approved { PlanState::Running } else { PlanState::ApprovalWanted };
        self.plan.reason = format!("{} resumed it: {}", steer.by.name, steer.reason);
        self.said_by(steer, Action::PlanResumed, None, "resumed the plan")?;
        Ok(Ok(()))
    }

    /// Those of the wave that did not get there have another turn.
    fn another_turn(&mut self, index: usize) -> Sql<()> {
        use MemberOutcome as O;
        for mut member in self.members(index, true)? {
            let has_failed = matches!(
                member.outcome,
                O::Failed | O::Slow | O::Refused | O::Unreachable | O::RolledBack | O::NotRolledBack
            );
            let is_open = member.seen.attempt.as_ref().is_some_and(|attempt| attempt.is_open);
            if has_failed && !is_open {
                rows::set_turn(self.sql, self.plan.id, member.executor_id, None)?;
                member.outcome = O::Waiting;
                member.reason = "it has another turn".to_owned();
                rows::update_member(self.sql, self.plan.id, &member)?;
            }
        }
        Ok(())
    }

    fn skip(&mut self, steer: &PlanSteer, wave: &str, gate: &str) -> Verdict {
        let index = match self.wave_named(wave) {
            Ok(index) => index,
            Err(refused) => return Ok(Err(refused)),
        };
        let spec = &self.plan.document.spec.waves[index];
        if !gates::names(spec).iter().any(|name| name == gate) {
            return Ok(Err(PlanRefused::NoSuch(format!("gate in the wave `{wave}`: `{gate}`"))));
        }
        if self.plan.state.is_end() || self.waves[index].state == WaveState::Passed {
            return refuse("plan_not_running", format!("the gate cannot be skipped: {}", self.stands()));
        }
        let number = self.number(index);
        let known = self.said(number)?.into_iter().find(|known| known.name == gate);
        let mut known = known.unwrap_or_else(|| Gate {
            name: gate.to_owned(),
            outcome: GateOutcome::Waiting,
            message: String::new(),
            blocking: true,
            at: None,
            by: None,
            skipped: false,
        });
        (known.skipped, known.by) = (true, Some(steer.by.name.clone()));
        plan_gates::keep(self.sql, self.plan.id, number, &known, self.now)?;
        let said = format!("let the wave past its gate `{gate}`");
        self.said_by(steer, Action::PlanGateSkipped, Some(wave), &said)?;
        Ok(Ok(()))
    }

    fn roll_back(&mut self, steer: &PlanSteer, wave: Option<&str>) -> Verdict {
        if self.plan.state == PlanState::RolledBack {
            return refuse("plan_not_running", format!("the plan cannot be rolled back: {}", self.stands()));
        }
        let indexes: Vec<usize> = match wave {
            Some(name) => match self.wave_named(name) {
                Ok(index) if self.waves[index].state == WaveState::Pending => {
                    return refuse(
                        "plan_not_running",
                        format!("the wave `{name}` has not begun; nothing is to be undone"),
                    );
                }
                Ok(index) => vec![index],
                Err(refused) => return Ok(Err(refused)),
            },
            None => (0..self.waves.len()).collect(),
        };
        let name = self.plan.name.clone();
        let mut others = rows::living(self.sql, Some(self.plan.account_id))?.into_iter();
        if others.any(|other| other.name == name && other.id != self.plan.id) {
            let message = format!("another plan `{name}` has not ended; halt and delete that one first");
            return refuse("plan_exists", message);
        }
        let said = match wave {
            Some(name) => format!("rolls the wave `{name}` back"),
            None => "rolls the plan back".to_owned(),
        };
        if let Some(current) = self.current().filter(|index| self.waves[*index].began_at.is_some()) {
            self.stop_unstarted(current)?;
        }
        let reason = format!("{} {said}: {}", steer.by.name, steer.reason);
        self.begin_rollback(&indexes, &reason)?;
        self.plan.ended_at = None;
        self.said_by(steer, Action::PlanRollbackRequested, wave, &said)?;
        Ok(Ok(()))
    }

    fn delete(&mut self, steer: &PlanSteer) -> Verdict {
        use PlanState::{ApprovalWanted, Completed, Halted, RolledBack};
        let is_over = matches!(self.plan.state, ApprovalWanted | Completed | Halted | RolledBack);
        let is_at_work = self
            .sql
            .prepare_cached("SELECT 1 FROM upgrades WHERE plan_id = ?1 AND ended_at IS NULL")?
            .exists(params![Word(&self.plan.id)])?;
        if !is_over {
            return refuse(
                "plan_running",
                format!("the plan cannot be deleted: {}; halt it first", self.stands()),
            );
        }
        if is_at_work {
            let message = "the plan cannot be deleted: upgrades of it are under way; wait for their ends";
            return refuse("plan_running", message);
        }
        self.sql.execute(
            "UPDATE plans SET deleted_at = ?2 WHERE id = ?1",
            params![Word(&self.plan.id), Time(self.now)],
        )?;
        self.said_by(steer, Action::PlanDeleted, None, "deleted the plan")?;
        Ok(Ok(()))
    }

    fn stands(&self) -> String {
        let word = serde_json::to_value(self.plan.state).unwrap_or_default();
        format!("it is {}, {}", word.as_str().unwrap_or_default(), self.plan.reason)
    }
}

fn is_under_way(state: PlanState) -> bool {
    matches!(state, PlanState::Running | PlanState::Paused)
}

fn refuse(code: &'static str, message: impl Into<String>) -> Verdict {
    Ok(Err(PlanRefused::NotAllowed { code, message: message.into() }))
}
