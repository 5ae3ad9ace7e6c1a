//! `/api/v1/releases/{kind}/versions` and `/needs-upgrade`: the fleet by version.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::people::{NeedsUpgrade, Page, Release};
use novacula_protocol::reach;
use novacula_protocol::spec::{Direction, Kind};
use semver::Version;
use uuid::Uuid;

use super::executors::filter;
use crate::app::App;
use crate::executor::Snapshot;
use crate::extract::{KindOf, ListQuery, word};
use crate::presence::presence;
use crate::problem::{Answer, ApiError};
use crate::secrets::hex;
use crate::store::Person;

pub(crate) async fn versions(
    State(app): State<Arc<App>>,
    person: Person,
    KindOf(kind): KindOf,
) -> Answer<Json<BTreeMap<Version, u64>>> {
    Ok(Json(app.fleet.versions(person.account_id, kind)))
}

pub(crate) async fn needs_upgrade(
    State(app): State<Arc<App>>,
    person: Person,
    KindOf(kind): KindOf,
    query: ListQuery,
) -> Answer<Json<Page<NeedsUpgrade>>> {
    let (mut target, mut labels) = (None, Vec::new());
    query.each_filter("`targetVersion` and `label`", |name, value| {
        match name {
            "targetVersion" => target = Some(word(name, value, |version| version.parse().ok())?),
            "label" => labels.push(filter::label(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let target: Version = needed(target)?;
    let after = query.cursor_name()?;
    let releases = app.store.releases(person.account_id, Some(kind), None, None).await?;
    let now = app.clock.now();
    let is_lower = |one: &Snapshot| {
        let executor = &one.executor;
        executor.kind == kind
            && reach::direction(&executor.current_version, &target) == Some(Direction::Upgrade)
            && filter::has_all(&labels, &executor.labels)
    };
    let lower = app.fleet.each(person.account_id, after, is_lower).map(|one| {
        let status = presence(one.executor.last_seen_at, now, app.heartbeat_timeout_ms());
        NeedsUpgrade {
            executor_id: one.executor.id.to_string(),
            reason: why_not(&one, &target, &releases),
            pending_upgrade_id: one.open_upgrade().map(|open| open.shown.id.clone()),
            name: one.executor.name,
            current_version: one.executor.current_version,
            status,
        }
    });
    Ok(Json(query.page(lower, |one| hex(one.name.as_bytes()))))
}

/// The one filter that there is, and that has to be there.
pub(super) fn target(query: &ListQuery) -> Answer<Version> {
    let mut target = None;
    query.each_filter("`targetVersion`", |name, value| {
        if name == "targetVersion" {
            target = Some(word(name, value, |version| version.parse().ok())?);
        }
        Ok(name == "targetVersion")
    })?;
    needed(target)
}

fn needed(target: Option<Version>) -> Answer<Version> {
    target.ok_or_else(|| ApiError::invalid("`targetVersion` must be given: the version that shall run"))
}

fn why_not(one: &Snapshot, target: &Version, releases: &[Release]) -> Option<String> {
    let executor = &one.executor;
    let is_offered =
        |release: &&Release| release.version == *target && reach::is_offered(executor.standpoint(), *release);
    if !releases.iter().any(|release| is_offered(&release)) {
        return Some("it is not offered that release".to_owned());
    }
    reach::hop_between(&executor.current_version, target).map(|hop| hop.to_string())
}

/// Every executor of a kind, in the order of names.
pub(super) fn of_kind(app: &App, account_id: Uuid, kind: Kind) -> impl Iterator<Item = Snapshot> {
    app.fleet.each(account_id, None, move |one| one.executor.kind == kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::in_process::ControlPlane;

    #[tokio::test]
    async fn the_fleet_is_counted_by_version_and_who_is_behind_is_named() {
        let control_plane = ControlPlane::start().await;
        for (name, version) in
            [("a", "1.2.0"), ("b", "1.10.0"), ("c", "1.2.0"), ("d", "3.0.0"), ("e", "0.9.0")]
        {
            control_plane.executor(name, version).await;
        }
        control_plane.publish("2.0.0").await;
        let counts = control_plane.get("/api/v1/releases/agent/versions").await.ok();
        assert_eq!(counts, json!({"0.9.0": 1, "1.2.0": 2, "1.10.0": 1, "3.0.0": 1}));
        assert_eq!(control_plane.get("/api/v1/releases/operator/versions").await.ok(), json!({}));
        let path = "/api/v1/releases/agent/needs-upgrade?targetVersion=2.0.0";
        let page = control_plane.get(&format!("{path}&limit=3")).await.ok();
        let names: Vec<_> = page["items"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let key = control_plane.key().await;
        let mut labelled = crate::in_process::said("f", "1.0.0");
        labelled["labels"] = json!({"ring": "a", "site": "b"});
        control_plane.sync(&key, labelled).await.ok();
        for (labels, expected) in [("label=ring%3Da&label=site%3Db", 1), ("label=ring%3Db", 0)] {
            let found = control_plane.get(&format!("{path}&{labels}")).await.ok();
            assert_eq!(found["items"].as_array().unwrap().len(), expected, "{labels}");
        }
        let next = page["nextCursor"].as_str().unwrap();
        let rest = control_plane.get(&format!("{path}&cursor={next}")).await.ok();
        assert_eq!(rest["items"][0]["reason"], "requires upgrade to 1.x first");
        for (bad, code) in [
            ("/api/v1/releases/agent/needs-upgrade", 400),
            ("/api/v1/releases/agent/needs-upgrade?targetVersion=x", 400),
            ("/api/v1/releases/agent/needs-upgrade?targetVersion=2.0.0&label=x", 400),
            ("/api/v1/releases/ship/versions", 404),
        ] {
            assert_eq!(control_plane.get(bad).await.problem().0, code, "{bad}");
        }
    }
}
