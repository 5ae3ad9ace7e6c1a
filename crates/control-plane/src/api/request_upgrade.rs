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
    let order = order(&app, person, executor_id, asked, (calendar, now))?;
    if presence(executor.last_seen_at, now, app.rules.heartbeat_timeout_ms) == Presence::Offline {
        return Err(offline(executor));
    }
    let snapshot = app.request_upgrade(order).await??;
    let upgrade = snapshot.upgrade.ok_or_else(|| ApiError::internal("a requested upgrade is missing"))?;
    let upgrade = super::upgrades::shown(&app, upgrade).await?;
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
    let description = asked.description.unwrap_or_default();
    if description.chars().count() > MAX_DESCRIPTION {
        return Err(ApiError::invalid(format!(
            "`description` must have at most {MAX_DESCRIPTION} characters"
        )));
    }
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
        by,
        executor_id,
        target_version: asked.target_version,
        scheduled_at,
        deadline: asked.deadline,
        ttl_ms,
        expires_at,
        confirm_start: asked.confirm_start.unwrap_or_default(),
        confirm: asked.confirm.unwrap_or_default(),
        description,
        health_window_ms,
        calendar,
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
            RequestRefused::SameVersion(_) => Self::invalid(message),
            RequestRefused::ReleaseNotFound(_) => {
                Self::new(StatusCode::NOT_FOUND, "release_not_found", message)
            }
            RequestRefused::Unreachable { hop, .. } => {
                Self::conflict("release_unreachable", message).with("reason", hop)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::in_process::{ControlPlane, reported, said};
    use serde_json::json;

    #[tokio::test(flavor = "multi_thread")]
    async fn of_a_thousand_requests_at_once_exactly_one_is_taken() {
        let control_plane = std::sync::Arc::new(ControlPlane::start().await);
        let (_, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let requests: Vec<_> = (0..1_000)
            .map(|_| {
                let (control_plane, id) = (std::sync::Arc::clone(&control_plane), id.clone());
                tokio::spawn(async move { control_plane.request(&id, "1.1.0").await.problem() })
            })
            .collect();
        let mut answers = BTreeMap::new();
        for request in requests {
            *answers.entry(request.await.unwrap()).or_insert(0) += 1;
        }
        let expected =
            BTreeMap::from([((201, String::new()), 1), ((409, "upgrade_already_pending".to_owned()), 999)]);
        assert_eq!(answers, expected);
        let listed = control_plane.get("/api/v1/upgrades").await.ok();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_second_request_while_one_is_open_is_refused_and_names_it() {
        let control_plane = ControlPlane::start().await;
        let (_, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let asked = control_plane.request(&id, "1.1.0").await.ok();
        let control_plane = control_plane.restart().await;
        let refused = control_plane.request(&id, "1.1.0").await;
        assert_eq!(refused.problem(), (409, "upgrade_already_pending".to_owned()));
        assert_eq!(refused.json()["error"]["details"]["upgradeId"], asked["id"]);
        let executor = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
        assert_eq!(executor["pendingUpgradeId"], asked["id"]);
        let deleted = control_plane.delete(&format!("/api/v1/executors/{id}")).await;
        assert_eq!(deleted.problem(), (409, "upgrade_already_pending".to_owned()));
    }

    #[tokio::test]
    async fn a_request_is_refused_with_the_reason() {
        let control_plane = ControlPlane::start().await;
        let (_, id) = control_plane.executor("host-1", "1.5.0").await;
        control_plane.publish("2.0.0").await;
        control_plane.publish("3.0.0").await;
        control_plane.draft("1.6.0", b"draft").await;
        let beta = control_plane.draft("1.7.0", b"beta").await["id"].as_str().unwrap().to_owned();
        let patch = json!({"channel": "beta", "status": "published"});
        control_plane.patch(&format!("/api/v1/releases/{beta}"), patch).await.ok();
        for (sentence, version, expected, part) in [
            ("there is none", "9.9.9", (404, "release_not_found"), "9.9.9"),
            ("it is a draft", "1.6.0", (404, "release_not_found"), "published"),
            ("it is on a wider channel", "1.7.0", (404, "release_not_found"), "channel"),
            ("it runs already", "1.5.0", (400, "invalid_request"), "runs 1.5.0 already"),
            ("it is two majors away", "3.0.0", (409, "release_unreachable"), "requires upgrade to 2.x first"),
        ] {
            let refused = control_plane.request(&id, version).await;
            assert_eq!(refused.problem(), (expected.0, expected.1.to_owned()), "{sentence}");
            let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.contains(part), "{sentence}: {message}");
        }
        let path = format!("/api/v1/executors/{id}/upgrade");
        for bad in [
            json!({"targetVersion": "2.0.0", "healthWindowMs": 999}),
            json!({"targetVersion": "2.0.0", "healthWindowMs": 86_400_001}),
            json!({"targetVersion": "2.0.0", "scheduledAt": "9999-12-30T00:00:00Z", "force": true}),
            json!({"targetVersion": "2.0.0", "description": "x".repeat(4_097)}),
            json!({"targetVersion": "two"}),
            json!({}),
        ] {
            let refused = control_plane.post(&path, bad.clone()).await;
            assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
        }
        control_plane.wait_ms(30_000);
        assert_eq!(control_plane.request(&id, "2.0.0").await.problem(), (409, "executor_offline".to_owned()));
    }

    #[tokio::test]
    async fn what_is_offered_to_an_executor_depends_on_its_target_and_version() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.5.0").await;
        for version in ["1.4.0", "2.0.0", "3.0.0"] {
            control_plane.publish(version).await;
        }
        let shown = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
        let ups = shown["availableUpgrades"].as_array().unwrap();
        assert_eq!(
            (ups[0]["version"].as_str(), ups[0]["allowedAsDirectTarget"].as_bool()),
            (Some("2.0.0"), Some(true))
        );
        assert_eq!(
            (ups[1]["version"].as_str(), ups[1]["reason"].as_str()),
            (Some("3.0.0"), Some("requires upgrade to 2.x first"))
        );
        assert_eq!(shown["availableDowngrades"][0]["version"], "1.4.0");
        let down = control_plane.request(&id, "1.4.0").await.ok();
        assert_eq!(down["direction"], "downgrade");

        let mut elsewhere = said("host-1", "1.5.0");
        elsewhere["target"] = json!("aarch64-unknown-linux-musl");
        control_plane.sync(&key, elsewhere).await.ok();
        let shown = control_plane.get(&format!("/api/v1/executors/{id}")).await.ok();
        assert_eq!((&shown["availableUpgrades"], &shown["availableDowngrades"]), (&json!([]), &json!([])));
    }

    #[tokio::test]
    async fn a_scheduled_upgrade_is_offered_when_it_is_due() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let due = control_plane.app.clock.now() + jiff::SignedDuration::from_secs(3_600);
        let body = json!({"targetVersion": "1.1.0", "scheduledAt": due.to_string(), "confirm": "manual", "healthWindowMs": 1_000});
        let asked = control_plane.post(&format!("/api/v1/executors/{id}/upgrade"), body).await.ok();
        assert_eq!(asked["expiresAt"], (due + jiff::SignedDuration::from_secs(900)).to_string());
        control_plane.wait_ms(3_599_999);
        control_plane.app.tick().await.unwrap();
        let early = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
        assert_eq!(early["pendingUpgrade"], json!(null));
        control_plane.wait_ms(1);
        control_plane.app.tick().await.unwrap();
        let offered = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok()["pendingUpgrade"].clone();
        assert_eq!(
            (offered["confirm"].as_str(), offered["healthWindowMs"].as_u64()),
            (Some("manual"), Some(1_000))
        );
    }

    #[tokio::test]
    async fn what_is_not_picked_up_lapses_and_can_be_requested_again() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let first = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        control_plane.wait_ms(900_000);
        let late = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
        assert_eq!(late["pendingUpgrade"], json!(null), "not even before the tick");
        control_plane.app.tick().await.unwrap();
        let lapsed = control_plane.get(&format!("/api/v1/upgrades/{first}")).await.ok();
        assert_eq!(
            (lapsed["stage"].as_str(), lapsed["error"]["code"].as_str()),
            (Some("FAILED"), Some("lapsed"))
        );

        let second = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        let answer = control_plane
            .sync(&key, reported("host-1", "1.1.0", &first, "COMPLETED", "COMPLETED"))
            .await
            .ok();
        assert_eq!(answer["pendingUpgrade"]["upgradeId"], second);
        let late = control_plane.get(&format!("/api/v1/upgrades/{first}")).await.ok();
        assert_eq!(
            (late["state"].as_str(), &late["error"]),
            (Some("completed"), &json!(null)),
            "a late success wins"
        );
    }

    #[tokio::test]
    async fn what_was_picked_up_does_not_lapse_while_its_bytes_flow() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        let mut report = reported("host-1", "1.0.0", &asked, "DOWNLOAD", "UNDERWAY");
        for bytes in 1..20 {
            report["upgrade"]["bytesDone"] = json!(bytes);
            control_plane.sync(&key, report.clone()).await.ok();
            control_plane.wait_ms(900_000);
            control_plane.app.tick().await.unwrap();
        }
        let answer = control_plane.sync(&key, report.clone()).await.ok();
        assert_eq!(answer["pendingUpgrade"]["upgradeId"], asked);
        let control_plane = control_plane.restart().await;
        control_plane.wait_ms(900_000);
        control_plane.app.tick().await.unwrap();
        let answer = control_plane.sync(&key, report).await.ok();
        assert_eq!(answer["pendingUpgrade"]["upgradeId"], asked, "who was down has heard nobody");
    }

    #[tokio::test]
    async fn an_upgrade_that_stands_still_times_out_at_its_last_stage_and_a_late_success_wins() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        for stage in
            ["PREFLIGHT", "DOWNLOAD", "VERIFY", "SWAP", "RESTART", "CHECK_HEALTH", "CONFIRM_COMPLETION"]
        {
            let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
            let stuck = reported("host-1", "1.0.0", &asked, stage, "UNDERWAY");
            for _ in 0..2 {
                control_plane.sync(&key, stuck.clone()).await.ok();
                control_plane.wait_ms(139_000);
                control_plane.app.tick().await.unwrap();
            }
            let path = format!("/api/v1/upgrades/{asked}");
            // Nearly at the shortest of the limits: syncs that bring no news do not lengthen it.
            assert_eq!(control_plane.get(&path).await.ok()["endedAt"], json!(null), "{stage}");
            control_plane.wait_ms(662_000);
            control_plane.app.tick().await.unwrap();
            let shown = control_plane.get(&path).await.ok();
            assert_eq!(
                (shown["state"].as_str(), shown["error"]["code"].as_str(), shown["error"]["stage"].as_str()),
                (Some("error"), Some("timed_out"), Some(stage))
            );
            let answer = control_plane.sync(&key, stuck).await.ok();
            assert_eq!(answer["pendingUpgrade"], json!(null), "{stage}");
            let next = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
            let end = reported("host-1", "1.0.0", &asked, "COMPLETED", "COMPLETED");
            let answer = control_plane.sync(&key, end).await.ok();
            assert_eq!(answer["pendingUpgrade"]["upgradeId"], next, "{stage}");
            let shown = control_plane.get(&path).await.ok();
            assert_eq!(
                (shown["state"].as_str(), &shown["error"]),
                (Some("completed"), &json!(null)),
                "{stage}"
            );
            control_plane.sync(&key, reported("host-1", "1.0.0", &next, "ABANDONED", "COMPLETED")).await.ok();
        }
    }

    #[tokio::test]
    async fn from_every_end_a_new_request_is_possible() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        for (stage, status, state) in [
            ("ROLLEDBACK", "ROLLEDBACK", "error"),
            ("FAILED", "FAILED", "error"),
            ("ABANDONED", "COMPLETED", "error"),
            ("VERIFY", "FAILED", "error"),
            ("COMPLETED", "COMPLETED", "completed"),
        ] {
            let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
            let mut report = reported("host-1", "1.0.0", &asked, stage, status);
            report["upgrade"]["error"] = json!({
                "code": "from_a_newer_agent", "stage": "VERIFY", "message": "<i>", "timestamp": "2026-01-01T00:00:00Z",
            });
            let answer = control_plane.sync(&key, report).await.ok();
            assert_eq!(answer["pendingUpgrade"], json!(null), "{stage}");
            let shown = control_plane.get(&format!("/api/v1/upgrades/{asked}")).await.ok();
            assert_eq!(
                (shown["state"].as_str(), shown["error"]["message"].as_str()),
                (Some(state), Some("<i>"))
            );
        }
        for code in ["lapsed", "timed_out"] {
            let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
            if code == "timed_out" {
                let report = reported("host-1", "1.0.0", &asked, "DOWNLOAD", "UNDERWAY");
                control_plane.sync(&key, report).await.ok();
            }
            control_plane.wait_ms(1_000_000);
            control_plane.app.tick().await.unwrap();
            let shown = control_plane.get(&format!("/api/v1/upgrades/{asked}")).await.ok();
            assert_eq!(
                (shown["state"].as_str(), shown["error"]["code"].as_str()),
                (Some("error"), Some(code))
            );
            control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
        }
        control_plane.request(&id, "1.1.0").await.ok();
    }
}
