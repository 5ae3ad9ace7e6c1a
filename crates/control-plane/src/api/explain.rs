//! `GET /api/v1/executors/{id}/explain`: the first rule that stops an executor's upgrade.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::people::Explanation;

use crate::app::App;
use crate::explain::plan::PlanStand;
use crate::explain::{Facts, explain};
use crate::extract::{Id, ListQuery, word};
use crate::presence::presence;
use crate::problem::{Answer, ApiError};
use crate::store::Person;

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    query: ListQuery,
) -> Answer<Json<Explanation>> {
    let mut wanted = None;
    query.each_filter("`targetVersion`", |name, value| {
        if name == "targetVersion" {
            wanted = Some(word(name, value, |version| version.parse().ok())?);
        }
        Ok(name == "targetVersion")
    })?;
    let mut snapshot =
        app.fleet.executor(person.account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    if snapshot.upgrade.is_none() {
        snapshot.upgrade = app.store.latest_upgrade(id).await?;
    }
    let releases = app.store.releases(person.account_id, Some(snapshot.executor.kind), None, None).await?;
    let now = app.clock.now();
    let presence = presence(snapshot.executor.last_seen_at, now, app.heartbeat_timeout_ms());
    let wait = match snapshot.open_upgrade() {
        Some(open) => super::upgrades::waits_for(&app, open).await?,
        None => None,
    };
    let calendar = app.calendar_stop(&snapshot, now);
    let (account_id, labels) = (person.account_id, &snapshot.executor.labels);
    let (plans, groups) = app.store.plans_of_executor(account_id, id, snapshot.executor.kind).await?;
    let plans: Vec<_> = plans.iter().filter_map(|plan| PlanStand::of(plan, labels, &groups)).collect();
    let facts = Facts {
        snapshot: &snapshot,
        is_suspended: app.suspended.check(person.account_id).is_err(),
        presence,
        releases: &releases,
        wanted: wanted.as_ref(),
        wait: wait.as_ref(),
        plans: &plans,
        calendar: calendar.as_ref(),
        now,
    };
    Ok(Json(explain(&facts)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::in_process::{ControlPlane, said};

    #[tokio::test]
    async fn an_executor_is_explained_over_the_whole_way() {
        let control_plane = ControlPlane::start().await;
        let (_, id) = control_plane.executor("host-1", "1.0.0").await;
        let path = format!("/api/v1/executors/{id}/explain");
        let rule = async |query: &str| {
            let answer = control_plane.get(&format!("{path}{query}")).await.ok();
            answer["rule"].as_str().unwrap().to_owned()
        };
        assert_eq!(rule("").await, "no_release");
        control_plane.publish("1.1.0").await;
        assert_eq!(rule("").await, "nothing");
        assert_eq!(rule("?targetVersion=9.0.0").await, "no_release");
        let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].clone();
        let pending = control_plane.get(&path).await.ok();
        assert_eq!((&pending["rule"], &pending["upgradeId"]), (&"pending".into(), &upgrade));
        let pause = format!("/api/v1/upgrades/{}/pause", upgrade.as_str().unwrap());
        control_plane.post(&pause, serde_json::json!({"reason": "lunch"})).await.ok();
        assert_eq!(rule("").await, "upgrade_paused");
        control_plane.wait_ms(900_000);
        assert_eq!(rule("").await, "offline");
        let refused = control_plane.get(&format!("{path}?targetVersion=x")).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()));
        let nobody = "/api/v1/executors/01a1fd44-ec13-72dc-be3d-6f6dbcc5687c/explain";
        assert_eq!(control_plane.get(nobody).await.problem(), (404, "not_found".to_owned()));
    }

    /// Rule, message and version.
    async fn explained(control_plane: &ControlPlane, id: &str) -> (String, String, Value) {
        let answer = control_plane.get(&format!("/api/v1/executors/{id}/explain")).await.ok();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("rule"), text("message"), answer["targetVersion"].clone())
    }

    #[tokio::test]
    async fn whoever_waits_for_a_plan_is_told_for_what_of_it() {
        let control_plane = ControlPlane::start().await;
        let mut ids = Vec::new();
        for (name, ring) in [("a", "first"), ("b", "first"), ("c", "then"), ("d", "none")] {
            let key = control_plane.key().await;
            let mut said = said(name, "1.0.0");
            said["labels"] = json!({"ring": ring});
            control_plane.sync(&key, said).await.ok();
            let found = control_plane.get(&format!("/api/v1/executors?name={name}")).await.ok();
            ids.push(found["items"][0]["id"].as_str().unwrap().to_owned());
        }
        for version in ["1.1.0", "1.2.0"] {
            control_plane.publish(version).await;
        }
        let wave = |name: &str| json!({"name": name, "clusterSelector": {"matchLabels": {"ring": name}}});
        let mut first = wave("first");
        first["maxInFlight"] = json!(1);
        let document = json!({
            "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "p"},
            "spec": {"targetVersion": "1.1.0", "waves": [first, wave("then")]},
        });
        let plan = control_plane.post("/api/v1/fleet/plans", document).await.ok();
        control_plane.app.tick().await.unwrap();

        let mut rules = Vec::new();
        for id in &ids {
            rules.push(explained(&control_plane, id).await);
        }
        let mut of_first = vec![rules[0].0.as_str(), rules[1].0.as_str()];
        of_first.sort_unstable();
        assert_eq!(of_first, ["pending", "plan_cap"], "one at once: {rules:?}");
        let (rule, message, version) = &rules[2];
        assert_eq!((rule.as_str(), version), ("plan_wave", &json!("1.1.0")), "{message}");
        assert!(message.contains("wave `then`") && message.contains("`first` comes first"), "{message}");
        assert_eq!((rules[3].0.as_str(), &rules[3].2), ("nothing", &json!("1.2.0")), "in no wave: {rules:?}");
        let elsewhere = format!("/api/v1/executors/{}/explain?targetVersion=1.2.0", ids[2]);
        assert_eq!(control_plane.get(&elsewhere).await.ok()["rule"], "nothing", "the plan is not about that");

        let halt = format!("/api/v1/fleet/plans/{}/halt", plan["id"].as_str().unwrap());
        control_plane.post(&halt, json!({"reason": "disks fill up"})).await.ok();
        let (rule, message, _) = explained(&control_plane, &ids[2]).await;
        assert_eq!(rule, "plan_halted");
        assert!(message.contains("disks fill up") && message.contains("resume it"), "{message}");
    }
}
