//! `GET /api/v1/releases/{id}/consequences`: whom publishing or yanking a release would concern.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::Progress;
use novacula_protocol::people::{
    AimingPlan, Consequences, Instead, OpenUpgrade, Release, ReleaseStatus, Upgrade,
};
use novacula_protocol::reach;
use novacula_protocol::spec::Direction;
use semver::Version;
use uuid::Uuid;

use super::census::of_kind;
use crate::app::App;
use crate::executor::Executor;
use crate::extract::Id;
use crate::problem::{Answer, ApiError};
use crate::store::Person;

/// More nobody reads; `GET /upgrades` has them all.
const MOST_UPGRADES: usize = 50;

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<Consequences>> {
    let account_id = person.account_id;
    let release = app.store.release(account_id, id).await?.ok_or_else(|| ApiError::not_found("release"))?;
    let others = app.store.releases(account_id, Some(release.kind), None, None).await?;
    let mut found = Consequences {
        offered_to: 0,
        upgrades_for: 0,
        running: 0,
        pending: 0,
        under_way: 0,
        on_the_way: 0,
        upgrades: Vec::new(),
        plans: plans(&app, account_id, &release).await?,
        instead: Vec::new(),
    };
    let mut instead: BTreeMap<Option<&Version>, u64> = BTreeMap::new();
    let offered = as_published(&release);
    let all: Vec<_> = of_kind(&app, account_id, release.kind).collect();
    for snapshot in &all {
        let executor = &snapshot.executor;
        found.running += u64::from(executor.current_version == release.version);
        if let Some(open) = snapshot.open_upgrade() {
            count(&mut found, &open.shown, &release.version);
        }
        if offered.as_ref().is_some_and(|offered| reach::is_offered(executor.standpoint(), offered)) {
            found.offered_to += 1;
            let way = reach::direction(&executor.current_version, &release.version);
            found.upgrades_for += u64::from(way == Some(Direction::Upgrade));
            *instead.entry(highest_other(executor, &release, &others)).or_default() += 1;
        }
    }
    let instead =
        instead.into_iter().map(|(version, executors)| Instead { version: version.cloned(), executors });
    found.instead = instead.collect();
    found.instead.sort_by_key(|it| std::cmp::Reverse(it.executors));
    Ok(Json(found))
}

/// What was yanked is offered to nobody again.
fn as_published(release: &Release) -> Option<Release> {
    let is_gone = release.status == ReleaseStatus::Yanked;
    (!is_gone).then(|| Release { status: ReleaseStatus::Published, ..release.clone() })
}

fn count(found: &mut Consequences, open: &Upgrade, version: &Version) {
    let is_to_it = open.target_version == *version;
    if !is_to_it && open.hops_to.as_ref() != Some(version) {
        return;
    }
    *match (is_to_it, open.state) {
        (false, _) => &mut found.on_the_way,
        (true, Progress::Pending) => &mut found.pending,
        (true, _) => &mut found.under_way,
    } += 1;
    if found.upgrades.len() < MOST_UPGRADES {
        found.upgrades.push(OpenUpgrade {
            id: open.id.clone(),
            executor_id: open.executor_id.clone(),
            executor_name: open.executor_name.clone(),
            target_version: open.target_version.clone(),
            stage: open.stage,
            state: open.state,
        });
    }
}

fn highest_other<'a>(executor: &Executor, release: &Release, others: &'a [Release]) -> Option<&'a Version> {
    let others = others.iter().filter(|other| other.id != release.id);
    let offered = others.filter(|other| reach::is_offered(executor.standpoint(), *other));
    offered.map(|other| &other.version).max_by(|a, b| a.cmp_precedence(b))
}

async fn plans(app: &App, account_id: Uuid, release: &Release) -> Answer<Vec<AimingPlan>> {
    let living = app.store.plans_alive(account_id).await?.into_iter().map(|living| living.plan);
    let aiming =
        living.filter(|plan| plan.executor_kind == release.kind && plan.target_version == release.version);
    let mut plans = Vec::new();
    for plan in aiming {
        let shown = app.store.plan(account_id, plan.id).await?;
        let waiting =
            shown.iter().flat_map(|shown| shown.counts.values()).map(|it| u64::from(it.waiting)).sum();
        plans.push(AimingPlan { id: plan.id.to_string(), name: plan.name, state: plan.state, waiting });
    }
    Ok(plans)
}

#[cfg(test)]
mod tests;
