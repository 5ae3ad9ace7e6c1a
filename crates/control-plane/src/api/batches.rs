//! `POST /api/v1/releases/{kind}/batch-upgrade` and `/batches`: upgrades of many executors.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::people::{Batch, BatchRequest, Page, WithReason};
use uuid::Uuid;

use super::census;
use crate::app::App;
use crate::extract::{Body, Id, KindOf, ListQuery};
use crate::labels::Labels;
use crate::problem::{Answer, ApiError};
use crate::reason::checked_reason;
use crate::store::Person;

const MOST: usize = 10_000;

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    KindOf(kind): KindOf,
    query: ListQuery,
    Body(asked): Body<BatchRequest>,
) -> Answer<(StatusCode, Json<Batch>)> {
    let target_version = census::target(&query)?;
    let concurrency = asked.concurrency.unwrap_or(1);
    if !(1..=1_000).contains(&concurrency) {
        return Err(ApiError::invalid(format!("`concurrency` must be 1 to 1000, it is {concurrency}")));
    }
    let description = super::request_upgrade::checked_description(asked.description)?;
    let named = asked.executor_ids.map(|ids| read(&ids)).transpose()?;
    let has_labels =
        |labels: &Labels| asked.labels.iter().all(|(key, value)| labels.get(key) == Some(value.as_str()));
    let known: HashMap<Uuid, bool> = census::of_kind(&app, person.account_id, kind)
        .map(|one| (one.executor.id, has_labels(&one.executor.labels)))
        .collect();
    let wanted: Vec<Uuid> = match named {
        Some(named) => named.into_iter().filter(|id| known.get(id).is_none_or(|fits| *fits)).collect(),
        None => census::of_kind(&app, person.account_id, kind)
            .map(|one| one.executor.id)
            .filter(|id| known.get(id) == Some(&true))
            .collect(),
    };
    if wanted.is_empty() || wanted.len() > MOST {
        let count = wanted.len();
        let sentence =
            format!("a batch must have 1 to {MOST} executors, these labels and ids select {count}");
        return Err(ApiError::invalid(sentence));
    }
    let id = app.clock.new_id();
    let batch = Batch {
        id: id.to_string(),
        kind,
        target_version,
        concurrency,
        stop_on_failure: asked.stop_on_failure,
        hops: asked.hops,
        confirm: asked.confirm.unwrap_or_default(),
        description,
        requested_by: person.name.clone(),
        created_at: app.clock.now(),
        ended_at: None,
        stopped_because: None,
        items: Vec::new(),
    };
    let account_id = person.account_id;
    if let Err(unknown) = app.store.add_batch(person, batch, wanted).await? {
        return Err(ApiError::not_found(&format!("executor {unknown}")));
    }
    app.advance_batches().await?;
    let batch = app.store.batch(account_id, id).await?;
    Ok((StatusCode::ACCEPTED, Json(batch.ok_or_else(|| ApiError::internal("a new batch is missing"))?)))
}

fn read(ids: &[String]) -> Answer<Vec<Uuid>> {
    let mut seen = HashSet::new();
    let read: Result<Vec<Uuid>, _> = ids.iter().map(|id| id.parse()).collect();
    let mut read = read.map_err(|_| ApiError::not_found("executor"))?;
    read.retain(|id| seen.insert(*id));
    Ok(read)
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<Batch>>> {
    query.each_filter("none", |_, _| Ok(false))?;
    let rows = app.store.batches(person.account_id, query.cursor_id()?, query.limit + 1).await?;
    Ok(Json(query.page(rows.into_iter(), |batch| batch.id.clone())))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Batch>> {
    app.store.batch(person.account_id, id).await?.map(Json).ok_or_else(|| ApiError::not_found("batch"))
}

/// Upgrades that have begun go on; nobody else's turn comes.
pub(crate) async fn abandon(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<WithReason>,
) -> Answer<Json<Batch>> {
    let reason = checked_reason(Some(asked.reason))?;
    let account_id = person.account_id;
    match app.store.stop_batch(person, id, reason, app.clock.now()).await? {
        None => Err(ApiError::not_found("batch")),
        Some(false) => {
            Err(ApiError::conflict("batch_ended", "the batch has ended; nothing of it is left to stop"))
        }
        Some(true) => {
            let batch = app.store.batch(account_id, id).await?;
            batch.map(Json).ok_or_else(|| ApiError::not_found("batch"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::in_process::{ControlPlane, reported, said};

    const PATH: &str = "/api/v1/releases/agent/batch-upgrade?targetVersion=3.0.0";

    /// Executors by the name of what will become of them, each with its key.
    async fn fleet(control_plane: &ControlPlane, hosts: &[(&str, &str)]) -> Vec<String> {
        let mut keys = Vec::new();
        for (name, version) in hosts {
            keys.push(control_plane.executor(name, version).await.0);
        }
        keys
    }

    fn outcomes(batch: &Value) -> Vec<String> {
        let items = batch["items"].as_array().unwrap();
        items
            .iter()
            .map(|it| format!("{} {}", it["executorName"].as_str().unwrap(), it["outcome"].as_str().unwrap()))
            .collect()
    }

    /// The open upgrade of an executor ends so.
    async fn end(control_plane: &ControlPlane, key: &str, name: &str, runs: &str, stage: &str, status: &str) {
        let answer = control_plane.sync(key, said(name, "0.0.1")).await.ok();
        let id =
            answer["pendingUpgrade"]["upgradeId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        control_plane.sync(key, reported(name, runs, &id, stage, status)).await.ok();
        control_plane.app.tick().await.unwrap();
    }

    #[tokio::test]
    async fn a_batch_tells_who_started_needs_a_hop_is_there_or_is_refused_and_goes_one_by_one() {
        let control_plane = ControlPlane::start().await;
        let hosts = [("a", "2.0.0"), ("b", "1.0.0"), ("c", "3.0.0"), ("d", "2.1.0"), ("e", "2.2.0")];
        let keys = fleet(&control_plane, &hosts).await;
        control_plane.publish("3.0.0").await;
        let batch = control_plane.post(PATH, json!({"description": "<i>all</i>"})).await.ok();
        assert_eq!(outcomes(&batch), ["a started", "b needsHop", "c alreadyThere", "d waiting", "e waiting"]);
        assert_eq!(batch["items"][1]["reason"], "requires upgrade to 2.x first");
        let path = format!("/api/v1/batches/{}", batch["id"].as_str().unwrap());
        end(&control_plane, &keys[0], "a", "2.0.0", "ROLLEDBACK", "ROLLEDBACK").await;
        let batch = control_plane.get(&path).await.ok();
        assert_eq!(outcomes(&batch)[0], "a failed", "a failure blocks nobody");
        assert_eq!(outcomes(&batch)[3..], ["d started", "e waiting"]);

        let control_plane = control_plane.restart().await;
        control_plane.wait_ms(30_000);
        end(&control_plane, &keys[3], "d", "3.0.0", "COMPLETED", "COMPLETED").await;
        let batch = control_plane.get(&path).await.ok();
        assert_eq!(outcomes(&batch)[3..], ["d completed", "e refused"]);
        assert!(batch["items"][4]["reason"].as_str().unwrap().contains("offline"), "{batch}");
        assert!(!batch["endedAt"].is_null());
        let listed = control_plane.get("/api/v1/batches").await.ok();
        assert_eq!(listed["items"][0]["description"], "<i>all</i>");
        let over = control_plane.post(&format!("{path}/abandon"), json!({"reason": "x"})).await;
        assert_eq!(over.problem(), (409, "batch_ended".to_owned()));
    }

    #[tokio::test]
    async fn a_batch_that_shall_stop_on_failure_stops_and_one_that_is_abandoned_too() {
        let control_plane = ControlPlane::start().await;
        let keys =
            fleet(&control_plane, &[("a", "2.0.0"), ("b", "2.0.0"), ("c", "2.0.0"), ("d", "2.0.0")]).await;
        control_plane.publish("3.0.0").await;
        let batch = control_plane.post(PATH, json!({"concurrency": 2, "stopOnFailure": true})).await.ok();
        assert_eq!(outcomes(&batch), ["a started", "b started", "c waiting", "d waiting"]);
        let path = format!("/api/v1/batches/{}", batch["id"].as_str().unwrap());
        end(&control_plane, &keys[1], "b", "2.0.0", "FAILED", "FAILED").await;
        let batch = control_plane.get(&path).await.ok();
        assert_eq!(outcomes(&batch), ["a started", "b failed", "c skipped", "d skipped"]);
        assert!(batch["stoppedBecause"].as_str().unwrap().contains("`b` did not complete"), "{batch}");
        assert!(batch["endedAt"].is_null(), "one is still under way");
        end(&control_plane, &keys[0], "a", "3.0.0", "COMPLETED", "COMPLETED").await;
        assert!(!control_plane.get(&path).await.ok()["endedAt"].is_null());

        let batch = control_plane.post(PATH, json!({})).await.ok();
        assert_eq!(outcomes(&batch)[1..], ["b started", "c waiting", "d waiting"]);
        let path = format!("/api/v1/batches/{}", batch["id"].as_str().unwrap());
        let stopped = control_plane.post(&format!("{path}/abandon"), json!({"reason": "lunch"})).await.ok();
        assert_eq!(outcomes(&stopped)[1..], ["b started", "c skipped", "d skipped"]);
        let told = control_plane.get("/api/v1/activity?action=batch.stopped").await.ok();
        assert_eq!(told["items"][0]["reason"], "lunch");
    }

    #[tokio::test]
    async fn a_target_that_is_too_far_is_reached_hop_by_hop_when_asked() {
        let control_plane = ControlPlane::start().await;
        let keys = fleet(&control_plane, &[("a", "1.0.0")]).await;
        for version in ["2.0.0", "2.5.0", "3.0.0"] {
            control_plane.publish(version).await;
        }
        let batch = control_plane.post(PATH, json!({"hops": true})).await.ok();
        assert_eq!(outcomes(&batch), ["a started"]);
        let path = format!("/api/v1/batches/{}", batch["id"].as_str().unwrap());
        let hop = control_plane.sync(&keys[0], said("a", "1.0.0")).await.ok()["pendingUpgrade"].clone();
        assert_eq!(hop["targetVersion"], "2.5.0");
        let id = hop["upgradeId"].as_str().unwrap();
        control_plane.sync(&keys[0], reported("a", "2.5.0", id, "COMPLETED", "COMPLETED")).await.ok();
        control_plane.app.tick().await.unwrap();
        let hop = control_plane.sync(&keys[0], said("a", "2.5.0")).await.ok()["pendingUpgrade"].clone();
        assert_eq!((&hop["fromVersion"], &hop["targetVersion"]), (&json!("2.5.0"), &json!("3.0.0")));
        assert_eq!(outcomes(&control_plane.get(&path).await.ok()), ["a started"]);
        let id = hop["upgradeId"].as_str().unwrap();
        control_plane.sync(&keys[0], reported("a", "3.0.0", id, "COMPLETED", "COMPLETED")).await.ok();
        control_plane.app.tick().await.unwrap();
        let batch = control_plane.get(&path).await.ok();
        assert_eq!(
            (outcomes(&batch), &batch["items"][0]["upgradeId"]),
            (vec!["a completed".to_owned()], &json!(id))
        );
    }

    #[tokio::test]
    async fn a_batch_of_nobody_or_of_strangers_is_refused() {
        let control_plane = ControlPlane::start().await;
        let (_, id) = control_plane.executor("a", "2.0.0").await;
        control_plane.publish("3.0.0").await;
        for (body, code) in [
            (json!({"executorIds": []}), 400),
            (json!({"labels": {"no": "such"}}), 400),
            (json!({"concurrency": 0}), 400),
            (json!({"force": true}), 400),
            (json!({"executorIds": ["x"]}), 404),
            (json!({"executorIds": [id, "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c"]}), 404),
        ] {
            assert_eq!(control_plane.post(PATH, body.clone()).await.problem().0, code, "{body}");
        }
        let none = control_plane.get("/api/v1/batches").await.ok();
        assert_eq!(none["items"], json!([]), "nothing is kept of what was refused");
        let twice = control_plane.post(PATH, json!({"executorIds": [id, id]})).await.ok();
        assert_eq!(outcomes(&twice), ["a started"]);
    }
}
