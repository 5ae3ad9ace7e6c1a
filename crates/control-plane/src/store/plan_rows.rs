//! Fleet plans, their waves and their members as rows.

use std::collections::HashMap;

use jiff::Timestamp;
use novacula_protocol::Stage;
use novacula_protocol::people::{
    Approval, FleetUpgradePlan, MemberOutcome, PlanState, Presence, Upgrade, WaveCounts, WaveState,
};
use novacula_protocol::spec::{Direction, Intent, Kind};
use novacula_protocol::sync::{Held, ReportError};
use semver::Version;
use uuid::Uuid;

use super::Sql;
use super::column::{Json, Time, Word};
use super::requests::ByPlan;
use super::sql::{Connection, OptionalExtension, Row, params};
use crate::rollout::member::{Attempt, Member, OtherUpgrade, Seen};

/// A plan that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// As its document says.
    pub name: String,
    /// What shall be done.
    pub document: FleetUpgradePlan,
    /// Of which kind its executors are.
    pub executor_kind: Kind,
    /// What shall run.
    pub target_version: Version,
    /// Where it stands.
    pub state: PlanState,
    /// Why.
    pub reason: String,
    /// Who applied it.
    pub requested_by: String,
    /// When.
    pub created_at: Timestamp,
    /// What somebody else has to say to it, where that is wanted.
    pub approval: Option<Approval>,
    /// What was noticed when it was applied.
    pub warnings: Vec<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Where a wave of a plan stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveRow {
    /// Which, from 0.
    pub wave: u32,
    /// Where it stands.
    pub state: WaveState,
    /// Why.
    pub reason: String,
    /// When its members were fixed.
    pub began_at: Option<Timestamp>,
    /// Since when it is healthy.
    pub healthy_since: Option<Timestamp>,
    /// When its canaries had proved it.
    pub canary_passed_at: Option<Timestamp>,
    /// When the next could begin.
    pub passed_at: Option<Timestamp>,
}

/// Whether an executor syncs, how often it started, and what lets nothing begin there.
pub(super) type Known<'a> = &'a dyn Fn(Uuid) -> (Option<Presence>, Option<u32>, Option<String>);

pub(super) fn insert(sql: &Connection, plan: &Plan) -> Sql<()> {
    sql.execute(
        "INSERT INTO plans (id, account_id, name, document, executor_kind, target_version, priority, state, reason,
           requested_by, created_at, approval, warnings)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            Word(&plan.id),
            Word(&plan.account_id),
            plan.name,
            Json(&plan.document),
            Word(&plan.executor_kind),
            Word(&plan.target_version),
            plan.document.spec.priority,
            Word(&plan.state),
            plan.reason,
            plan.requested_by,
            Time(plan.created_at),
            plan.approval.as_ref().map(Json),
            Json(&plan.warnings),
        ],
    )?;
    for wave in 0..plan.document.spec.waves.len() {
        let wave = u32::try_from(wave).unwrap_or(u32::MAX);
        sql.prepare_cached("INSERT INTO plan_waves (plan_id, wave, state, reason) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![Word(&plan.id), wave, Word(&WaveState::Pending), PENDING])?;
    }
    Ok(())
}

/// Why a wave has not begun.
pub(super) const PENDING: &str = "the waves before it come first";

/// Keeps where a plan stands.
pub(super) fn update(sql: &Connection, plan: &Plan) -> Sql<()> {
    sql.prepare_cached(
        "UPDATE plans SET state = ?2, reason = ?3, approval = ?4, ended_at = ?5 WHERE id = ?1",
    )?
    .execute(params![
        Word(&plan.id),
        Word(&plan.state),
        plan.reason,
        plan.approval.as_ref().map(Json),
        plan.ended_at.map(Time),
    ])?;
    Ok(())
}

/// Keeps where a wave stands.
pub(super) fn update_wave(sql: &Connection, plan_id: Uuid, row: &WaveRow) -> Sql<()> {
    sql.prepare_cached(
        "UPDATE plan_waves SET state = ?3, reason = ?4, began_at = ?5, healthy_since = ?6, canary_passed_at = ?7,
           passed_at = ?8 WHERE plan_id = ?1 AND wave = ?2",
    )?
    .execute(params![
        Word(&plan_id),
        row.wave,
        Word(&row.state),
        row.reason,
        row.began_at.map(Time),
        row.healthy_since.map(Time),
        row.canary_passed_at.map(Time),
        row.passed_at.map(Time),
    ])?;
    Ok(())
}

/// A plan of the account that was not deleted.
pub(super) fn find(sql: &Connection, account_id: Uuid, id: Uuid) -> Sql<Option<Plan>> {
    sql.prepare_cached("SELECT * FROM plans WHERE id = ?1 AND account_id = ?2 AND deleted_at IS NULL")?
        .query_row(params![Word(&id), Word(&account_id)], plan_of)
        .optional()
}

/// The plans that have not ended, of one account or of all.
pub(super) fn living(sql: &Connection, account_id: Option<Uuid>) -> Sql<Vec<Plan>> {
    sql.prepare_cached(
        "SELECT * FROM plans WHERE ended_at IS NULL AND deleted_at IS NULL AND (CAST(?1 AS TEXT) IS NULL OR account_id = ?1)
         ORDER BY id",
    )?
    .query_map(params![account_id.as_ref().map(Word)], plan_of)?
    .collect()
}

pub(super) fn waves(sql: &Connection, plan_id: Uuid) -> Sql<Vec<WaveRow>> {
    sql.prepare_cached("SELECT * FROM plan_waves WHERE plan_id = ?1 ORDER BY wave")?
        .query_map(params![Word(&plan_id)], |row| {
            let time = |name: &str| row.get::<_, Option<Time>>(name).map(|at| at.map(|Time(at)| at));
            Ok(WaveRow {
                wave: row.get("wave")?,
                state: row.get::<_, Word<_>>("state")?.0,
                reason: row.get("reason")?,
                began_at: time("began_at")?,
                healthy_since: time("healthy_since")?,
                canary_passed_at: time("canary_passed_at")?,
                passed_at: time("passed_at")?,
            })
        })?
        .collect()
}

/// How many executors of each wave are where.
pub(super) fn counts(sql: &Connection, plan_id: Uuid) -> Sql<HashMap<u32, WaveCounts>> {
    let mut counts: HashMap<u32, WaveCounts> = HashMap::new();
    let mut rows = sql.prepare_cached(
        "SELECT wave, outcome, CAST(sum(count) AS BIGINT) FROM plan_wave_counts WHERE plan_id = ?1
         GROUP BY wave, outcome HAVING sum(count) > 0",
    )?;
    let rows = rows.query_map(params![Word(&plan_id)], |row| {
        Ok((row.get(0)?, row.get::<_, Word<MemberOutcome>>(1)?.0, row.get(2)?))
    })?;
    for row in rows {
        let (wave, outcome, count) = row?;
        counts.entry(wave).or_default().add(outcome, count);
    }
    Ok(counts)
}

/// Makes one of the parts of each count, where the engine has put what changed beside it.
pub(super) fn sum_up(sql: &Connection, plan_id: Uuid) -> Sql<()> {
    if sql.is_embedded() {
        return Ok(());
    }
    sql.prepare_cached(
        "WITH parts AS (DELETE FROM plan_wave_counts WHERE plan_id = ?1 AND part <> 0 RETURNING *)
         INSERT INTO plan_wave_counts
           SELECT plan_id, wave, outcome, 0, sum(count) FROM parts GROUP BY plan_id, wave, outcome
         ON CONFLICT (plan_id, wave, outcome, part) DO UPDATE SET count = plan_wave_counts.count + excluded.count",
    )?
    .execute(params![Word(&plan_id)])?;
    Ok(())
}

/// A member joins its wave.
pub(super) fn insert_member(
    sql: &Connection,
    plan_id: Uuid,
    (wave, position): (u32, u32),
    member: &Member,
) -> Sql<()> {
    sql.prepare_cached(
        "INSERT INTO plan_members (plan_id, executor_id, executor_name, wave, position, canary, outcome, reason,
           from_version, restarts_before)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        Word(&plan_id),
        Word(&member.executor_id),
        member.name,
        wave,
        position,
        member.canary,
        Word(&member.outcome),
        member.reason,
        Word(&member.from_version),
        member.restarts_before,
    ])?;
    Ok(())
}

/// Keeps what became of a member.
pub(super) fn update_member(sql: &Connection, plan_id: Uuid, member: &Member) -> Sql<()> {
    sql.prepare_cached(
        "UPDATE plan_members SET outcome = ?3, reason = ?4, restarts_before = ?5, canary = ?6
         WHERE plan_id = ?1 AND executor_id = ?2",
    )?
    .execute(params![
        Word(&plan_id),
        Word(&member.executor_id),
        Word(&member.outcome),
        member.reason,
        member.restarts_before,
        member.canary,
    ])?;
    Ok(())
}

/// The first upgrade of the turn that a member has now; none: its turn has not come.
pub(super) fn set_turn(sql: &Connection, plan_id: Uuid, executor_id: Uuid, upgrade: Option<&str>) -> Sql<()> {
    sql.prepare_cached("UPDATE plan_members SET upgrade_id = ?3 WHERE plan_id = ?1 AND executor_id = ?2")?
        .execute(params![Word(&plan_id), Word(&executor_id), upgrade])?;
    Ok(())
}

/// The members of a wave in their order, as they are now; `whole` looks at all that the plan did to them, not only at
/// their present turn.
pub(super) fn members(
    sql: &Connection,
    plan_id: Uuid,
    wave: u32,
    is_whole: bool,
    known: Known<'_>,
) -> Sql<Vec<Member>> {
    sql.prepare_cached(
        "SELECT m.executor_id, m.executor_name, m.canary, m.outcome, m.reason, m.from_version, m.restarts_before,
           e.deleted_at, e.current_version, e.held, p.restarts,
           a.id, a.stage, a.intent, a.started_at, a.ended_at, a.ended_by_server, a.error, a.target_version, a.direction,
           o.requested_by, o.ended_at, o.stage, m.upgrade_id IS NOT NULL
         FROM plan_members m JOIN executors e ON e.id = m.executor_id JOIN presence p ON p.executor_id = e.id
         LEFT JOIN upgrades a ON a.id = (SELECT max(id) FROM upgrades WHERE executor_id = m.executor_id
           AND plan_id = m.plan_id AND (?3 OR id >= m.upgrade_id))
         LEFT JOIN upgrades o ON o.id = (SELECT max(id) FROM upgrades WHERE executor_id = m.executor_id
           AND plan_id IS DISTINCT FROM m.plan_id AND id > coalesce(a.id, ''))
         WHERE m.plan_id = ?1 AND m.wave = ?2 ORDER BY m.position",
    )?
    .query_map(params![Word(&plan_id), wave, is_whole], |row| member_of(row, known))?
    .collect()
}

fn member_of(row: &Row<'_>, known: Known<'_>) -> Sql<Member> {
    let executor_id = row.get::<_, Word<Uuid>>(0)?.0;
    let (presence, restarts, calendar) = known(executor_id);
    Ok(Member {
        executor_id,
        name: row.get(1)?,
        canary: row.get(2)?,
        outcome: row.get::<_, Word<_>>(3)?.0,
        reason: row.get(4)?,
        from_version: row.get::<_, Word<_>>(5)?.0,
        restarts_before: row.get(6)?,
        has_turn: row.get(23)?,
        seen: Seen {
            is_deleted: row.get::<_, Option<Time>>(7)?.is_some(),
            presence,
            held: row.get::<_, Option<Json<Held>>>(9)?.map(|Json(held)| held.reason),
            version: row.get::<_, Word<_>>(8)?.0,
            restarts: restarts.map_or_else(|| row.get(10), Ok)?,
            calendar,
            other_plan: None,
            attempt: attempt_of(row)?,
            other_upgrade: match row.get::<_, Option<Word<Stage>>>(22)? {
                Some(Word(stage)) => Some(OtherUpgrade {
                    requested_by: row.get(20)?,
                    is_open: row.get::<_, Option<Time>>(21)?.is_none(),
                    has_completed: stage == Stage::Completed,
                }),
                None => None,
            },
        },
    })
}

fn attempt_of(row: &Row<'_>) -> Sql<Option<Attempt>> {
    let Some(id) = row.get(11)? else { return Ok(None) };
    let stage: Stage = row.get::<_, Word<_>>(12)?.0;
    let error = row.get::<_, Option<Json<ReportError>>>(17)?.map(|Json(error)| error.message);
    Ok(Some(Attempt {
        id,
        is_open: row.get::<_, Option<Time>>(15)?.is_none(),
        is_picked_up: row.get::<_, Option<Time>>(14)?.is_some(),
        is_told_to_go_back: matches!(row.get::<_, Word<_>>(13)?.0, Intent::Rollback | Intent::Abandon),
        stage,
        is_given_up: row.get::<_, bool>(16)? && stage != Stage::Abandoned,
        error,
        target: row.get::<_, Word<_>>(18)?.0,
        is_back: row.get::<_, Word<Direction>>(19)?.0 == Direction::Downgrade,
    }))
}

/// What a plan brings along for its upgrades.
pub(super) fn by_plan(plan: &Plan, is_back: bool) -> ByPlan {
    let spec = &plan.document.spec;
    ByPlan {
        plan_id: plan.id,
        approval: plan.approval.clone(),
        acknowledged_by: (spec.prerequisites_acknowledged || is_back).then(|| plan.requested_by.clone()),
        is_back,
    }
}

/// What the plan of an upgrade brings along for the next hop on its way.
pub(super) fn on_the_way(sql: &Connection, done: &Upgrade) -> Sql<Option<ByPlan>> {
    let Some(id) = &done.plan_id else { return Ok(None) };
    let plan = sql
        .prepare_cached("SELECT * FROM plans WHERE id = ?1")?
        .query_row(params![id], plan_of)
        .optional()?;
    Ok(plan.map(|plan| by_plan(&plan, done.direction == Direction::Downgrade)))
}

pub(super) fn plan_of(row: &Row<'_>) -> Sql<Plan> {
    Ok(Plan {
        id: row.get::<_, Word<_>>("id")?.0,
        account_id: row.get::<_, Word<_>>("account_id")?.0,
        name: row.get("name")?,
        document: row.get::<_, Json<_>>("document")?.0,
        executor_kind: row.get::<_, Word<_>>("executor_kind")?.0,
        target_version: row.get::<_, Word<_>>("target_version")?.0,
        state: row.get::<_, Word<_>>("state")?.0,
        reason: row.get("reason")?,
        requested_by: row.get("requested_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        approval: row.get::<_, Option<Json<_>>>("approval")?.map(|Json(approval)| approval),
        warnings: row.get::<_, Json<_>>("warnings")?.0,
        ended_at: row.get::<_, Option<Time>>("ended_at")?.map(|Time(at)| at),
    })
}
