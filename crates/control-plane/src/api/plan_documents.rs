//! `/api/v1/fleet/plans/…`: fleet plans before they are applied.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::{Checked, FleetUpgradePlan, PlanDryRun, PlanSpec, Presence};
use uuid::Uuid;

use super::plan_check::{self, Gathered};
use super::preflight::ALL as CHECKS;
use crate::app::App;
use crate::executor::Executor;
use crate::extract::{Id, PlanDocument};
use crate::plan_document::{self, Way};
use crate::plan_dry_run::{self, DryRun, Stand};
use crate::plan_schema;
use crate::problem::{Answer, ApiError};
use crate::rollout::member::OtherUpgrade;
use crate::store::Person;

/// An answer to a check that is younger is not asked for again: a dry run may be looked at several times.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

pub(crate) async fn schema() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], plan_schema::text())
}

pub(crate) async fn dry_run(
    State(app): State<Arc<App>>,
    person: Person,
    PlanDocument(document): PlanDocument,
) -> Answer<Json<PlanDryRun>> {
    carried_out_dry(&app, person, &document, None).await.map(Json)
}

/// As if the plan began anew, with the version that it was applied with.
pub(crate) async fn dry_run_known(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<PlanDryRun>> {
    let found = app.store.plan(person.account_id, id).await?.ok_or_else(|| ApiError::not_found("plan"))?;
    let plan = found.plan;
    let spec = PlanSpec { target_version: plan.target_version.to_string(), ..plan.document.spec };
    let document = FleetUpgradePlan { spec, ..plan.document };
    carried_out_dry(&app, person, &document, Some((plan.id, plan.created_at))).await.map(Json)
}

async fn carried_out_dry(
    app: &Arc<App>,
    person: Person,
    document: &FleetUpgradePlan,
    applied: Option<(Uuid, Timestamp)>,
) -> Answer<PlanDryRun> {
    let account_id = person.account_id;
    let gathered = plan_check::gathered(app, account_id, &document.metadata.name).await?;
    let mut checked = plan_check::checked(app, &gathered, document)?;
    if applied.is_none() && gathered.is_name_taken {
        let name = &document.metadata.name;
        checked.warnings.push(format!(
            "a plan called `{name}` has not ended: another document of that name is refused until then"
        ));
    }
    let answers = app.store.all_preflight(account_id).await?;
    let asked = to_be_asked(app, &gathered, document, &checked.target_version, &answers);
    app.ask_several_for_checks(person, asked).await?;
    let lasted_ms = app.store.last_durations(account_id).await?;
    let stands = stands(app, account_id, answers);
    let executors: Vec<&Executor> = gathered.executors.iter().collect();
    let known = gathered.known(&executors, app);
    Ok(plan_dry_run::dry_run(DryRun { document, checked, known, applied, stands, lasted_ms }))
}

/// The executors that would go and can answer, each with the checks that it has not answered lately.
fn to_be_asked(
    app: &App,
    gathered: &Gathered,
    document: &FleetUpgradePlan,
    target: &semver::Version,
    answers: &HashMap<Uuid, Vec<Checked>>,
) -> Vec<(Uuid, Vec<String>)> {
    let now = app.clock.now();
    let executors: Vec<&Executor> = gathered.executors.iter().collect();
    let members = plan_document::members(&document.spec, &gathered.known(&executors, app));
    let goes = |executor: &&Executor| {
        app.presence_if_known(executor.last_seen_at, now) == Some(Presence::Online)
            && matches!(plan_document::way(executor, target, &gathered.releases), Way::Over(_))
    };
    let asked = members.into_iter().flatten().filter(goes).map(|executor| {
        let known = answers.get(&executor.id).map(Vec::as_slice).unwrap_or_default();
        let is_fresh = |check: &&str| {
            known.iter().any(|it| it.result.check == **check && now.duration_since(it.at) < FRESH)
        };
        let waits = |check: &&str| executor.checks.iter().any(|waiting| waiting == check);
        let checks = CHECKS.iter().filter(|check| !is_fresh(check) && !waits(check));
        (executor.id, checks.map(|check| (*check).to_owned()).collect::<Vec<_>>())
    });
    asked.filter(|(_, checks)| !checks.is_empty()).collect()
}

/// How every executor of the account stands now.
fn stands(app: &App, account_id: Uuid, mut answers: HashMap<Uuid, Vec<Checked>>) -> HashMap<Uuid, Stand> {
    let (now, calendar) = (app.clock.now(), app.calendar.read());
    app.fleet
        .each(account_id, None, |_| true)
        .map(|snapshot| {
            let open = snapshot.open_upgrade().map(|open| OtherUpgrade {
                requested_by: open.shown.requested_by.clone(),
                is_open: true,
                has_completed: false,
            });
            let executor = snapshot.executor;
            let stop = calendar.stops(account_id, &executor.labels, now);
            let stand = Stand {
                presence: app.presence_if_known(executor.last_seen_at, now),
                calendar: stop.map(|stop| stop.to_string()),
                upgrade: open,
                preflight: answers.remove(&executor.id).unwrap_or_default(),
                owes: executor.checks,
            };
            (executor.id, stand)
        })
        .collect()
}

#[cfg(test)]
mod tests;
