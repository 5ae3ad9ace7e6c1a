//! The fleet plans that have an executor, or may come to have it.

use std::collections::BTreeMap;

use novacula_protocol::people::Selector;
use novacula_protocol::spec::Kind;
use uuid::Uuid;

use super::column::Word;
use super::plan_rows::{self as rows, Plan, WaveRow};
use super::plans::{MemberShown, member_of};
use super::sql::{OptionalExtension, params};
use super::{Sql, Store, StoreError, groups};
use crate::plan_document::{Standing, order};

/// A plan that has not ended, as it concerns one executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOfExecutor {
    /// The plan.
    pub plan: Plan,
    /// Its waves in their order.
    pub waves: Vec<WaveRow>,
    /// What became of the executor, once its wave has begun.
    pub member: Option<MemberShown>,
}

impl Store {
    /// The plans of a kind that have not ended, first the one that has an executor before the others do; and whom the
    /// groups take that they may name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn plans_of_executor(
        &self,
        account_id: Uuid,
        executor_id: Uuid,
        kind: Kind,
    ) -> Result<(Vec<PlanOfExecutor>, BTreeMap<String, Selector>), StoreError> {
        self.read(move |sql| {
            let living = rows::living(sql, Some(account_id))?.into_iter();
            let mut plans: Vec<Plan> = living.filter(|plan| plan.executor_kind == kind).collect();
            let order = order(plans.iter().map(|plan| Standing {
                id: plan.id,
                name: &plan.name,
                priority: plan.document.spec.priority,
                yields_to: &plan.document.spec.yields_to,
                created_at: plan.created_at,
            }));
            plans.sort_by_key(|plan| order.iter().position(|id| *id == plan.id));
            let of_executor = |plan: Plan| {
                let waves = rows::waves(sql, plan.id)?;
                let member = sql
                    .prepare_cached("SELECT * FROM plan_members WHERE plan_id = ?1 AND executor_id = ?2")?
                    .query_row(params![Word(&plan.id), Word(&executor_id)], member_of)
                    .optional()?;
                Ok(PlanOfExecutor { plan, waves, member })
            };
            let plans = plans.into_iter().map(of_executor).collect::<Sql<_>>()?;
            Ok((plans, groups::selectors(sql, account_id)?))
        })
        .await
    }
}
