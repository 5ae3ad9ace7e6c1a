//! `GET /api/v1/upgrades/{id}/events` as server-sent events, and `/events/stages` as a list grouped by stage.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use novacula_protocol::Status;
use novacula_protocol::people::{StageEvents, UpgradeEvent};
use uuid::Uuid;

use super::stream::{IsOver, PORTION, Queue, Story, last_event_id, nothing_more, tell};
use crate::app::App;
use crate::extract::Id;
use crate::problem::{Answer, ApiError};
use crate::store::Person;

/// All that one upgrade can have: its log is bounded, and its moves are few.
const ALL: u32 = 100_000;

pub(crate) async fn by_stage(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<Vec<StageEvents>>> {
    app.store.upgrade(person.account_id, id).await?.ok_or_else(|| ApiError::not_found("upgrade"))?;
    Ok(Json(grouped(app.store.events(id, 0, ALL).await?)))
}

/// A browser that was cut off names the last event it has; one that comes back after the end is told to stay away.
pub(crate) async fn follow(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer<Response> {
    let known =
        app.store.upgrade(person.account_id, id).await?.ok_or_else(|| ApiError::not_found("upgrade"))?;
    let last = last_event_id(&headers)?;
    let behind = last.unwrap_or(0);
    if last.is_some() && !known.is_open() && app.store.events(id, behind, 1).await?.is_empty() {
        return Ok(nothing_more());
    }
    Ok(tell(app, OfUpgrade { account_id: person.account_id, id, last: behind, bytes: None }))
}

struct OfUpgrade {
    account_id: Uuid,
    id: Uuid,
    last: u64,
    bytes: Option<(u64, u64)>,
}

impl Story for OfUpgrade {
    async fn look(&mut self, app: &App, queue: &mut Queue) -> Option<IsOver> {
        let upgrade = app.store.upgrade(self.account_id, self.id).await.ok()??;
        let events = app.store.events(self.id, self.last, PORTION).await.ok()?;
        let has_more = events.len() >= PORTION as usize;
        for event in events {
            self.last = event.id;
            let name = if event.status.is_some() { "stage" } else { "log" };
            queue.push(name, Some(event.id), &event)?;
        }
        let is_open = upgrade.is_open();
        let progress = super::progress::progress(app, upgrade).await.ok()?;
        let bytes = (progress.bytes_done, progress.bytes_total);
        if self.bytes.replace(bytes) != Some(bytes) {
            queue.push("progress", None, &progress)?;
        }
        let is_over = !is_open && !has_more;
        if is_over {
            queue.push("end", None, &progress)?;
        }
        Some(IsOver(is_over))
    }
}

/// Events in their order, gathered under the stage of the attempt they belong to.
fn grouped(events: Vec<UpgradeEvent>) -> Vec<StageEvents> {
    let mut groups: Vec<StageEvents> = Vec::new();
    for event in events {
        let known = groups.iter_mut().find(|it| it.attempt == event.attempt && it.stage == event.stage);
        match known {
            Some(group) => {
                group.status = event.status.unwrap_or(group.status);
                group.events.push(event);
            }
            None => groups.push(StageEvents {
                attempt: event.attempt,
                stage: event.stage,
                status: event.status.unwrap_or(Status::Underway),
                started_at: event.at,
                events: vec![event],
            }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use serde_json::json;

    use crate::in_process::{ControlPlane, OWNER, reported};

    async fn requested(control_plane: &ControlPlane) -> (String, String) {
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        (key, control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned())
    }

    fn follow(upgrade: &str, last: Option<&str>) -> Request<Body> {
        let mut request = Request::builder()
            .uri(format!("/api/v1/upgrades/{upgrade}/events"))
            .header("authorization", format!("Bearer {OWNER}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        request.body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn events_are_grouped_by_attempt_and_stage() {
        let control_plane = ControlPlane::start().await;
        let (key, upgrade) = requested(&control_plane).await;
        for (stage, status) in [("DOWNLOAD", "UNDERWAY"), ("DOWNLOAD", "COMPLETED"), ("FAILED", "FAILED")] {
            let mut report = reported("host-1", "1.0.0", &upgrade, stage, status);
            report["upgrade"]["log"] = json!([{"at": "2026-11-21T00:00:00Z", "level": "INFO", "message": format!("<i>{stage}{status}")}]);
            control_plane.sync(&key, report).await.ok();
            control_plane.wait_ms(1_000);
        }
        control_plane.post(&format!("/api/v1/upgrades/{upgrade}/retry"), json!({})).await.ok();
        let stages = control_plane.get(&format!("/api/v1/upgrades/{upgrade}/events/stages")).await.ok();
        let heads: Vec<_> = stages
            .as_array()
            .unwrap()
            .iter()
            .map(|it| {
                format!(
                    "{} {} {}",
                    it["attempt"],
                    it["stage"].as_str().unwrap(),
                    it["status"].as_str().unwrap()
                )
            })
            .collect();
        let expected = [
            "1 CONFIRM_START UNSTARTED",
            "1 DOWNLOAD COMPLETED",
            "1 FAILED FAILED",
            "2 CONFIRM_START UNSTARTED",
        ];
        assert_eq!(heads, expected);
        assert!(stages[1]["events"].to_string().contains("<i>DOWNLOADUNDERWAY"));
    }

    #[tokio::test]
    async fn who_follows_hears_every_event_once_and_the_end() {
        let control_plane = ControlPlane::start().await;
        let (key, upgrade) = requested(&control_plane).await;
        let streaming = control_plane.stream(follow(&upgrade, None)).await;
        assert_eq!(streaming.headers()["content-type"], "text/event-stream");
        let reading = tokio::spawn(streaming.into_body().collect());
        for (stage, status) in [("DOWNLOAD", "UNDERWAY"), ("SWAP", "UNDERWAY"), ("COMPLETED", "COMPLETED")] {
            control_plane.sync(&key, reported("host-1", "1.0.0", &upgrade, stage, status)).await.ok();
        }
        let limit = std::time::Duration::from_secs(20);
        let body = tokio::time::timeout(limit, reading).await.expect("the stream ends with the upgrade");
        let text = String::from_utf8(body.unwrap().unwrap().to_bytes().to_vec()).unwrap();
        for stage in ["CONFIRM_START", "DOWNLOAD", "SWAP", "COMPLETED"] {
            let line = format!("\"message\":\"{stage} ");
            assert_eq!(text.matches(&line).count(), 1, "{stage}: {text}");
        }
        assert!(text.trim_end().lines().rev().take(2).any(|line| line == "event: end"), "{text}");

        let last = text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned();
        let again = control_plane.stream(follow(&upgrade, Some(&last))).await;
        assert_eq!(again.status(), 204, "who has heard it all is told to stay away");
        let first =
            control_plane.stream(follow(&upgrade, Some("1"))).await.into_body().collect().await.unwrap();
        let text = String::from_utf8(first.to_bytes().to_vec()).unwrap();
        assert!(text.contains("COMPLETED") && !text.contains("\"message\":\"CONFIRM_START "), "{text}");
        assert_eq!(control_plane.stream(follow(&upgrade, Some("x"))).await.status(), 400);
    }

    #[tokio::test]
    async fn a_control_plane_that_ends_ends_what_is_followed() {
        let control_plane = ControlPlane::start().await;
        let (_, upgrade) = requested(&control_plane).await;
        let reading = tokio::spawn(control_plane.stream(follow(&upgrade, None)).await.into_body().collect());
        control_plane.app.ending.cancel();
        let limit = std::time::Duration::from_secs(20);
        tokio::time::timeout(limit, reading).await.expect("the stream ends").unwrap().unwrap();
    }
}
