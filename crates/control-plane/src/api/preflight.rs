//! `/api/v1/executors/{id}/preflight`: people ask for checks of a host; the executor answers through its syncs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use novacula_protocol::people::{Preflight, PreflightRequest};
use uuid::Uuid;

use crate::app::App;
use crate::extract::{Body, Id};
use crate::problem::{Answer, ApiError};
use crate::store::Person;

/// What is asked for when nobody says what: the checks of an agent of this version. An agent that does not know one of
/// them says so in its result.
pub(crate) const ALL: [&str; 14] = [
    "config",
    "keys",
    "units",
    "units_current",
    "read_only",
    "writable",
    "noexec",
    "executable",
    "disk_space",
    "inodes",
    "local_filesystem",
    "package_ownership",
    "control_plane",
    "clock",
];

/// An agent runs at most so many between two syncs.
const MOST: usize = 16;
const MAX_NAME: usize = 64;

pub(crate) async fn ask(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<PreflightRequest>,
) -> Answer<(StatusCode, Json<Preflight>)> {
    ask_for(&app, person, id, asked.checks.unwrap_or_else(|| ALL.map(str::to_owned).to_vec())).await
}

/// One check, named in the path.
pub(crate) async fn ask_for_one(
    State(app): State<Arc<App>>,
    person: Person,
    Path((id, check)): Path<(String, String)>,
) -> Answer<(StatusCode, Json<Preflight>)> {
    let id = id.parse().map_err(|_| ApiError::not_found("executor"))?;
    ask_for(&app, person, id, vec![check]).await
}

async fn ask_for(
    app: &Arc<App>,
    person: Person,
    id: Uuid,
    checks: Vec<String>,
) -> Answer<(StatusCode, Json<Preflight>)> {
    if checks.is_empty() || checks.len() > MOST {
        let count = checks.len();
        return Err(ApiError::invalid(format!("`checks` must have 1 to {MOST} names, it has {count}")));
    }
    if let Some(bad) = checks.iter().find(|check| !is_name(check)) {
        let sentence = format!(
            "the name of a check must have 1 to {MAX_NAME} letters, digits, `_` and `-`, it is {bad:?}"
        );
        return Err(ApiError::invalid(sentence));
    }
    let account_id = person.account_id;
    if !app.ask_for_checks(person, id, checks).await? {
        return Err(ApiError::not_found("executor"));
    }
    Ok((StatusCode::ACCEPTED, Json(shown(app, account_id, id).await?)))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Preflight>> {
    shown(&app, person.account_id, id).await.map(Json)
}

async fn shown(app: &App, account_id: Uuid, id: Uuid) -> Answer<Preflight> {
    let snapshot = app.fleet.executor(account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    Ok(Preflight { waiting: snapshot.executor.checks, results: app.store.preflight(id).await? })
}

fn is_name(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::in_process::{ControlPlane, said};

    fn answering(results: &Value) -> Value {
        let mut whole = said("host-1", "1.0.0");
        whole["preflight"] = results.clone();
        whole
    }

    #[test]
    fn every_check_of_the_agent_is_among_those_that_are_asked_for() {
        let agent = include_str!("../../../../src/preflight.rs");
        let table = agent.split("const CHECKS:").nth(1).unwrap().split("];").next().unwrap();
        let names: Vec<_> =
            table.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect();
        assert_eq!(names, ALL);
    }

    #[tokio::test]
    async fn a_check_is_asked_for_until_it_is_answered_and_its_result_is_kept() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        let path = format!("/api/v1/executors/{id}/preflight");
        assert_eq!(control_plane.get(&path).await.ok(), json!({"waiting": [], "results": []}));
        let two = json!({"checks": ["disk_space", "no-such", "disk_space"]});
        let asked = control_plane.post(&path, two).await;
        assert_eq!(asked.status, 202);
        assert_eq!(asked.json()["waiting"], json!(["disk_space", "no-such"]));
        let one = control_plane.post(&format!("{path}/checks/no-such"), json!({})).await;
        assert_eq!((one.status.as_u16(), &one.json()["waiting"]), (202, &json!(["disk_space", "no-such"])));

        let control_plane = control_plane.restart().await;
        for _ in 0..2 {
            let answer = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
            assert_eq!(answer["preflight"], json!(["disk_space", "no-such"]), "an answer may be lost");
        }
        control_plane.wait_ms(1_000);
        let probe = "<b>'; DROP TABLE preflight; --";
        let results = json!([
            {"check": "disk_space", "ok": true, "note": probe},
            {"check": "never_asked", "ok": true, "note": ""},
        ]);
        for _ in 0..2 {
            let answer = control_plane.sync(&key, answering(&results)).await.ok();
            assert_eq!(answer["preflight"], json!(["no-such"]));
        }
        let unknown = json!([{"check": "no-such", "ok": false, "note": "é".repeat(5_000)}]);
        let answer = control_plane.sync(&key, answering(&unknown)).await.ok();
        assert_eq!(answer["preflight"], json!([]));
        let control_plane = control_plane.restart().await;
        let kept = control_plane.get(&path).await.ok();
        let at = "2026-09-21T14:13:21Z";
        assert_eq!(kept["waiting"], json!([]));
        assert_eq!(kept["results"][0], json!({"check": "disk_space", "ok": true, "note": probe, "at": at}));
        assert_eq!(kept["results"][1]["note"].as_str().unwrap().chars().count(), 4_096);
        assert_eq!(kept["results"].as_array().unwrap().len(), 2);
        let told = control_plane.get("/api/v1/activity?action=preflight.requested").await.ok();
        assert_eq!(told["items"][0]["target"], id);
    }

    #[tokio::test]
    async fn without_names_every_check_is_asked_for_and_odd_names_are_refused() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        let path = format!("/api/v1/executors/{id}/preflight");
        for bad in [
            json!({"checks": []}),
            json!({"checks": [""]}),
            json!({"checks": ["a b"]}),
            json!({"checks": ["x".repeat(65)]}),
            json!({"checks": ["a\u{1b}[2J"]}),
            json!({"checks": vec!["a"; 17]}),
            json!({"check": "a"}),
        ] {
            let refused = control_plane.post(&path, bad).await;
            assert_eq!(refused.problem(), (400, "invalid_request".to_owned()));
        }
        control_plane.post(&path, json!({})).await.ok();
        let answer = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
        assert_eq!(answer["preflight"], json!(ALL));
        let nobody = "/api/v1/executors/01a1fd44-ec13-72dc-be3d-6f6dbcc5687c/preflight";
        assert_eq!(control_plane.get(nobody).await.problem(), (404, "not_found".to_owned()));
        assert_eq!(control_plane.post(nobody, json!({})).await.problem(), (404, "not_found".to_owned()));
    }
}
