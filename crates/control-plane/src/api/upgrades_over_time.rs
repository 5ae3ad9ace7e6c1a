//! `/api/v1/upgrades/over-time`: how many upgrades were requested, and how many ended in which way, day by day.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use novacula_protocol::Stage;
use novacula_protocol::people::UpgradesOnDay;

use crate::app::App;
use crate::extract::{ListQuery, word};
use crate::problem::{Answer, ApiError};
use crate::store::Person;

/// A quarter; beyond it columns are not told from each other.
pub(crate) const MAX_DAYS: i64 = 90;
/// How many there are unless said otherwise.
pub(crate) const DEFAULT_DAYS: i64 = 30;

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Vec<UpgradesOnDay>>> {
    let mut days = DEFAULT_DAYS;
    query.each_filter("`days`", |name, value| {
        if name == "days" {
            let read = |value: &str| value.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
            days = word(name, value, read)?;
        }
        Ok(name == "days")
    })?;
    let mut shown = empty(app.clock.now(), days).map_err(ApiError::internal)?;
    let first = shown.first().map_or(Date::ZERO, |first| first.day);
    let since = first.to_zoned(TimeZone::UTC).map_err(ApiError::internal)?.timestamp();
    let first = since.as_second().div_euclid(86_400);
    for found in app.store.upgrades_by_day(person.account_id, since).await? {
        // A clock that was set back may have left something in the future.
        let place = usize::try_from(found.day - first).ok();
        let Some(on_day) = place.and_then(|place| shown.get_mut(place)) else { continue };
        let counted = match found.ended {
            None => &mut on_day.requested,
            Some(Stage::Completed) => &mut on_day.completed,
            Some(Stage::RolledBack) => &mut on_day.rolled_back,
            Some(Stage::Abandoned) => &mut on_day.abandoned,
            Some(_) => &mut on_day.failed,
        };
        *counted += found.count;
    }
    Ok(Json(shown))
}

/// The last days of UTC, today among them, with nothing on them.
fn empty(now: Timestamp, days: i64) -> Result<Vec<UpgradesOnDay>, jiff::Error> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let day = |ago: i64| {
        let day = today.checked_sub(ago.days())?;
        Ok(UpgradesOnDay { day, requested: 0, completed: 0, rolled_back: 0, failed: 0, abandoned: 0 })
    };
    (0..days).rev().map(day).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::in_process::{ControlPlane, reported};

    const DAY_MS: i64 = 86_400_000;

    async fn days(control_plane: &ControlPlane, query: &str) -> Vec<Value> {
        let days = control_plane.get(&format!("/api/v1/upgrades/over-time{query}")).await.ok();
        days.as_array().unwrap().clone()
    }

    #[tokio::test]
    async fn upgrades_are_counted_on_the_day_they_were_requested_and_on_the_day_they_ended() {
        let control_plane = ControlPlane::start().await;
        control_plane.publish("1.1.0").await;
        let mut asked = Vec::new();
        for (name, stage) in
            [("a", "COMPLETED"), ("b", "ROLLEDBACK"), ("c", "FAILED"), ("d", "ABANDONED"), ("e", "COMPLETED")]
        {
            let (key, id) = control_plane.executor(name, "1.0.0").await;
            let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
            let picked_up = reported(name, "1.0.0", &upgrade, "PREFLIGHT", "UNDERWAY");
            control_plane.sync(&key, picked_up).await.ok();
            asked.push((name, key, upgrade, stage));
        }
        control_plane.wait_ms(DAY_MS);
        for (name, key, upgrade, stage) in &asked {
            control_plane.sync(key, reported(name, "1.0.0", upgrade, stage, "COMPLETED")).await.ok();
        }
        let seen = days(&control_plane, "").await;
        assert_eq!(seen.len(), 30);
        let none = json!({"day": "2026-09-21", "requested": 5, "completed": 0, "rolledBack": 0, "failed": 0, "abandoned": 0});
        assert_eq!(seen[28], none);
        assert_eq!(
            seen[29],
            json!({"day": "2026-09-22", "requested": 0, "completed": 2, "rolledBack": 1, "failed": 1, "abandoned": 1})
        );
        assert!(seen[..28].iter().all(|day| day["requested"] == 0 && day["completed"] == 0), "{seen:?}");
        assert_eq!(days(&control_plane, "?days=1").await, [seen[29].clone()]);
        assert_eq!(days(&control_plane, "?days=90").await.len(), 90);
        control_plane.wait_ms(29 * DAY_MS);
        assert_eq!(days(&control_plane, "").await[0]["completed"], 2, "to the last day");
        control_plane.wait_ms(DAY_MS);
        assert!(days(&control_plane, "").await.iter().all(|day| day["completed"] == 0), "and not beyond");
    }

    #[tokio::test]
    async fn so_many_days_and_no_others() {
        let control_plane = ControlPlane::start().await;
        for bad in ["0", "91", "-1", "x", ""] {
            let refused = control_plane.get(&format!("/api/v1/upgrades/over-time?days={bad}")).await;
            assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
        }
    }
}
