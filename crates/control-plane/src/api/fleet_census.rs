//! `/api/v1/fleet/census`: the fleet in numbers, from memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::people::{CensusRow, FleetCensus, Presence};
use novacula_protocol::reach;
use novacula_protocol::sync::Support;

use crate::app::App;
use crate::presence::presence;
use crate::problem::Answer;
use crate::store::Person;

/// How many executors of a row there are, sync, and are held.
#[derive(Default)]
struct Counts {
    executors: u64,
    online: u64,
    held: u64,
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person) -> Answer<Json<FleetCensus>> {
    let (now, timeout) = (app.clock.now(), app.heartbeat_timeout_ms());
    let all = app.fleet.map_all(person.account_id, |one| {
        let is_online = presence(one.last_seen_at, now, timeout) == Presence::Online;
        let row = (one.kind.as_str(), one.channel.as_str(), Reverse(one.current_version.clone()));
        (row, (one.kind, one.channel), is_online, one.held.is_some())
    });
    let mut census = FleetCensus::default();
    let mut rows = BTreeMap::new();
    for (row, what, is_online, is_held) in all {
        let support = match reach::support(&row.2.0, &app.version) {
            Support::InWindow => &mut census.support.in_window,
            Support::Deprecated => &mut census.support.deprecated,
            Support::OutOfSupport => &mut census.support.out_of_support,
        };
        *support += 1;
        census.executors += 1;
        census.online += u64::from(is_online);
        census.offline += u64::from(!is_online);
        census.held += u64::from(is_held);
        let (_, counts) = rows.entry(row).or_insert_with(|| (what, Counts::default()));
        counts.executors += 1;
        counts.online += u64::from(is_online);
        counts.held += u64::from(is_held);
    }
    let rows = rows.into_iter().map(|((_, _, Reverse(version)), ((kind, channel), counts))| CensusRow {
        kind,
        channel,
        version,
        executors: counts.executors,
        online: counts.online,
        held: counts.held,
    });
    census.rows = rows.collect();
    Ok(Json(census))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::in_process::{ControlPlane, said};

    #[tokio::test]
    async fn the_fleet_is_counted_by_what_it_is_and_how_it_stands() {
        let control_plane = ControlPlane::start().await;
        control_plane.executor("asleep", "1.2.0").await;
        control_plane.wait_ms(30_000);
        for (name, version) in [("a", "3.10.0"), ("b", "3.9.0"), ("c", "2.0.0")] {
            control_plane.executor(name, version).await;
        }
        let mut held = said("held", "3.9.0");
        held["channel"] = json!("beta");
        held["held"] = json!({"reason": "the disk is being copied"});
        control_plane.sync(&control_plane.key().await, held).await.ok();
        let row = |channel, version, executors, online, held| {
            json!({
                "kind": "agent", "channel": channel, "version": version, "executors": executors,
                "online": online, "held": held
            })
        };
        assert_eq!(
            control_plane.get("/api/v1/fleet/census").await.ok(),
            json!({
                "executors": 5, "online": 4, "offline": 1, "held": 1,
                "support": {"inWindow": 3, "deprecated": 1, "outOfSupport": 1},
                "rows": [
                    row("beta", "3.9.0", 1, 1, 1),
                    row("stable", "3.10.0", 1, 1, 0),
                    row("stable", "3.9.0", 1, 1, 0),
                    row("stable", "2.0.0", 1, 1, 0),
                    row("stable", "1.2.0", 1, 0, 0),
                ],
            })
        );
    }

    #[tokio::test]
    async fn nobody_is_counted_in_another_account() {
        let control_plane = ControlPlane::start().await;
        control_plane.executor("a", "1.0.0").await;
        let (_, other) = control_plane.account("second").await;
        let census =
            control_plane.call(axum::http::Method::GET, "/api/v1/fleet/census", &other.token, "").await.ok();
        assert_eq!((&census["executors"], &census["rows"]), (&json!(0), &json!([])));
    }
}
