//! Fleet plans: kept when they are applied, taken further at every tick, shown.

use std::collections::HashMap;

use jiff::Timestamp;
use novacula_protocol::LogLevel;
use novacula_protocol::people::{Action, Approval, Gate, MemberOutcome, PlanState, WaveCounts};
use semver::Version;
use uuid::Uuid;

use super::column::{Count, Word};
use super::plan_rows::{self as rows, Plan, WaveRow};
use super::plan_sights::Sights;
use super::plan_steering::PlanRefused;
use super::plan_tick::Tick;
use super::sql::{Connection, Row, named_params};
use super::{Person, Sql, Store, StoreError, four_eyes, plan_gates, release_rows};
use crate::executor::Snapshot;

/// A plan with everything that is shown of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanShown {
    /// The plan.
    pub plan: Plan,
    /// Its waves in their order.
    pub waves: Vec<WaveRow>,
    /// How their executors are doing.
    pub counts: HashMap<u32, WaveCounts>,
    /// What their gates said last.
    pub gates: HashMap<u32, Vec<Gate>>,
}

/// Which members are listed.
#[derive(Clone, Debug, Default)]
pub struct MembersListed {
    /// Only of this wave, from 0.
    pub wave: Option<u32>,
    /// Only those that this became of.
    pub outcome: Option<MemberOutcome>,
    /// Behind this one, as wave and position.
    pub after: Option<(u32, u32)>,
    /// At most so many.
    pub limit: u32,
}

/// A member as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberShown {
    /// Who.
    pub executor_id: Uuid,
    /// As it was called when the wave began.
    pub name: String,
    /// Its wave, from 0.
    pub wave: u32,
    /// Its place in it, from 1.
    pub position: u32,
    /// It goes before the rest.
    pub canary: bool,
    /// What became of it.
    pub outcome: MemberOutcome,
    /// Why.
    pub reason: String,
    /// What ran there.
    pub from_version: Version,
    /// Its upgrade by the plan.
    pub upgrade_id: Option<String>,
}

impl Store {
    /// Keeps a plan that was checked. Where the same document lives under its name, that one is answered, and `false`.
    ///
    /// # Errors
    /// When the store does not answer; inside, when another document has its name.
    pub async fn add_plan(
        &self,
        by: Person,
        mut plan: Plan,
    ) -> Result<Result<(Uuid, bool), PlanRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let living = rows::living(sql, Some(by.account_id))?;
            if let Some(known) = living.into_iter().find(|known| known.name == plan.name) {
                return Ok(if known.document == plan.document {
                    Ok((known.id, false))
                } else {
                    Err(PlanRefused::Exists(plan.name))
                });
            }
            let release =
                release_rows::by_version(sql, by.account_id, plan.executor_kind, &plan.target_version)?;
            let is_approval_wanted = match release {
                Some(release) => four_eyes::are_wanted(sql, by.account_id, release.channel)?,
                None => false,
            };
            if is_approval_wanted {
                plan.approval = Some(Approval::default());
                plan.state = PlanState::ApprovalWanted;
                plan.reason = format!("it wants the approval of somebody else than {}", by.name);
            }
            rows::insert(sql, &plan)?;
            let waves = rows::waves(sql, plan.id)?;
            let sights = Sights::none();
            let now = plan.created_at;
            let tick = Tick { sql, plan, waves, sights: &sights, now, changed: Vec::new() };
            tick.tell(LogLevel::Info, None, None, &format!("{} applied the plan", by.name))?;
            tick.deed(Action::PlanApplied, &by.name, None, "")?;
            if is_approval_wanted {
                tick.deed(
                    Action::PlanApprovalWanted,
                    super::activity::CONTROL_PLANE,
                    None,
                    &tick.plan.reason,
                )?;
            }
            Ok(Ok((tick.plan.id, true)))
        })
        .await
    }

    /// How many plans stand where, of all accounts; those that were deleted are not counted.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn plans_by_state(&self) -> Result<Vec<(PlanState, u64)>, StoreError> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached(
                "SELECT state, count(*) FROM plans WHERE deleted_at IS NULL GROUP BY state",
            )?;
            rows.query_map([], |row| Ok((row.get::<_, Word<_>>(0)?.0, row.get::<_, Count>(1)?.0)))?.collect()
        })
        .await
    }

    /// The plans that have not ended: each with its account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn plans_under_way(&self) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        self.read(|sql| {
            let living = rows::living(sql, None)?.into_iter();
            Ok(living.map(|plan| (plan.id, plan.account_id)).collect())
        })
        .await
    }

    /// Takes a plan as far as it can go now. Answers the executors that have something new to be told.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn advance_plan(
        &self,
        (id, account_id): (Uuid, Uuid),
        sights: Sights,
        now: Timestamp,
    ) -> Result<Vec<Snapshot>, StoreError> {
        self.write(move |sql| advance(sql, (id, account_id), &sights, now)).await
    }

    /// One plan of an account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn plan(&self, account_id: Uuid, id: Uuid) -> Result<Option<PlanShown>, StoreError> {
        self.read(move |sql| rows::find(sql, account_id, id)?.map(|plan| shown(sql, plan)).transpose()).await
    }

    /// Plans of an account, newest first, from below `before`, at most `limit`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn plans(
        &self,
        account_id: Uuid,
        (name, state): (Option<String>, Option<PlanState>),
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<PlanShown>, StoreError> {
        self.read(move |sql| {
            let plans: Vec<Plan> = sql
                .prepare_cached(
                    "SELECT * FROM plans WHERE account_id = :account AND deleted_at IS NULL
                       AND (CAST(:name AS TEXT) IS NULL OR name = :name) AND (CAST(:state AS TEXT) IS NULL OR state = :state)
                       AND (CAST(:before AS TEXT) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit",
                )?
                .query_map(
                    named_params! {
                        ":account": Word(&account_id),
                        ":name": name,
                        ":state": state.as_ref().map(Word),
                        ":before": before.as_ref().map(Word),
                        ":limit": limit,
                    },
                    rows::plan_of,
                )?
                .collect::<Sql<_>>()?;
            plans.into_iter().map(|plan| shown(sql, plan)).collect()
        })
        .await
    }

    /// Members of a plan in the order of their waves.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn plan_members(
        &self,
        plan_id: Uuid,
        listed: MembersListed,
    ) -> Result<Vec<MemberShown>, StoreError> {
        self.read(move |sql| {
            let after = listed.after.unwrap_or((0, 0));
            sql.prepare_cached(
                "SELECT * FROM plan_members WHERE plan_id = :plan AND (wave, position) > (:wave_after, :after)
                   AND (CAST(:wave AS BIGINT) IS NULL OR wave = :wave) AND (CAST(:outcome AS TEXT) IS NULL OR outcome = :outcome)
                 ORDER BY wave, position LIMIT :limit",
            )?
            .query_map(
                named_params! {
                    ":plan": Word(&plan_id),
                    ":wave_after": after.0,
                    ":after": after.1,
                    ":wave": listed.wave,
                    ":outcome": listed.outcome.as_ref().map(Word),
                    ":limit": listed.limit,
                },
                member_of,
            )?
            .collect()
        })
        .await
    }
}

pub(super) fn member_of(row: &Row<'_>) -> Sql<MemberShown> {
    Ok(MemberShown {
        executor_id: row.get::<_, Word<_>>("executor_id")?.0,
        name: row.get("executor_name")?,
        wave: row.get("wave")?,
        position: row.get("position")?,
        canary: row.get("canary")?,
        outcome: row.get::<_, Word<_>>("outcome")?.0,
        reason: row.get("reason")?,
        from_version: row.get::<_, Word<_>>("from_version")?.0,
        upgrade_id: row.get("upgrade_id")?,
    })
}

fn shown(sql: &Connection, plan: Plan) -> Sql<PlanShown> {
    let waves = rows::waves(sql, plan.id)?;
    let counts = rows::counts(sql, plan.id)?;
    let mut gates: HashMap<u32, Vec<Gate>> = HashMap::new();
    for row in plan_gates::gate_rows(sql, plan.id)? {
        gates.entry(row.wave).or_default().push(row.shown());
    }
    Ok(PlanShown { plan, waves, counts, gates })
}

fn advance(
    sql: &Connection,
    (id, account_id): (Uuid, Uuid),
    sights: &Sights,
    now: Timestamp,
) -> Sql<Vec<Snapshot>> {
    let Some(plan) = rows::find(sql, account_id, id)?.filter(|plan| plan.ended_at.is_none()) else {
        return Ok(Vec::new());
    };
    let before = (plan, rows::waves(sql, id)?);
    let (plan, waves) = before.clone();
    let mut tick = Tick { sql, plan, waves, sights, now, changed: Vec::new() };
    match tick.plan.state {
        PlanState::RollingBack => tick.go_back()?,
        PlanState::ApprovalWanted => {}
        PlanState::Running
        | PlanState::Paused
        | PlanState::Halted
        | PlanState::RolledBack
        | PlanState::Completed => tick.forward()?,
    }
    tick.keep(&before)?;
    Ok(tick.changed)
}
