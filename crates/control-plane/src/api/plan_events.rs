//! `GET /api/v1/fleet/plans/{id}/events` as server-sent events.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use novacula_protocol::people::{PlanProgress, WaveState};
use uuid::Uuid;

use super::stream::{IsOver, PORTION, Queue, Story, last_event_id, nothing_more, tell};
use crate::app::App;
use crate::extract::Id;
use crate::problem::{Answer, ApiError};
use crate::store::{Person, PlanShown};

/// A browser that was cut off names the last event it has; one that comes back after the end is told to stay away.
pub(crate) async fn follow(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer<Response> {
    let known = app.store.plan(person.account_id, id).await?.ok_or_else(|| ApiError::not_found("plan"))?;
    let last = last_event_id(&headers)?;
    let (behind, is_over) = (last.unwrap_or(0), known.plan.state.is_end());
    if last.is_some() && is_over && app.store.plan_events(id, behind, 1).await?.is_empty() {
        return Ok(nothing_more());
    }
    Ok(tell(app, OfPlan { account_id: person.account_id, id, last: behind, stand: None }))
}

struct OfPlan {
    account_id: Uuid,
    id: Uuid,
    last: u64,
    stand: Option<PlanProgress>,
}

impl Story for OfPlan {
    async fn look(&mut self, app: &App, queue: &mut Queue) -> Option<IsOver> {
        let plan = app.store.plan(self.account_id, self.id).await.ok()??;
        let events = app.store.plan_events(self.id, self.last, PORTION).await.ok()?;
        let has_more = events.len() >= PORTION as usize;
        for event in events {
            self.last = event.id;
            queue.push("log", Some(event.id), &event)?;
        }
        let stand = stand(&plan);
        if self.stand.as_ref() != Some(&stand) {
            queue.push("progress", None, &stand)?;
            self.stand = Some(stand.clone());
        }
        let is_over = plan.plan.state.is_end() && !has_more;
        if is_over {
            queue.push("end", None, &stand)?;
        }
        Some(IsOver(is_over))
    }
}

/// Where a plan stands: in the first of its waves that has not passed, or in its last.
fn stand(shown: &PlanShown) -> PlanProgress {
    let PlanShown { plan, waves, counts, .. } = shown;
    let current = waves.iter().find(|wave| wave.state != WaveState::Passed).or(waves.last());
    let name = current.and_then(|row| plan.document.spec.waves.get(row.wave as usize));
    PlanProgress {
        state: plan.state,
        reason: plan.reason.clone(),
        wave: name.map(|wave| wave.name.clone()),
        wave_state: current.map(|row| row.state),
        wave_reason: current.map(|row| row.reason.clone()).unwrap_or_default(),
        counts: current.and_then(|row| counts.get(&row.wave).copied()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use novacula_protocol::people::PlanState;
    use serde_json::{Value, json};

    use super::*;
    use crate::in_process::{ControlPlane, OWNER};
    use crate::store::plan_bench::document;

    async fn planned(control_plane: &ControlPlane) -> Uuid {
        let app = &control_plane.app;
        let (account, id, now) = (control_plane.account_id().await, app.clock.new_id(), app.clock.now());
        let waves = json!([{"name": "canary"}, {"name": "rest"}]);
        app.store.put_plan(account, id, document("p", &waves), now).await;
        app.store.put_wave(id, 0, WaveState::Running, "they go", None).await;
        app.store.put_plan_event(id, "it was applied", now).await;
        id
    }

    fn follow(plan: Uuid, bearer: &str, last: Option<&str>) -> Request<Body> {
        let mut request = Request::builder()
            .uri(format!("/api/v1/fleet/plans/{plan}/events"))
            .header("authorization", format!("Bearer {bearer}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        request.body(Body::empty()).unwrap()
    }

    async fn all(reading: impl Future<Output = Response>) -> String {
        let limit = std::time::Duration::from_secs(20);
        let body = tokio::time::timeout(limit, async { reading.await.into_body().collect().await });
        String::from_utf8(body.await.expect("the stream ends").unwrap().to_bytes().to_vec()).unwrap()
    }

    /// Names and data of the events.
    fn events(text: &str) -> Vec<(String, Value)> {
        let part = |event: &str, name: &str| {
            event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        let events = text.split("\n\n").filter(|event| event.contains("data: "));
        events.map(|event| (part(event, "event: "), part(event, "data: ").parse().unwrap())).collect()
    }

    #[tokio::test]
    async fn who_follows_a_plan_hears_every_event_once_where_it_stands_and_the_end() {
        let control_plane = ControlPlane::start().await;
        let id = planned(&control_plane).await;
        let (store, now) = (&control_plane.app.store, control_plane.app.clock.now());
        let streaming = control_plane.stream(follow(id, OWNER, None)).await;
        assert_eq!(streaming.headers()["content-type"], "text/event-stream");
        let reading = tokio::spawn(all(async { streaming }));
        store.put_plan_event(id, "host-1 went", now).await;
        store.put_plan_event(id, "host-2 went", now).await;
        store.put_wave(id, 0, WaveState::Passed, "", None).await;
        store.put_wave(id, 1, WaveState::Passed, "it passed its gates", None).await;
        store.put_plan_state(id, PlanState::Completed, "every wave passed", now).await;
        let text = reading.await.unwrap();
        let heard = events(&text);
        for message in ["it was applied", "host-1 went", "host-2 went"] {
            let count =
                heard.iter().filter(|(name, data)| name == "log" && data["message"] == message).count();
            assert_eq!(count, 1, "{message}: {text}");
        }
        let (last, data) = heard.last().unwrap();
        assert_eq!(
            (last.as_str(), &data["state"], &data["wave"]),
            ("end", &json!("completed"), &json!("rest"))
        );
        assert_eq!(data["reason"], "every wave passed");

        let heard_last = text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap();
        let again = control_plane.stream(follow(id, OWNER, Some(heard_last))).await;
        assert_eq!(again.status(), 204, "who has heard it all is told to stay away");
        let first = text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
        let rest = all(control_plane.stream(follow(id, OWNER, Some(first)))).await;
        assert!(rest.contains("host-2 went") && !rest.contains("it was applied"), "{rest}");
        assert_eq!(control_plane.stream(follow(id, OWNER, Some("x"))).await.status(), 400);
    }

    #[tokio::test]
    async fn the_end_does_not_overtake_what_happened_before_it() {
        let control_plane = ControlPlane::start().await;
        let id = planned(&control_plane).await;
        let (store, now) = (&control_plane.app.store, control_plane.app.clock.now());
        for _ in 0..2 * PORTION {
            store.put_plan_event(id, "one of many", now).await;
        }
        store.put_plan_state(id, PlanState::Completed, "every wave passed", now).await;
        let text = all(control_plane.stream(follow(id, OWNER, None))).await;
        let heard = events(&text);
        let many = heard.iter().filter(|(_, data)| data["message"] == "one of many").count();
        assert_eq!(many, 2 * PORTION as usize);
        let ends: Vec<_> = (0..heard.len()).filter(|at| heard[*at].0 == "end").collect();
        assert_eq!(ends, [heard.len() - 1]);
    }

    #[tokio::test]
    async fn a_plan_that_is_halted_is_not_over_and_one_that_is_deleted_is() {
        let control_plane = ControlPlane::start().await;
        let id = planned(&control_plane).await;
        let (store, now) = (&control_plane.app.store, control_plane.app.clock.now());
        store.put_plan_state(id, PlanState::Halted, "two failed", now).await;
        let mut streaming = control_plane.stream(follow(id, OWNER, None)).await.into_body();
        let mut heard = String::new();
        while !heard.contains("two failed") {
            let frame = streaming.frame().await.expect("it is not over").unwrap();
            heard.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
        store.put_plan_event(id, "somebody looks into it", now).await;
        while !heard.contains("somebody looks into it") {
            let frame = streaming.frame().await.expect("it is not over").unwrap();
            heard.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
        assert!(!heard.contains("event: end"), "{heard}");
        store.put("UPDATE plans SET deleted_at = 1").await;
        let limit = std::time::Duration::from_secs(20);
        tokio::time::timeout(limit, streaming.collect()).await.expect("the stream ends").unwrap();
        assert_eq!(control_plane.stream(follow(id, OWNER, None)).await.status(), 404);
    }

    #[tokio::test]
    async fn plans_of_another_account_are_not_there() {
        let control_plane = ControlPlane::start().await;
        let id = planned(&control_plane).await;
        control_plane.app.store.put("INSERT INTO accounts (id, name, created_at) VALUES ('01a1fd44-ec13-72dc-be3d-6f6dbcc5687c', 'other', 0);
             UPDATE plans SET account_id = '01a1fd44-ec13-72dc-be3d-6f6dbcc5687c'").await;
        assert_eq!(control_plane.stream(follow(id, OWNER, None)).await.status(), 404);
    }

    #[tokio::test]
    async fn a_control_plane_that_ends_ends_what_is_followed() {
        let control_plane = ControlPlane::start().await;
        let id = planned(&control_plane).await;
        let streaming = control_plane.stream(follow(id, OWNER, None)).await;
        let reading = tokio::spawn(all(async { streaming }));
        control_plane.app.ending.cancel();
        reading.await.unwrap();
    }
}
