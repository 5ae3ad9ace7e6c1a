//! `POST /api/v1/executors/{id}/upgrade`: a person asks; compare-and-swap on the executor's one open upgrade.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::people::{Presence, Upgrade, UpgradeRequest, Wait};
use novacula_protocol::spec::DEFAULT_HEALTH_WINDOW_MS;

use crate::app::App;
use crate::clock::after_ms;
use crate::executor::Executor;
use crate::extract::{Body, Id};
use crate::hops::NoRoute;
use crate::presence::presence;
use crate::problem::{Answer, ApiError};
use crate::store::{Person, RequestRefused, UpgradeOrder};

const MAX_DESCRIPTION: usize = 4_096;

pub(crate) async fn request(
    State(app): State<Arc<App>>,
    person: Person,
    Id(executor_id): Id,
    Body(asked): Body<UpgradeRequest>,
) -> Answer<(StatusCode, Json<Upgrade>)> {
    let snapshot =
        app.fleet.executor(person.account_id, executor_id).ok_or_else(|| ApiError::not_found("executor"))?;
    let executor = &snapshot.executor;
    let now = app.clock.now();
    let calendar = app.calendar_stop(&snapshot, now);
    let order = order(&app, person.clone(), executor_id, asked, (calendar, now))?;
    if presence(executor.last_seen_at, now, app.heartbeat_timeout_ms()) == Presence::Offline {
        return Err(offline(executor));
    }
    let snapshot = app.request_upgrade(order).await??;
    let upgrade = snapshot.upgrade.ok_or_else(|| ApiError::internal("a requested upgrade is missing"))?;
    let upgrade = super::upgrades::shown(&app, person, upgrade).await?;
    tracing::info!(
        upgrade = upgrade.id,
        executor = upgrade.executor_name,
        from = %upgrade.from_version,
        to = %upgrade.target_version,
        by = upgrade.requested_by,
        "upgrade requested"
    );
    Ok((StatusCode::CREATED, Json(upgrade)))
}

/// A description as it is kept.
pub(super) fn checked_description(description: Option<String>) -> Answer<String> {
    let description = description.unwrap_or_default();
    if description.chars().count() > MAX_DESCRIPTION {
        return Err(ApiError::invalid(format!(
            "`description` must have at most {MAX_DESCRIPTION} characters"
        )));
    }
    Ok(description)
}

/// Nobody is sent on a way that nobody begins.
pub(super) fn offline(executor: &Executor) -> ApiError {
    let sentence = format!(
        "the executor must be online, `{}` was last heard at {}; look after its host, then ask again",
        executor.name, executor.last_seen_at
    );
    ApiError::conflict("executor_offline", sentence).with("lastSeenAt", executor.last_seen_at.to_string())
}

fn order(
    app: &App,
    by: Person,
    executor_id: uuid::Uuid,
    asked: UpgradeRequest,
    (calendar, now): (Option<Wait>, jiff::Timestamp),
) -> Answer<UpgradeOrder> {
    let health_window_ms = asked.health_window_ms.unwrap_or(DEFAULT_HEALTH_WINDOW_MS);
    if !(1_000..=86_400_000).contains(&health_window_ms) {
        return Err(ApiError::invalid(format!(
            "`healthWindowMs` must be 1000 to 86400000, it is {health_window_ms}"
        )));
    }
    let description = checked_description(asked.description)?;
    let scheduled_at = asked.scheduled_at.unwrap_or(now);
    let ttl_ms = app.rules.pending_upgrade_ttl_ms;
    let expires_at = after_ms(scheduled_at.max(now), ttl_ms)
        .ok_or_else(|| ApiError::invalid(format!("`scheduledAt` is too far away: {scheduled_at}")))?;
    if let Some(deadline) = asked.deadline.filter(|deadline| *deadline <= scheduled_at.max(now)) {
        return Err(ApiError::invalid(format!(
            "`deadline` must lie after the time the upgrade is scheduled for, it is {deadline}"
        )));
    }
    Ok(UpgradeOrder {
        id: app.clock.new_id(),
        account_id: by.account_id,
        requested_by: by.name,
        executor_id,
        target_version: asked.target_version,
        hops: asked.hops,
        scheduled_at,
        deadline: asked.deadline,
        ttl_ms,
        expires_at,
        confirm_start: asked.confirm_start.unwrap_or_default(),
        confirm: asked.confirm.unwrap_or_default(),
        description,
        health_window_ms,
        calendar,
        plan: None,
        now,
    })
}

impl From<RequestRefused> for ApiError {
    fn from(refused: RequestRefused) -> Self {
        let message = refused.to_string();
        match refused {
            RequestRefused::NoExecutor => Self::not_found("executor"),
            RequestRefused::AlreadyPending { upgrade_id } => {
                Self::conflict("upgrade_already_pending", message).with("upgradeId", upgrade_id)
            }
            RequestRefused::SameVersion(_) => Self::conflict("already_there", message),
            RequestRefused::ReleaseNotFound(_) => {
                Self::new(StatusCode::NOT_FOUND, "release_not_found", message)
            }
            RequestRefused::NoRoute(NoRoute::Target(_)) => {
                Self::new(StatusCode::NOT_FOUND, "release_not_found", message)
            }
            RequestRefused::NoRoute(NoRoute::Stop { .. }) => Self::conflict("release_unreachable", message),
            RequestRefused::Unreachable { hop, .. } => {
                Self::conflict("release_unreachable", message).with("reason", hop)
            }
        }
    }
}

#[cfg(test)]
mod tests;
