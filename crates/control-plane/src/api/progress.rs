//! `GET /api/v1/upgrades/{id}/progress` and `/validation`: how far an upgrade is, and how its dry run ended.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::Status;
use novacula_protocol::people::{UpgradeProgress, Validation, ValidationState};
use novacula_protocol::spec::Intent;

use crate::app::App;
use crate::extract::Id;
use crate::problem::{Answer, ApiError};
use crate::store::Person;
use crate::upgrade::Upgrade;

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<UpgradeProgress>> {
    let found = app.store.upgrade(person.account_id, id).await?;
    progress(&app, found.ok_or_else(|| ApiError::not_found("upgrade"))?).await.map(Json)
}

pub(crate) async fn validation(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<Validation>> {
    let found = app.store.upgrade(person.account_id, id).await?;
    let shown = found.ok_or_else(|| ApiError::not_found("upgrade"))?.shown;
    shown.validation.map(Json).ok_or_else(|| {
        let sentence = "nobody has asked for a dry run of this upgrade; POST …/validate does";
        ApiError::new(StatusCode::NOT_FOUND, "not_validated", sentence)
    })
}

/// An upgrade boiled down to what somebody who waits for it looks at.
pub(super) async fn progress(app: &App, upgrade: Upgrade) -> Answer<UpgradeProgress> {
    let waits_for = super::upgrades::waits_for(app, &upgrade).await?;
    let timeout_at = app.fleet.timeout_at(&upgrade, app.rules.sync_interval_ms);
    let is_open = upgrade.is_open();
    let is_started = upgrade.is_picked_up() && !upgrade.is_dry_run();
    let mut shown = upgrade.shown;
    app.fleet.show_bytes(&mut shown);
    let passed = |it: &Validation| it.state == ValidationState::Passed;
    Ok(UpgradeProgress {
        validated: shown.validation.as_ref().is_some_and(passed),
        started: is_started,
        pause_requested: is_open && shown.intent == Intent::Pause,
        paused: shown.status == Status::Paused,
        rollback_requested: is_open && shown.intent == Intent::Rollback,
        abandon_requested: is_open && shown.intent == Intent::Abandon,
        current_stage: shown.stage,
        status: shown.status,
        attempt: shown.attempt,
        bytes_done: shown.bytes_done,
        bytes_total: shown.bytes_total,
        timeout_at,
        waits_for,
        failed_with_error: shown.error,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::in_process::{ControlPlane, reported};

    #[tokio::test]
    async fn progress_tells_what_was_asked_for_what_is_and_what_is_awaited() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/upgrades/{upgrade}");
        let progress = async || control_plane.get(&format!("{path}/progress")).await.ok();
        let before = progress().await;
        assert_eq!((&before["started"], &before["timeoutAt"]), (&json!(false), &Value::Null));
        let mut report = reported("host-1", "1.0.0", &upgrade, "DOWNLOAD", "UNDERWAY");
        report["upgrade"]["bytesDone"] = json!(3);
        control_plane.sync(&key, report).await.ok();
        control_plane.post(&format!("{path}/pause"), json!({"reason": "lunch"})).await.ok();
        let running = progress().await;
        let flag = |name: &str| running[name].as_bool().unwrap();
        assert!(flag("started") && flag("pauseRequested") && !flag("paused"));
        assert_eq!((&running["bytesDone"], &running["currentStage"]), (&json!(3), &json!("DOWNLOAD")));
        let paused = reported("host-1", "1.0.0", &upgrade, "DOWNLOAD", "PAUSED");
        control_plane.sync(&key, paused).await.ok();
        assert_eq!(progress().await["paused"], true);
        control_plane.post(&format!("{path}/rollback"), json!({})).await.ok();
        assert_eq!(progress().await["rollbackRequested"], true);
        let mut failed = reported("host-1", "1.0.0", &upgrade, "ROLLEDBACK", "ROLLEDBACK");
        failed["upgrade"]["error"] = json!({"code": "rollback_requested", "stage": "CHECK_HEALTH", "message": "m",
            "timestamp": "2026-11-21T00:00:00Z"});
        control_plane.sync(&key, failed).await.ok();
        let ended = progress().await;
        assert_eq!(ended["failedWithError"]["code"], "rollback_requested");
        assert_eq!((&ended["rollbackRequested"], &ended["timeoutAt"]), (&json!(false), &Value::Null));
        let never = control_plane.get(&format!("{path}/validation")).await;
        assert_eq!(never.problem(), (404, "not_validated".to_owned()));
    }
}
