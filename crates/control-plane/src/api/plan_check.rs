//! What a fleet plan is held against before anything is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use novacula_protocol::people::{FleetUpgradePlan, Release, Selector};
use uuid::Uuid;

use crate::app::App;
use crate::executor::Executor;
use crate::plan_document::{self, Checked, Known, LivePlan};
use crate::problem::{Answer, ApiError};
use crate::selector::takes;
use crate::store::LivingPlan;

/// Everything of an account that a plan is held against.
pub(crate) struct Gathered {
    pub releases: Vec<Release>,
    pub executors: Vec<Executor>,
    pub groups: BTreeMap<String, Selector>,
    /// The other plans.
    pub plans: Vec<LivePlan>,
    /// A plan of this name has not ended.
    pub is_name_taken: bool,
}

impl Gathered {
    /// As a plan is held against it; `executors` are those that it has, each by itself.
    pub(crate) fn known<'a>(&'a self, executors: &'a [&'a Executor], app: &App) -> Known<'a> {
        Known {
            releases: &self.releases,
            executors,
            groups: &self.groups,
            plans: &self.plans,
            gates: app.gates.leave,
            now: app.clock.now(),
        }
    }
}

/// Gathers it for a plan of this name: one that lives under the same name is that plan itself.
pub(crate) async fn gathered(app: &Arc<App>, account_id: Uuid, name: &str) -> Answer<Gathered> {
    let releases = app.store.releases(account_id, None, None, None).await?;
    let groups = app.store.group_selectors(account_id).await?;
    let executors = app.fleet.map_all(account_id, Executor::clone);
    let living = app.store.plans_alive(account_id).await?;
    let is_name_taken = living.iter().any(|it| it.plan.name == name);
    let plans = living.into_iter().filter(|it| it.plan.name != name).map(|it| live(it, &executors, &groups));
    Ok(Gathered { releases, plans: plans.collect(), groups, executors, is_name_taken })
}

/// Whether the plan can be carried out here, and what it comes to.
pub(crate) fn checked(app: &App, gathered: &Gathered, document: &FleetUpgradePlan) -> Answer<Checked> {
    let executors: Vec<&Executor> = gathered.executors.iter().collect();
    plan_document::checked(document, &gathered.known(&executors, app))
        .map_err(|refused| ApiError::invalid_plan(&refused))
}

/// Whom another plan has, or would have once its waves begin.
fn live(living: LivingPlan, executors: &[Executor], groups: &BTreeMap<String, Selector>) -> LivePlan {
    let selectors = living.selectors(groups);
    let LivingPlan { plan, members, .. } = living;
    let is_taken = |executor: &&Executor| {
        executor.kind == plan.executor_kind
            && selectors.iter().any(|selector| takes(selector, &executor.labels))
    };
    let to_come = executors.iter().filter(is_taken).map(|executor| executor.id);
    LivePlan {
        id: plan.id,
        name: plan.name.clone(),
        priority: plan.document.spec.priority,
        yields_to: plan.document.spec.yields_to.clone(),
        created_at: plan.created_at,
        executors: members.into_iter().chain(to_come).collect(),
    }
}
