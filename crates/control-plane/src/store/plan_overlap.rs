//! Which plan has an executor that several take.

use std::collections::{BTreeMap, HashSet};

use novacula_protocol::people::{Selector, WaveState};
use uuid::Uuid;

use super::column::Word;
use super::plan_rows::{self as rows, Plan};
use super::sql::{Connection, params};
use super::{PlanShown, Sql, Store, StoreError, groups};
use crate::labels::Labels;
use crate::plan_document::{Standing, order, selector_of};
use crate::selector::takes;

/// A plan that has not ended, and whom it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivingPlan {
    /// The plan.
    pub plan: Plan,
    /// The executors of its waves that have begun.
    pub members: HashSet<Uuid>,
    /// Its waves that have not, from 0.
    pub pending: Vec<u32>,
}

impl Store {
    /// The plans of an account that have not ended.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn plans_alive(&self, account_id: Uuid) -> Result<Vec<LivingPlan>, StoreError> {
        self.read(move |sql| {
            rows::living(sql, Some(account_id))?.into_iter().map(|plan| living(sql, plan)).collect()
        })
        .await
    }

    /// The executors of the waves of a plan that have begun.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn plan_executors(&self, plan_id: Uuid) -> Result<HashSet<Uuid>, StoreError> {
        self.read(move |sql| members(sql, plan_id)).await
    }
}

fn living(sql: &Connection, plan: Plan) -> Sql<LivingPlan> {
    let waves = rows::waves(sql, plan.id)?.into_iter();
    let pending = waves.filter(|wave| wave.state == WaveState::Pending).map(|wave| wave.wave).collect();
    let members = members(sql, plan.id)?;
    Ok(LivingPlan { plan, members, pending })
}

fn members(sql: &Connection, plan_id: Uuid) -> Sql<HashSet<Uuid>> {
    sql.prepare_cached("SELECT executor_id FROM plan_members WHERE plan_id = ?1")?
        .query_map(params![Word(&plan_id)], |row| Ok(row.get::<_, Word<_>>(0)?.0))?
        .collect()
}

impl LivingPlan {
    /// The plan that is shown, and whom it has.
    #[must_use]
    pub fn of(shown: &PlanShown, members: HashSet<Uuid>) -> Self {
        let pending = shown.waves.iter().filter(|wave| wave.state == WaveState::Pending);
        Self { plan: shown.plan.clone(), members, pending: pending.map(|wave| wave.wave).collect() }
    }

    /// The selectors of the waves that have not begun.
    #[must_use]
    pub fn selectors(&self, groups: &BTreeMap<String, Selector>) -> Vec<Selector> {
        let specs = &self.plan.document.spec.waves;
        let pending = self.pending.iter().filter_map(|wave| specs.get(*wave as usize));
        pending.filter_map(|spec| selector_of(spec, groups)).collect()
    }
}

/// The plans that have an executor before another one does.
#[derive(Default)]
pub(super) struct Above(Vec<(LivingPlan, Vec<Selector>)>);

impl Above {
    /// The name of the plan that has this executor.
    pub(super) fn has(&self, executor_id: Uuid, labels: &Labels) -> Option<&str> {
        let has_it = |(other, selectors): &&(LivingPlan, Vec<Selector>)| {
            other.members.contains(&executor_id) || selectors.iter().any(|selector| takes(selector, labels))
        };
        self.0.iter().find(has_it).map(|(other, _)| other.plan.name.as_str())
    }
}

/// The plans that come before this one.
pub(super) fn above(sql: &Connection, plan: &Plan) -> Sql<Above> {
    let living_plans = rows::living(sql, Some(plan.account_id))?;
    let same: Vec<Plan> =
        living_plans.into_iter().filter(|other| other.executor_kind == plan.executor_kind).collect();
    if same.len() < 2 {
        return Ok(Above::default());
    }
    let standing = same.iter().map(|plan| Standing {
        id: plan.id,
        name: &plan.name,
        priority: plan.document.spec.priority,
        yields_to: &plan.document.spec.yields_to,
        created_at: plan.created_at,
    });
    let order = order(standing);
    let before: HashSet<Uuid> = order.into_iter().take_while(|id| *id != plan.id).collect();
    let groups = groups::selectors(sql, plan.account_id)?;
    let others = same.into_iter().filter(|other| before.contains(&other.id)).map(|other| {
        let other = living(sql, other)?;
        let selectors = other.selectors(&groups);
        Ok((other, selectors))
    });
    others.collect::<Sql<_>>().map(Above)
}
