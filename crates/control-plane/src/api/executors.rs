//! `/api/v1/executors`: who is out there, and where each could go.

pub(super) mod filter;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use filter::Filter;
use jiff::Timestamp;
use novacula_protocol::people::{AvailableRelease, Executor, ExecutorPatch, Page, Release};
use novacula_protocol::reach;
use novacula_protocol::spec::Direction;

use crate::app::App;
use crate::executor::Snapshot;
use crate::extract::{Body, Id, ListQuery};
use crate::presence::presence;
use crate::problem::{Answer, ApiError};
use crate::reason::{Reason, checked_reason};
use crate::secrets::hex;
use crate::store::{Labelling, LabelsRefused, Person};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<Executor>>> {
    let filter = Filter::read(&app, person.account_id, &query).await?;
    let (after, now) = (query.cursor_name()?, app.clock.now());
    let found = app.fleet.each(person.account_id, after, |one| filter.takes(&app, one, now));
    let shown = found.map(|one| shown(&app, &one, now));
    Ok(Json(query.page(shown, |executor| hex(executor.name.as_bytes()))))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Executor>> {
    let snapshot =
        app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    Ok(Json(in_full(&app, &snapshot).await?))
}

/// Gives it labels, or takes back what people said of them.
pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<ExecutorPatch>,
) -> Answer<Json<Executor>> {
    let reason = checked_reason(asked.reason)?;
    let account_id = person.account_id;
    let order = Labelling { by: person, executor_id: id, labels: asked.labels, reason, now: app.clock.now() };
    app.label_executor(order).await??;
    // The memory has it now, with what it alone knows of the executor.
    let snapshot = app.fleet.executor(account_id, id).ok_or(LabelsRefused::NotFound)?;
    Ok(Json(in_full(&app, &snapshot).await?))
}

/// One executor with all that is known of it.
async fn in_full(app: &App, snapshot: &Snapshot) -> Answer<Executor> {
    let one = &snapshot.executor;
    let releases = app.store.releases(one.account_id, Some(one.kind), None, None).await?;
    let mut executor = shown(app, snapshot, app.clock.now());
    executor.available_upgrades = Some(available(snapshot, Direction::Upgrade, &releases));
    executor.available_downgrades = Some(available(snapshot, Direction::Downgrade, &releases));
    executor.host_labels = Some(one.host_labels.to_map());
    executor.trusted_keys = one.trusted_keys.as_deref().map(<[String]>::to_vec);
    executor.labels_by_people = Some(one.labels_by_people.to_map());
    let (living, groups) = app.store.living_plans(one.account_id, one.id, one.kind).await?;
    executor.plans = Some(living.iter().map(|plan| plan.has(&one.labels, &groups)).collect());
    Ok(executor)
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Reason(reason): Reason,
) -> Answer<StatusCode> {
    app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    match app.delete_executor(person, id, reason).await? {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(ApiError::not_found("executor")),
        Err(open) => {
            let sentence = "the executor has an upgrade that has not ended; wait for its end, then delete";
            Err(ApiError::conflict("upgrade_already_pending", sentence).with("upgradeId", open.to_string()))
        }
    }
}

fn shown(app: &App, snapshot: &Snapshot, now: Timestamp) -> Executor {
    let status = presence(snapshot.executor.last_seen_at, now, app.heartbeat_timeout_ms());
    snapshot.shown(status, &app.version)
}

fn available(snapshot: &Snapshot, direction: Direction, releases: &[Release]) -> Vec<AvailableRelease> {
    reach::available(snapshot.executor.standpoint(), direction, releases)
        .into_iter()
        .map(|available| AvailableRelease {
            version: available.release.version.clone(),
            channel: available.release.channel,
            notes: available.release.notes.clone(),
            allowed_as_direct_target: available.blocked_by.is_none(),
            reason: available.blocked_by.map(|hop| hop.to_string()),
        })
        .collect()
}

impl From<LabelsRefused> for ApiError {
    fn from(refused: LabelsRefused) -> Self {
        match refused {
            LabelsRefused::NotFound => Self::not_found("executor"),
            LabelsRefused::Invalid(sentence) => Self::invalid(sentence),
        }
    }
}

#[cfg(test)]
mod label_tests;

#[cfg(test)]
mod tests;
