//! `POST /api/v1/upgrades/{id}/…` and `PATCH`: people steer an upgrade.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use novacula_protocol::people::{
    AbandonRequest, MayHaveReason, Presence, Reschedule, StartRequest, Upgrade, UpgradeAction, UpgradeVerb,
    WithReason,
};
use uuid::Uuid;

use crate::app::App;
use crate::executor::Snapshot;
use crate::extract::{Body, Id};
use crate::presence::presence;
use crate::problem::{Answer, ApiError};
use crate::reason::{checked_reason, reason_required};
use crate::store::{Person, Steer, SteerRefused};
use crate::upgrade::{self as stored, Ask};

type Steered = Answer<Json<Upgrade>>;

pub(crate) async fn start(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<StartRequest>,
) -> Steered {
    if asked.force && asked.reason.is_none() {
        return Err(reason_required());
    }
    let said = Said { ask: Ask::Start, reason: asked.reason, force: asked.force, scheduled_at: None };
    steer(&app, by, id, said).await
}

pub(crate) async fn validate(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<MayHaveReason>,
) -> Steered {
    steer(&app, by, id, Said::of(Ask::Validate, asked.reason)).await
}

pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<WithReason>,
) -> Steered {
    steer(&app, by, id, Said::of(Ask::Pause, Some(asked.reason))).await
}

/// What failed or stalled goes on past everything that stands in the way; so it wants a reason.
pub(crate) async fn go_on(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<WithReason>,
) -> Steered {
    let said = Said { ask: Ask::Continue, reason: Some(asked.reason), force: true, scheduled_at: None };
    steer(&app, by, id, said).await
}

pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<MayHaveReason>,
) -> Steered {
    steer(&app, by, id, Said::of(Ask::Retry, asked.reason)).await
}

pub(crate) async fn roll_back(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<MayHaveReason>,
) -> Steered {
    steer(&app, by, id, Said::of(Ask::Rollback, asked.reason)).await
}

pub(crate) async fn abandon(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<AbandonRequest>,
) -> Steered {
    let ask = if asked.check_unstarted { Ask::AbandonUnstarted } else { Ask::Abandon };
    steer(&app, by, id, Said::of(ask, Some(asked.reason))).await
}

pub(crate) async fn complete(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<MayHaveReason>,
) -> Steered {
    steer(&app, by, id, Said::of(Ask::Complete, asked.reason)).await
}

pub(crate) async fn reschedule(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<Reschedule>,
) -> Steered {
    let scheduled_at = Some(asked.scheduled_at);
    let said = Said { ask: Ask::Reschedule, reason: asked.reason, force: false, scheduled_at };
    steer(&app, by, id, said).await
}

pub(crate) async fn approve(
    State(app): State<Arc<App>>,
    by: Person,
    Id(id): Id,
    Body(asked): Body<MayHaveReason>,
) -> Steered {
    // The word is not asked of the table: an approval moves nothing by itself.
    let (order, _) = order(&app, by, id, Said::of(Ask::Start, asked.reason)).await?;
    answer(&app, order.by.clone(), id, app.approve(order).await??).await
}

struct Said {
    ask: Ask,
    reason: Option<String>,
    force: bool,
    scheduled_at: Option<Timestamp>,
}

impl Said {
    fn of(ask: Ask, reason: Option<String>) -> Self {
        Self { ask, reason, force: false, scheduled_at: None }
    }
}

async fn steer(app: &Arc<App>, by: Person, id: Uuid, said: Said) -> Steered {
    let (order, snapshot) = order(app, by, id, said).await?;
    if has_to_be_there(order.ask)
        && let Some(snapshot) = &snapshot
        && let Err(offline) = is_there(app, snapshot, order.now)
    {
        // Who could not have it either way is told that: nobody looks after a host in vain.
        let tried = app.store.try_steering(order.clone(), vec![Some(order.ask)]).await?;
        tried.into_iter().collect::<Result<(), _>>()?;
        return Err(offline);
    }
    let (by, ask) = (order.by.clone(), order.ask);
    let snapshot = app.steer(order).await??;
    tracing::info!(upgrade = %id, executor = snapshot.executor.name, by = by.name, ?ask, "steered");
    answer(app, by, id, snapshot).await
}

/// Nobody begins who is not there.
fn has_to_be_there(ask: Ask) -> bool {
    matches!(ask, Ask::Start | Ask::Validate | Ask::Retry)
}

fn is_there(app: &App, snapshot: &Snapshot, now: Timestamp) -> Answer<()> {
    let executor = &snapshot.executor;
    match presence(executor.last_seen_at, now, app.heartbeat_timeout_ms()) {
        Presence::Online => Ok(()),
        Presence::Offline => Err(super::request_upgrade::offline(executor)),
    }
}

/// What this person could ask of it now, and why not: each word is tried as it would be done, and nothing is kept.
pub(super) async fn actions(app: &App, by: Person, upgrade: &stored::Upgrade) -> Answer<Vec<UpgradeAction>> {
    let asks = UpgradeVerb::ALL.map(ask).to_vec();
    let (order, snapshot) = order_about(app, by, upgrade, Said::of(Ask::Start, None))?;
    let now = order.now;
    let tried = app.store.try_steering(order, asks).await?;
    let actions = UpgradeVerb::ALL.into_iter().zip(tried).map(|(action, tried)| {
        let heard = tried.map_err(ApiError::from).and_then(|()| match &snapshot {
            Some(snapshot) if ask(action).is_some_and(has_to_be_there) => is_there(app, snapshot, now),
            _ => Ok(()),
        });
        let refused = heard.err().map(ApiError::problem);
        let allowed = refused.is_none();
        let (code, reason) = refused.map(|problem| (problem.code, problem.message)).unzip();
        UpgradeAction { action, allowed, code, reason }
    });
    Ok(actions.collect())
}

/// The word of the table; an approval moves nothing by itself, and has none.
fn ask(verb: UpgradeVerb) -> Option<Ask> {
    Some(match verb {
        UpgradeVerb::Start => Ask::Start,
        UpgradeVerb::Validate => Ask::Validate,
        UpgradeVerb::Approve => return None,
        UpgradeVerb::Reschedule => Ask::Reschedule,
        UpgradeVerb::Pause => Ask::Pause,
        UpgradeVerb::Continue => Ask::Continue,
        UpgradeVerb::Complete => Ask::Complete,
        UpgradeVerb::Rollback => Ask::Rollback,
        UpgradeVerb::Retry => Ask::Retry,
        UpgradeVerb::Abandon => Ask::Abandon,
    })
}

async fn order(app: &App, by: Person, id: Uuid, said: Said) -> Answer<(Steer, Option<Snapshot>)> {
    let known = app.store.upgrade(by.account_id, id).await?.ok_or_else(|| ApiError::not_found("upgrade"))?;
    order_about(app, by, &known, said)
}

fn order_about(
    app: &App,
    by: Person,
    known: &stored::Upgrade,
    said: Said,
) -> Answer<(Steer, Option<Snapshot>)> {
    let reason = checked_reason(said.reason)?;
    let id = known.shown.id.parse().map_err(ApiError::internal)?;
    let executor_id = known.shown.executor_id.parse().map_err(ApiError::internal)?;
    let snapshot = app.fleet.executor(by.account_id, executor_id);
    let now = app.clock.now();
    let calendar = snapshot.as_ref().and_then(|snapshot| app.calendar_stop(snapshot, now));
    let order = Steer {
        upgrade_id: id,
        by,
        ask: said.ask,
        force: said.force,
        reason,
        scheduled_at: said.scheduled_at,
        calendar,
        ttl_ms: app.rules.pending_upgrade_ttl_ms,
        now,
    };
    Ok((order, snapshot))
}

async fn answer(app: &Arc<App>, by: Person, id: Uuid, snapshot: Snapshot) -> Steered {
    // The executor may have a newer upgrade than the one that was spoken of.
    let upgrade = match snapshot.upgrade.filter(|upgrade| upgrade.shown.id == id.to_string()) {
        Some(upgrade) => upgrade,
        None => app.store.upgrade(by.account_id, id).await?.ok_or_else(|| ApiError::not_found("upgrade"))?,
    };
    super::upgrades::shown(app, by, upgrade).await.map(Json)
}

impl From<SteerRefused> for ApiError {
    fn from(refused: SteerRefused) -> Self {
        let message = refused.to_string();
        match refused {
            SteerRefused::NoUpgrade => Self::not_found("upgrade"),
            SteerRefused::NotAllowed(not) => Self::conflict(not.code, message),
            SteerRefused::Waits(wait) => {
                let refused = Self::conflict(wait.code.as_str(), message);
                match wait.upgrade_id {
                    Some(id) => refused.with("upgradeId", id),
                    None => refused,
                }
            }
            SteerRefused::Request(refused) => refused.into(),
            SteerRefused::OutsideRange { earliest, latest, .. } => Self::conflict("outside_range", message)
                .with("earliest", earliest.to_string())
                .with("latest", latest.map(|at| at.to_string())),
            SteerRefused::Crosses { upgrade_id, .. } => {
                Self::conflict("crosses_other_type", message).with("upgradeId", upgrade_id)
            }
            SteerRefused::ApprovalNotWanted => Self::conflict("approval_not_wanted", message),
            SteerRefused::OwnRequest(_) => Self::conflict("own_request", message),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
