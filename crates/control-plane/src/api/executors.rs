//! `/api/v1/executors`: who is out there, and where each could go.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use novacula_protocol::people::{
    AvailableRelease, Executor, ExecutorPatch, Page, Presence, Release, Selector,
};
use novacula_protocol::reach;
use novacula_protocol::spec::Direction;
use novacula_protocol::sync::Channel;
use semver::Version;
use uuid::Uuid;

use crate::app::App;
use crate::executor::Snapshot;
use crate::extract::{Body, Id, ListQuery, word};
use crate::presence::presence;
use crate::problem::{Answer, ApiError};
use crate::reason::{Reason, checked_reason};
use crate::secrets::hex;
use crate::selector;
use crate::store::{Labelling, LabelsRefused, Person};

#[derive(Default)]
struct Filter {
    name: Option<String>,
    labels: Vec<(String, String)>,
    version: Option<Version>,
    channel: Option<Channel>,
    status: Option<Presence>,
    group: Option<String>,
}

impl Filter {
    fn read(query: &ListQuery) -> Answer<Self> {
        let mut filter = Self::default();
        query.each_filter("`name`, `label`, `group`, `version`, `channel` and `status`", |name, value| {
            match name {
                "name" => filter.name = Some(value.to_owned()),
                "label" => {
                    let (key, value) = value.split_once('=').ok_or_else(|| {
                        ApiError::invalid(format!("`label` must be key=value, it is `{value}`"))
                    })?;
                    filter.labels.push((key.to_owned(), value.to_owned()));
                }
                "group" => filter.group = Some(value.to_owned()),
                "version" => filter.version = Some(word(name, value, |v| v.parse().ok())?),
                "channel" => filter.channel = Some(word(name, value, Channel::from_wire)?),
                "status" => {
                    filter.status = Some(word(name, value, |v| match v {
                        "online" => Some(Presence::Online),
                        "offline" => Some(Presence::Offline),
                        _ => None,
                    })?);
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(filter)
    }

    fn takes(&self, executor: &Executor) -> bool {
        self.name.as_ref().is_none_or(|name| *name == executor.name)
            && self.labels.iter().all(|(key, value)| executor.labels.get(key) == Some(value))
            && self.version.as_ref().is_none_or(|version| *version == executor.current_version)
            && self.channel.is_none_or(|channel| channel == executor.channel)
            && self.status.is_none_or(|status| status == executor.status)
    }
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<Executor>>> {
    let filter = Filter::read(&query)?;
    let (after, now) = (query.cursor_name()?, app.clock.now());
    let group = match filter.group.clone() {
        Some(name) => Some(selector_of(&app, person.account_id, name).await?),
        None => None,
    };
    let is_in = |one: &Executor| group.as_ref().is_none_or(|group| selector::takes(group, &one.labels));
    let all = app.fleet.each(person.account_id, after).map(|one| shown(&app, &one, now));
    let found = all.filter(|one| filter.takes(one) && is_in(one));
    Ok(Json(query.page(found, |executor| hex(executor.name.as_bytes()))))
}

/// A misspelt name of a group would select nobody, which looks like an empty group.
async fn selector_of(app: &App, account_id: Uuid, name: String) -> Answer<Selector> {
    let groups = app.store.group_selectors(account_id).await?;
    groups.get(&name).cloned().ok_or_else(|| {
        ApiError::invalid(format!("there is no group called `{name}` here; GET /fleet/groups lists them"))
    })
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Executor>> {
    let snapshot =
        app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    Ok(Json(in_full(&app, &snapshot).await?))
}

/// Gives it labels, or takes back what people said of them.
pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<ExecutorPatch>,
) -> Answer<Json<Executor>> {
    let reason = checked_reason(asked.reason)?;
    let account_id = person.account_id;
    let order = Labelling { by: person, executor_id: id, labels: asked.labels, reason, now: app.clock.now() };
    app.label_executor(order).await??;
    // The memory has it now, with what it alone knows of the executor.
    let snapshot = app.fleet.executor(account_id, id).ok_or(LabelsRefused::NotFound)?;
    Ok(Json(in_full(&app, &snapshot).await?))
}

/// One executor with all that is known of it.
async fn in_full(app: &App, snapshot: &Snapshot) -> Answer<Executor> {
    let one = &snapshot.executor;
    let releases = app.store.releases(one.account_id, Some(one.kind), None, None).await?;
    let mut executor = shown(app, snapshot, app.clock.now());
    executor.available_upgrades = Some(available(snapshot, Direction::Upgrade, &releases));
    executor.available_downgrades = Some(available(snapshot, Direction::Downgrade, &releases));
    executor.host_labels = Some(one.host_labels.clone());
    executor.labels_by_people = Some(one.labels_by_people.clone());
    let (living, groups) = app.store.living_plans(one.account_id, one.id, one.kind).await?;
    executor.plans = Some(living.iter().map(|plan| plan.has(&one.labels, &groups)).collect());
    Ok(executor)
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Reason(reason): Reason,
) -> Answer<StatusCode> {
    app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    match app.delete_executor(person, id, reason).await? {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(ApiError::not_found("executor")),
        Err(open) => {
            let sentence = "the executor has an upgrade that has not ended; wait for its end, then delete";
            Err(ApiError::conflict("upgrade_already_pending", sentence).with("upgradeId", open.to_string()))
        }
    }
}

fn shown(app: &App, snapshot: &Snapshot, now: Timestamp) -> Executor {
    let status = presence(snapshot.executor.last_seen_at, now, app.rules.heartbeat_timeout_ms);
    snapshot.shown(status, &app.version)
}

fn available(snapshot: &Snapshot, direction: Direction, releases: &[Release]) -> Vec<AvailableRelease> {
    reach::available(snapshot.executor.standpoint(), direction, releases)
        .into_iter()
        .map(|available| AvailableRelease {
            version: available.release.version.clone(),
            channel: available.release.channel,
            notes: available.release.notes.clone(),
            allowed_as_direct_target: available.blocked_by.is_none(),
            reason: available.blocked_by.map(|hop| hop.to_string()),
        })
        .collect()
}

impl From<LabelsRefused> for ApiError {
    fn from(refused: LabelsRefused) -> Self {
        match refused {
            LabelsRefused::NotFound => Self::not_found("executor"),
            LabelsRefused::Invalid(sentence) => Self::invalid(sentence),
        }
    }
}

#[cfg(test)]
mod label_tests;

#[cfg(test)]
mod tests {
    use crate::in_process::{ControlPlane, said};
    use serde_json::{Value, json};

    fn names(page: &Value) -> Vec<&str> {
        page["items"].as_array().unwrap().iter().map(|executor| executor["name"].as_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn executors_are_found_by_what_is_known_of_them() {
        let control_plane = ControlPlane::start().await;
        let (_, _) = control_plane.executor("old", "1.0.0").await;
        control_plane.wait_ms(30_000);
        let key = control_plane.key().await;
        let mut canary = said("canary", "1.1.0");
        canary["channel"] = json!("beta");
        canary["labels"] = json!({"wave": "canary", "rack": "a=b"});
        control_plane.sync(&key, canary).await.ok();
        for (filter, expected) in [
            ("", vec!["canary", "old"]),
            ("name=old", vec!["old"]),
            ("version=1.1.0", vec!["canary"]),
            ("channel=stable", vec!["old"]),
            ("status=online", vec!["canary"]),
            ("status=offline", vec!["old"]),
            ("label=wave%3Dcanary&label=rack%3Da%3Db", vec!["canary"]),
            ("label=wave%3Dcanary&label=rack%3Dx", vec![]),
            ("name=%27%20OR%201%3D1%20--", vec![]),
        ] {
            let page = control_plane.get(&format!("/api/v1/executors?{filter}")).await.ok();
            assert_eq!(names(&page), expected, "{filter}");
        }
        for bad in
            ["label=wave", "status=gone", "version=1", "channel=x", "colour=red", "cursor=zz", "limit=501"]
        {
            let refused = control_plane.get(&format!("/api/v1/executors?{bad}")).await;
            assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
        }
    }

    #[tokio::test]
    async fn the_pages_of_a_fleet_have_everyone_once() {
        let control_plane = ControlPlane::start().await;
        for n in 0..7 {
            control_plane.executor(&format!("host-{n}"), if n % 2 == 0 { "1.0.0" } else { "2.0.0" }).await;
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                control_plane.get(&format!("/api/v1/executors?version=1.0.0&limit=2{cursor}")).await.ok();
            seen.extend(names(&page).into_iter().map(str::to_owned));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, ["host-0", "host-2", "host-4", "host-6"]);
    }

    #[tokio::test]
    async fn a_deleted_executor_is_gone_until_it_syncs_again_as_a_new_one() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        let path = format!("/api/v1/executors/{id}");
        assert_eq!(control_plane.delete(&path).await.status, 204);
        assert_eq!(control_plane.get(&path).await.problem(), (404, "not_found".to_owned()));
        assert_eq!(control_plane.delete(&path).await.problem(), (404, "not_found".to_owned()));
        let control_plane = control_plane.restart().await;
        assert_eq!(control_plane.get("/api/v1/executors").await.ok()["items"], json!([]));
        control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
        let anew = control_plane.get("/api/v1/executors").await.ok();
        assert_ne!(anew["items"][0]["id"], id);
    }
}
