//! `/api/v1/fleet/groups`: executors that are called by one name.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::people::{ExecutorGroup, ExecutorGroupPatch, ExecutorGroupRequest, Page, Selector};
use uuid::Uuid;

use crate::app::App;
use crate::extract::{Body, Id, ListQuery};
use crate::group::Group;
use crate::problem::{Answer, ApiError};
use crate::selector;
use crate::store::{GroupRefused, Person};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<ExecutorGroup>>> {
    query.each_filter("none", |_, _| Ok(false))?;
    let groups = app.store.groups(person.account_id, query.cursor_id()?, query.limit + 1).await?;
    let page = query.page(groups.into_iter(), |group| group.id.to_string());
    Ok(Json(Page { items: shown(&app, person.account_id, &page.items), next_cursor: page.next_cursor }))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<ExecutorGroup>> {
    let found = app.store.group(person.account_id, id).await?.ok_or(GroupRefused::NotFound)?;
    Ok(Json(one(&app, &found)))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    Body(asked): Body<ExecutorGroupRequest>,
) -> Answer<(StatusCode, Json<ExecutorGroup>)> {
    let mut group = Group {
        id: app.clock.new_id(),
        account_id: person.account_id,
        name: String::new(),
        selector: Selector::default(),
        created_by: person.name.clone(),
        created_at: app.clock.now(),
    };
    group.set(asked).map_err(ApiError::invalid)?;
    let kept = app.store.add_group(person, group).await??;
    Ok((StatusCode::CREATED, Json(one(&app, &kept))))
}

pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(patch): Body<ExecutorGroupPatch>,
) -> Answer<Json<ExecutorGroup>> {
    let kept = app.store.patch_group(person, id, patch, app.clock.now()).await??;
    Ok(Json(one(&app, &kept)))
}

pub(crate) async fn delete(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<StatusCode> {
    app.store.delete_group(person, id, app.clock.now()).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn one(app: &App, group: &Group) -> ExecutorGroup {
    group.shown(counts(app, group.account_id, std::slice::from_ref(group))[0])
}

fn shown(app: &App, account_id: Uuid, groups: &[Group]) -> Vec<ExecutorGroup> {
    let counts = counts(app, account_id, groups);
    groups.iter().zip(counts).map(|(group, count)| group.shown(count)).collect()
}

/// How many executors each of them takes, in one look at the fleet.
fn counts(app: &App, account_id: Uuid, groups: &[Group]) -> Vec<u32> {
    let mut counts = vec![0; groups.len()];
    if groups.is_empty() {
        return counts;
    }
    app.fleet.visit(account_id, |one| {
        for (group, count) in groups.iter().zip(&mut counts) {
            *count += u32::from(selector::takes(&group.selector, &one.labels));
        }
    });
    counts
}

impl From<GroupRefused> for ApiError {
    fn from(refused: GroupRefused) -> Self {
        let message = refused.to_string();
        match refused {
            GroupRefused::NotFound => Self::not_found("group"),
            GroupRefused::NameTaken(_) => Self::conflict("name_taken", message),
            GroupRefused::TooMany => Self::conflict("too_many", message),
            GroupRefused::InUse { plan, plan_id, wave } => Self::conflict("group_in_use", message)
                .with("plan", plan)
                .with("planId", plan_id.to_string())
                .with("wave", wave),
            GroupRefused::Invalid(sentence) => Self::invalid(sentence),
        }
    }
}

#[cfg(test)]
mod tests;
