//! `/api/v1/upgrades`: what was asked for, and how far it has come.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use novacula_protocol::people::{Page, Upgrade, UpgradeCounts, Wait};
use novacula_protocol::{Progress, Stage};

use crate::app::App;
use crate::extract::{Id, ListQuery, word};
use crate::problem::{Answer, ApiError};
use crate::store::{Listed, Person};
use crate::upgrade as stored;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<Upgrade>>> {
    let mut executor_id = None;
    let mut stages = Stage::ALL.to_vec();
    query.each_filter("`executorId`, `state` and `stage`", |name, value| {
        match name {
            "executorId" => executor_id = Some(word(name, value, |id| id.parse().ok())?),
            "state" => {
                let state = word(name, value, progress)?;
                stages.retain(|stage| Progress::of(*stage) == state);
            }
            "stage" => {
                let wanted = word(name, value, Stage::from_wire)?;
                stages.retain(|stage| *stage == wanted);
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let listed = Listed { executor_id, stages, before: query.cursor_id()?, limit: query.limit + 1 };
    let rows = app.store.upgrades(person.account_id, listed).await?;
    let page = query.page(rows.into_iter(), |upgrade| upgrade.shown.id.clone());
    let mut items = Vec::with_capacity(page.items.len());
    for upgrade in page.items {
        let waits_for = waits_for(&app, &upgrade).await?;
        let mut shown = upgrade.shown;
        round_off(&app, &mut shown);
        shown.waits_for = waits_for;
        items.push(shown);
    }
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

/// What has ended counts for so long.
const LATELY: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(crate) async fn count(State(app): State<Arc<App>>, person: Person) -> Answer<Json<UpgradeCounts>> {
    let by_stage = app.store.count_upgrades(person.account_id, app.clock.now() - LATELY).await?;
    let mut counts = UpgradeCounts::default();
    for (stage, count) in by_stage {
        let counted = match (stage, Progress::of(stage)) {
            (Stage::RolledBack, _) => &mut counts.rolled_back,
            (Stage::Abandoned, _) => &mut counts.abandoned,
            (_, Progress::Pending) => &mut counts.pending,
            (_, Progress::Running) => &mut counts.running,
            (_, Progress::Completed) => &mut counts.completed,
            (_, Progress::Error) => &mut counts.failed,
        };
        *counted += count;
    }
    Ok(Json(counts))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Upgrade>> {
    let found = app.store.upgrade(person.account_id, id).await?;
    shown(&app, person, found.ok_or_else(|| ApiError::not_found("upgrade"))?).await.map(Json)
}

/// One upgrade as this person sees it: with what is only remembered, what it waits for, and what could be asked of it.
pub(super) async fn shown(app: &App, person: Person, upgrade: stored::Upgrade) -> Answer<Upgrade> {
    let waits_for = waits_for(app, &upgrade).await?;
    let actions = super::steer::actions(app, person, &upgrade).await?;
    let mut shown = upgrade.shown;
    round_off(app, &mut shown);
    (shown.waits_for, shown.actions) = (waits_for, actions);
    Ok(shown)
}

/// What stands in its way before its executor is told of it.
pub(super) async fn waits_for(app: &App, upgrade: &stored::Upgrade) -> Answer<Option<Wait>> {
    if !upgrade.is_waiting() {
        return Ok(None);
    }
    let now = app.clock.now();
    let executor_id = upgrade.shown.executor_id.parse().map_err(ApiError::internal)?;
    let snapshot = app.fleet.executor(upgrade.account_id, executor_id);
    let calendar = snapshot.and_then(|snapshot| app.calendar_stop(&snapshot, now));
    let facts = app.store.facts(upgrade.clone(), calendar).await?;
    Ok(stored::gate(upgrade, &facts, now))
}

fn round_off(app: &App, shown: &mut Upgrade) {
    app.fleet.show_bytes(shown);
    let now = app.clock.now();
    shown.overdue = shown.ended_at.is_none() && shown.deadline.is_some_and(|deadline| deadline < now);
}

fn progress(value: &str) -> Option<Progress> {
    match value {
        "pending" => Some(Progress::Pending),
        "running" => Some(Progress::Running),
        "completed" => Some(Progress::Completed),
        "error" => Some(Progress::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::in_process::{ControlPlane, reported};
    use serde_json::{Value, json};

    fn ids(page: &Value) -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|u| u["id"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn upgrades_come_newest_first_and_are_found_by_executor_state_and_stage() {
        let control_plane = ControlPlane::start().await;
        control_plane.publish("1.1.0").await;
        let mut asked = Vec::new();
        let mut executors = Vec::new();
        for name in ["host-1", "host-2", "host-3"] {
            let (key, id) = control_plane.executor(name, "1.0.0").await;
            asked.push(control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned());
            executors.push((name, key, id));
        }
        for (n, stage) in [(1, "DOWNLOAD"), (2, "COMPLETED")] {
            let (name, key, _) = &executors[n];
            control_plane.sync(key, reported(name, "1.0.0", &asked[n], stage, "COMPLETED")).await.ok();
        }
        for (filter, expected) in [
            (String::new(), vec![2, 1, 0]),
            (format!("executorId={}", executors[1].2), vec![1]),
            ("state=pending".into(), vec![0]),
            ("state=running".into(), vec![1]),
            ("state=completed".into(), vec![2]),
            ("state=error".into(), vec![]),
            ("stage=DOWNLOAD".into(), vec![1]),
            ("stage=DOWNLOAD&state=completed".into(), vec![]),
        ] {
            let page = control_plane.get(&format!("/api/v1/upgrades?{filter}")).await.ok();
            let expected: Vec<_> = expected.into_iter().map(|n: usize| asked[n].clone()).collect();
            assert_eq!(ids(&page), expected, "{filter}");
        }
        let first = control_plane.get("/api/v1/upgrades?limit=2").await.ok();
        let next = first["nextCursor"].as_str().unwrap();
        let rest = control_plane.get(&format!("/api/v1/upgrades?limit=2&cursor={next}")).await.ok();
        assert_eq!((ids(&first).len(), ids(&rest)), (2, vec![asked[0].clone()]));
        for bad in ["state=gone", "stage=download", "executorId=1", "who=me"] {
            let refused = control_plane.get(&format!("/api/v1/upgrades?{bad}")).await;
            assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
        }
    }

    #[tokio::test]
    async fn upgrades_are_counted_by_state_and_what_ended_long_ago_is_not() {
        let control_plane = ControlPlane::start().await;
        control_plane.publish("1.1.0").await;
        let counts = async || control_plane.get("/api/v1/upgrades/counts").await.ok();
        let none = json!({
            "pending": 0, "running": 0, "completed": 0, "rolledBack": 0, "failed": 0, "abandoned": 0
        });
        assert_eq!(counts().await, none);
        for (name, stage) in [
            ("host-1", None),
            ("host-2", None),
            ("host-3", Some("DOWNLOAD")),
            ("host-4", Some("COMPLETED")),
            ("host-5", Some("ROLLEDBACK")),
            ("host-6", Some("FAILED")),
            ("host-7", Some("ABANDONED")),
        ] {
            let (key, id) = control_plane.executor(name, "1.0.0").await;
            let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
            if let Some(stage) = stage {
                control_plane.sync(&key, reported(name, "1.0.0", &asked, stage, "COMPLETED")).await.ok();
            }
        }
        let all = json!({
            "pending": 2, "running": 1, "completed": 1, "rolledBack": 1, "failed": 1, "abandoned": 1
        });
        assert_eq!(counts().await, all);
        let page = String::from_utf8(control_plane.get("/").await.bytes).unwrap();
        assert!(page.contains(">2<span class=\"unseen\"> pending</span>"), "{page}");
        control_plane.wait_ms(7 * 86_400_000);
        assert_eq!(counts().await["completed"], 1, "to the last moment");
        control_plane.wait_ms(1);
        let later = counts().await;
        assert_eq!(
            (&later["completed"], &later["failed"], &later["pending"]),
            (&json!(0), &json!(0), &json!(2))
        );
    }
}
