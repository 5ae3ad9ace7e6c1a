//! `GET /api/v1/executors/{id}/explain`: the first rule that stops an executor's upgrade.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::people::Explanation;

use crate::app::App;
use crate::explain::{Facts, explain};
use crate::extract::{Id, ListQuery, word};
use crate::presence::presence;
use crate::problem::{Answer, ApiError};
use crate::store::Person;

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    query: ListQuery,
) -> Answer<Json<Explanation>> {
    let mut wanted = None;
    query.each_filter("`targetVersion`", |name, value| {
        if name == "targetVersion" {
            wanted = Some(word(name, value, |version| version.parse().ok())?);
        }
        Ok(name == "targetVersion")
    })?;
    let snapshot =
        app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    let releases = app.store.releases(person.account_id, Some(snapshot.executor.kind), None, None).await?;
    let now = app.clock.now();
    let presence = presence(snapshot.executor.last_seen_at, now, app.rules.heartbeat_timeout_ms);
    let wait = match snapshot.open_upgrade() {
        Some(open) => super::upgrades::waits_for(&app, open).await?,
        None => None,
    };
    let calendar = app.calendar_stop(&snapshot, now);
    let facts = Facts {
        snapshot: &snapshot,
        is_suspended: app.suspended.check(person.account_id).is_err(),
        presence,
        releases: &releases,
        wanted: wanted.as_ref(),
        wait: wait.as_ref(),
        calendar: calendar.as_ref(),
        now,
    };
    Ok(Json(explain(&facts)))
}

#[cfg(test)]
mod tests {
    use crate::in_process::ControlPlane;

    #[tokio::test]
    async fn an_executor_is_explained_over_the_whole_way() {
        let control_plane = ControlPlane::start().await;
        let (_, id) = control_plane.executor("host-1", "1.0.0").await;
        let path = format!("/api/v1/executors/{id}/explain");
        let rule = async |query: &str| {
            let answer = control_plane.get(&format!("{path}{query}")).await.ok();
            answer["rule"].as_str().unwrap().to_owned()
        };
        assert_eq!(rule("").await, "no_release");
        control_plane.publish("1.1.0").await;
        assert_eq!(rule("").await, "nothing");
        assert_eq!(rule("?targetVersion=9.0.0").await, "no_release");
        let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].clone();
        let pending = control_plane.get(&path).await.ok();
        assert_eq!((&pending["rule"], &pending["upgradeId"]), (&"pending".into(), &upgrade));
        let pause = format!("/api/v1/upgrades/{}/pause", upgrade.as_str().unwrap());
        control_plane.post(&pause, serde_json::json!({"reason": "lunch"})).await.ok();
        assert_eq!(rule("").await, "upgrade_paused");
        control_plane.wait_ms(900_000);
        assert_eq!(rule("").await, "offline");
        let refused = control_plane.get(&format!("{path}?targetVersion=x")).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()));
        let nobody = "/api/v1/executors/01a1fd44-ec13-72dc-be3d-6f6dbcc5687c/explain";
        assert_eq!(control_plane.get(nobody).await.problem(), (404, "not_found".to_owned()));
    }
}
