//! `/api/v1/upgrades`: what was asked for, and how far it has come.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::people::{Page, Upgrade};
use novacula_protocol::{Progress, Stage};

use crate::app::App;
use crate::extract::{Id, ListQuery, word};
use crate::problem::{Answer, ApiError};
use crate::store::{Listed, Person};

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
    let mut page = query.page(rows.into_iter().map(|upgrade| upgrade.shown), |shown| shown.id.clone());
    page.items.iter_mut().for_each(|shown| app.fleet.show_bytes(shown));
    Ok(Json(page))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Upgrade>> {
    let found = app.store.upgrade(person.account_id, id).await?;
    let mut shown = found.ok_or_else(|| ApiError::not_found("upgrade"))?.shown;
    app.fleet.show_bytes(&mut shown);
    Ok(Json(shown))
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
