//! `/api/v1/executors`: who is out there, and where each could go.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use novacula_protocol::people::{AvailableRelease, Executor, Page, Presence, Release};
use novacula_protocol::reach;
use novacula_protocol::spec::Direction;
use novacula_protocol::sync::Channel;
use semver::Version;

use crate::app::App;
use crate::executor::Snapshot;
use crate::extract::{Id, ListQuery, bad_cursor, word};
use crate::presence::presence;
use crate::problem::{Answer, ApiError};
use crate::secrets::{hex, unhex};
use crate::store::Person;

/// How many executors are looked at with the memory locked.
const GLANCE: usize = 1_000;

#[derive(Default)]
struct Filter {
    name: Option<String>,
    labels: Vec<(String, String)>,
    version: Option<Version>,
    channel: Option<Channel>,
    status: Option<Presence>,
}

impl Filter {
    fn read(query: &ListQuery) -> Answer<Self> {
        let mut filter = Self::default();
        query.each_filter("`name`, `label`, `version`, `channel` and `status`", |name, value| {
            match name {
                "name" => filter.name = Some(value.to_owned()),
                "label" => {
                    let (key, value) = value.split_once('=').ok_or_else(|| {
                        ApiError::invalid(format!("`label` must be key=value, it is `{value}`"))
                    })?;
                    filter.labels.push((key.to_owned(), value.to_owned()));
                }
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
    let mut after = match &query.cursor {
        Some(cursor) => {
            Some(unhex(cursor).and_then(|name| String::from_utf8(name).ok()).ok_or_else(bad_cursor)?)
        }
        None => None,
    };
    let now = app.clock.now();
    let mut found = Vec::new();
    loop {
        let glance = app.fleet.after(person.account_id, after.as_deref(), GLANCE);
        let Some(last) = glance.last() else { break };
        after = Some(last.executor.name.clone());
        found.extend(glance.iter().map(|one| shown(&app, one, now)).filter(|one| filter.takes(one)));
        if found.len() > query.limit as usize {
            break;
        }
    }
    Ok(Json(query.page(found.into_iter(), |executor| hex(executor.name.as_bytes()))))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Executor>> {
    let snapshot =
        app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    let releases = app.store.releases(person.account_id, Some(snapshot.executor.kind), None, None).await?;
    let mut executor = shown(&app, &snapshot, app.clock.now());
    executor.available_upgrades = Some(available(&snapshot, Direction::Upgrade, &releases));
    executor.available_downgrades = Some(available(&snapshot, Direction::Downgrade, &releases));
    Ok(Json(executor))
}

pub(crate) async fn delete(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<StatusCode> {
    app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    match app.delete_executor(person.account_id, id).await? {
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
