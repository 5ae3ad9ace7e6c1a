//! `/api/v1/executors/{id}/revisions` and `/rollback`: what ran on an executor, and the way back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::Stage;
use novacula_protocol::people::{LastSuccessful, Page, Revision, RollbackRequest, Upgrade, UpgradeRequest};
use uuid::Uuid;

use crate::app::App;
use crate::extract::{Body, Id, ListQuery};
use crate::problem::{Answer, ApiError};
use crate::store::Person;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    query: ListQuery,
) -> Answer<Json<Page<Revision>>> {
    app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    let rows = app.store.revisions(id, query.cursor_number()?, query.limit + 1).await?;
    Ok(Json(query.page(rows.into_iter(), |revision| revision.revision.to_string())))
}

/// Asks for the version of a revision: a new upgrade, and when it completes a new revision.
pub(crate) async fn roll_back(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<RollbackRequest>,
) -> Answer<(StatusCode, Json<Upgrade>)> {
    app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    let number = asked.target_revision;
    let no_such = || ApiError::not_found("revision");
    // The store counts in signed numbers.
    i64::try_from(number).map_err(|_| no_such())?;
    let found = app.store.revision(id, number).await?.ok_or_else(no_such)?;
    if found.status != Stage::Completed {
        let sentence = format!(
            "revision {number} is one that ended {}; choose one that completed, or the last successful one",
            found.status
        );
        return Err(ApiError::conflict("revision_not_successful", sentence));
    }
    request(app, person, id, found, asked.description).await
}

pub(crate) async fn roll_back_to_last_successful(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<LastSuccessful>,
) -> Answer<(StatusCode, Json<Upgrade>)> {
    let snapshot =
        app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    let found = app.store.last_successful(id, snapshot.executor.current_version).await?;
    let found = found.ok_or_else(|| {
        let sentence = "nothing else than what runs now ever completed there; request a version instead";
        ApiError::conflict("no_earlier_revision", sentence)
    })?;
    request(app, person, id, found, asked.description).await
}

async fn request(
    app: Arc<App>,
    person: Person,
    id: Uuid,
    back_to: Revision,
    description: Option<String>,
) -> Answer<(StatusCode, Json<Upgrade>)> {
    let description = description.unwrap_or_else(|| format!("back to revision {}", back_to.revision));
    let asked = UpgradeRequest { description: Some(description), ..UpgradeRequest::to(back_to.version) };
    super::request_upgrade::request(State(app), person, Id(id), Body(asked)).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::in_process::{ControlPlane, reported, said};

    async fn upgraded(
        control_plane: &ControlPlane,
        key: &str,
        id: &str,
        to: &str,
        stage: &str,
        status: &str,
    ) {
        let upgrade = control_plane.request(id, to).await.ok()["id"].as_str().unwrap().to_owned();
        let runs = if stage == "COMPLETED" { to } else { "1.0.0" };
        control_plane.sync(key, reported("host-1", runs, &upgrade, stage, status)).await.ok();
    }

    #[tokio::test]
    async fn a_rollback_to_a_revision_makes_a_new_one_and_changes_none() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        for version in ["1.0.0", "1.1.0", "1.2.0"] {
            control_plane.publish(version).await;
        }
        let path = format!("/api/v1/executors/{id}");
        let none = control_plane.post(&format!("{path}/rollback/last-successful"), json!({})).await;
        assert_eq!(none.problem(), (409, "no_earlier_revision".to_owned()));
        upgraded(&control_plane, &key, &id, "1.1.0", "ROLLEDBACK", "ROLLEDBACK").await;
        upgraded(&control_plane, &key, &id, "1.2.0", "COMPLETED", "COMPLETED").await;
        let failed = control_plane.post(&format!("{path}/rollback"), json!({"targetRevision": 2})).await;
        assert_eq!(failed.problem(), (409, "revision_not_successful".to_owned()));
        let nowhere = control_plane.post(&format!("{path}/rollback"), json!({"targetRevision": 9})).await;
        assert_eq!(nowhere.problem(), (404, "not_found".to_owned()));
        let here = control_plane.post(&format!("{path}/rollback"), json!({"targetRevision": 3})).await;
        assert_eq!(here.problem(), (409, "already_there".to_owned()), "it runs there");

        let back = control_plane.post(&format!("{path}/rollback/last-successful"), json!({})).await.ok();
        assert_eq!((&back["targetVersion"], &back["direction"]), (&json!("1.0.0"), &json!("downgrade")));
        let done = reported("host-1", "1.0.0", back["id"].as_str().unwrap(), "COMPLETED", "COMPLETED");
        control_plane.sync(&key, done).await.ok();
        let control_plane = control_plane.restart().await;
        let all = control_plane.get(&format!("{path}/revisions")).await.ok();
        let told: Vec<_> = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| {
                let word = |field: &str| it[field].as_str().unwrap().to_owned();
                format!(
                    "{} {} {} by {}: {}",
                    it["revision"],
                    word("version"),
                    word("status"),
                    word("by"),
                    word("description")
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "4 1.0.0 COMPLETED by owner: back to revision 1",
                "3 1.2.0 COMPLETED by owner: ",
                "2 1.1.0 ROLLEDBACK by owner: ",
                "1 1.0.0 COMPLETED by executor host-1: first seen",
            ]
        );
        let page = control_plane.get(&format!("{path}/revisions?limit=3")).await.ok();
        let rest = control_plane
            .get(&format!("{path}/revisions?cursor={}", page["nextCursor"].as_str().unwrap()))
            .await
            .ok();
        assert_eq!(rest["items"][0]["revision"], 1);
    }

    #[tokio::test]
    async fn a_version_that_changed_on_the_host_is_a_revision_and_one_on_trial_is_none() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let newest = async || {
            let all = control_plane.get(&format!("/api/v1/executors/{id}/revisions")).await.ok();
            all["items"][0].clone()
        };
        let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        control_plane
            .sync(&key, reported("host-1", "1.1.0", &upgrade, "CHECK_HEALTH", "UNDERWAY"))
            .await
            .ok();
        assert_eq!(newest().await["revision"], 1, "it is on trial");
        control_plane
            .sync(&key, reported("host-1", "1.0.0", &upgrade, "ROLLEDBACK", "ROLLEDBACK"))
            .await
            .ok();
        assert_eq!(newest().await["status"], "ROLLEDBACK");
        control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
        assert_eq!(newest().await["revision"], 2);
        control_plane.sync(&key, said("host-1", "0.9.0")).await.ok();
        let by_hand = newest().await;
        assert_eq!(
            (&by_hand["description"], &by_hand["upgradeId"]),
            (&json!("changed on the host"), &Value::Null)
        );
    }
}
