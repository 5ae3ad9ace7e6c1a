//! Which plan has an executor that several take.

use std::collections::{BTreeMap, HashSet};

use novacula_protocol::people::{Selector, WaveState};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::column::Word;
use super::plan_rows::{self as rows, Plan};
use super::{Sql, groups};
use crate::rollout::share::{Claim, order};
use crate::selector::takes;

/// The plans that have an executor before another one does.
#[derive(Default)]
pub(super) struct Above(Vec<Other>);

struct Other {
    name: String,
    members: HashSet<Uuid>,
    selectors: Vec<Selector>,
}

impl Above {
    /// The name of the plan that has this executor.
    pub(super) fn has(&self, executor_id: Uuid, labels: &BTreeMap<String, String>) -> Option<&str> {
        let has_it = |other: &&Other| {
            other.members.contains(&executor_id)
                || other.selectors.iter().any(|selector| takes(selector, labels))
        };
        self.0.iter().find(has_it).map(|other| other.name.as_str())
    }
}

/// The plans that come before this one.
pub(super) fn above(sql: &Connection, plan: &Plan) -> Sql<Above> {
    let living = rows::living(sql, Some(plan.account_id))?;
    let mut same: Vec<Plan> =
        living.into_iter().filter(|other| other.executor_kind == plan.executor_kind).collect();
    if same.len() < 2 {
        return Ok(Above::default());
    }
    let claims = same.iter().map(|plan| Claim {
        id: plan.id,
        name: plan.name.clone(),
        priority: plan.document.spec.priority,
        yields_to: plan.document.spec.yields_to.clone(),
    });
    let groups = groups::selectors(sql, plan.account_id)?;
    let mut others = Vec::new();
    for claim in order(claims.collect()).into_iter().take_while(|claim| claim.id != plan.id) {
        let Some(index) = same.iter().position(|other| other.id == claim.id) else { continue };
        let other = same.swap_remove(index);
        let waves = rows::waves(sql, other.id)?;
        let pending = waves.iter().filter(|wave| wave.state == WaveState::Pending);
        let specs = pending.filter_map(|wave| other.document.spec.waves.get(wave.wave as usize));
        let selectors = specs.filter_map(|spec| spec.selector(&groups)).collect();
        let members = sql
            .prepare_cached("SELECT executor_id FROM plan_members WHERE plan_id = ?1")?
            .query_map(params![Word(&other.id)], |row| Ok(row.get::<_, Word<_>>(0)?.0))?
            .collect::<Sql<_>>()?;
        others.push(Other { name: other.name, members, selectors });
    }
    Ok(Above(others))
}
