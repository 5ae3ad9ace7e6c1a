//! `/api/v1/activity`: who did what, when and why; as JSON or as a table for a spreadsheet.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use novacula_protocol::people::{Activity, ActivityVerdict};

use crate::app::App;
use crate::extract::{ListQuery, word};
use crate::problem::{Answer, ApiError};
use crate::store::{Person, Wanted};

/// The most rows of one export. Where more follow, the header `next-cursor` says how to go on.
const MAX_EXPORT: u32 = 20_000;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    headers: HeaderMap,
    mut query: ListQuery,
) -> Answer<Response> {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let mut is_csv = accepted.contains("text/csv");
    let mut wanted = Wanted::default();
    query.each_filter("`actor`, `action`, `target`, `since` and `format`", |name, value| {
        match name {
            "actor" => wanted.actor = Some(value.to_owned()),
            "action" => {
                let read = |word: &str| serde_json::from_value(word.into()).ok();
                wanted.action = Some(word(name, value, read)?);
            }
            "target" => wanted.target = Some(value.to_owned()),
            "since" => wanted.since = Some(word(name, value, |at| at.parse().ok())?),
            "format" => {
                is_csv = word(name, value, |format| match format {
                    "csv" => Some(true),
                    "json" => Some(false),
                    _ => None,
                })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if is_csv && !query.is_limited {
        query.limit = MAX_EXPORT;
    }
    wanted.before = query.cursor_number()?;
    wanted.limit = query.limit + 1;
    let rows = app.store.activity(person.account_id, wanted).await?;
    let page = query.page(rows.into_iter(), |entry| entry.id.to_string());
    if !is_csv {
        return Ok(Json(page).into_response());
    }
    let table = page.items.iter().fold(Activity::CSV_HEAD.to_owned(), |table, entry| table + &entry.csv());
    let mut response = (
        [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"activity.csv\""),
        ],
        table,
    )
        .into_response();
    if let Some(next) = page.next_cursor {
        let next = next.try_into().map_err(ApiError::internal)?;
        response.headers_mut().insert("next-cursor", next);
    }
    Ok(response)
}

pub(crate) async fn verify(State(app): State<Arc<App>>, person: Person) -> Answer<Json<ActivityVerdict>> {
    Ok(Json(app.store.verify_activity(person.account_id).await?))
}

#[cfg(test)]
mod tests {
    use crate::in_process::{ControlPlane, reported, said};
    use axum::http::Method;
    use serde_json::{Value, json};

    const PROBE: &str = "<script>alert(1)</script>'; DROP TABLE activity; -- \"=1+1";

    fn column(page: &Value, name: &str) -> Vec<String> {
        let text = |entry: &Value| entry[name].as_str().unwrap().to_owned();
        page["items"].as_array().unwrap().iter().map(text).collect()
    }

    async fn an_eventful_day(control_plane: &ControlPlane) -> (String, String) {
        let expires_at = control_plane.app.clock.now() + jiff::SignedDuration::from_secs(60);
        let token = json!({"maxUses": 1, "expiresAt": expires_at.to_string()});
        let token = control_plane.post("/api/v1/enrolment-tokens", token).await.ok();
        let body = json!({"name": PROBE, "kind": "agent"}).to_string();
        let enrolled =
            control_plane.call(Method::POST, "/api/v1/enroll", token["secret"].as_str().unwrap(), body);
        let key = enrolled.await.ok()["accessToken"].as_str().unwrap().to_owned();
        let mut first = said(PROBE, "1.0.0");
        first["held"] = json!({"reason": PROBE, "until": null});
        control_plane.sync(&key, first).await.ok();
        control_plane.sync(&key, said(PROBE, "1.0.0")).await.ok();
        let found = control_plane.get("/api/v1/executors").await.ok();
        let id = found["items"][0]["id"].as_str().unwrap().to_owned();

        let release = control_plane.draft("1.1.0", b"x").await["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/releases/{release}");
        control_plane.patch(&path, json!({"notes": PROBE})).await.ok();
        for status in ["published", "published"] {
            control_plane.patch(&path, json!({"status": status})).await.ok();
        }
        let order = json!({"targetVersion": "1.1.0", "description": PROBE});
        let asked = control_plane.post(&format!("/api/v1/executors/{id}/upgrade"), order).await.ok();
        let upgrade = asked["id"].as_str().unwrap().to_owned();
        control_plane.sync(&key, reported(PROBE, "1.0.0", &upgrade, "DOWNLOAD", "UNDERWAY")).await.ok();
        let mut failed = reported(PROBE, "1.0.0", &upgrade, "DOWNLOAD", "FAILED");
        failed["upgrade"]["error"] = json!({
            "code": "download_failed", "stage": "DOWNLOAD", "message": PROBE, "timestamp": "2026-01-01T00:00:00Z",
        });
        control_plane.sync(&key, failed).await.ok();
        control_plane.patch(&path, json!({"status": "yanked", "reason": PROBE})).await.ok();
        let probe =
            "%3Cscript%3Ealert(1)%3C%2Fscript%3E%27%3B%20DROP%20TABLE%20activity%3B%20--%20%22%3D1%2B1";
        control_plane.delete(&format!("/api/v1/executors/{id}?reason={probe}")).await;
        let keys = control_plane.get("/api/v1/executor-keys").await.ok();
        let key_id = keys["items"][0]["id"].as_str().unwrap().to_owned();
        for _ in 0..2 {
            control_plane.delete(&format!("/api/v1/executor-keys/{key_id}?reason={probe}")).await;
        }
        let token_path = format!("/api/v1/enrolment-tokens/{}", token["id"].as_str().unwrap());
        control_plane.delete(&format!("{token_path}?reason={probe}")).await;
        (id, upgrade)
    }

    #[tokio::test]
    async fn everything_that_was_done_is_told_once_with_its_actor_and_its_reason() {
        let control_plane = ControlPlane::start().await;
        let (id, upgrade) = an_eventful_day(&control_plane).await;
        let control_plane = control_plane.restart().await;
        let page = control_plane.get("/api/v1/activity").await.ok();
        let mut actions = column(&page, "action");
        actions.reverse();
        let expected = [
            "enrolmentToken.issued",
            "executor.enrolled",
            "executor.created",
            "executor.held",
            "executor.unheld",
            "release.uploaded",
            "release.changed",
            "release.published",
            "upgrade.requested",
            "upgrade.started",
            "upgrade.ended",
            "release.yanked",
            "executor.deleted",
            "key.revoked",
            "enrolmentToken.revoked",
        ];
        assert_eq!(actions, expected);
        for (filter, expected) in [
            (format!("target={id}&actor=owner"), vec!["executor.deleted"]),
            (format!("target={upgrade}"), vec!["upgrade.ended", "upgrade.started", "upgrade.requested"]),
            ("action=release.yanked".to_owned(), vec!["release.yanked"]),
            ("target=1.1.0&limit=1".to_owned(), vec!["release.yanked"]),
            ("since=2100-01-01T00:00:00Z".to_owned(), vec![]),
            ("actor=%27%20OR%201%3D1%20--".to_owned(), vec![]),
        ] {
            let found = control_plane.get(&format!("/api/v1/activity?{filter}")).await.ok();
            assert_eq!(column(&found, "action"), expected, "{filter}");
        }
        let asked = control_plane.get("/api/v1/activity?action=upgrade.requested").await.ok();
        assert_eq!(
            (&asked["items"][0]["actor"], &asked["items"][0]["reason"]),
            (&json!("owner"), &json!(PROBE))
        );
        for bad in [
            "action=x",
            "since=yesterday",
            "format=xml",
            "cursor=x",
            "cursor=9223372036854775808",
            "cursor=-1",
            "limit=0",
            "colour=red",
        ] {
            let refused = control_plane.get(&format!("/api/v1/activity?{bad}")).await;
            assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
        }
        let verdict = control_plane.get("/api/v1/activity/verify").await.ok();
        let newest = &page["items"][0]["hash"];
        assert_eq!(verdict, json!({"intact": true, "firstBroken": null, "entries": 15, "head": newest}));
    }

    #[tokio::test]
    async fn the_pages_of_the_activity_have_every_entry_once() {
        let control_plane = ControlPlane::start().await;
        an_eventful_day(&control_plane).await;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = control_plane.get(&format!("/api/v1/activity?limit=4{cursor}")).await.ok();
            seen.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["id"].as_u64().unwrap()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, (1..=15).rev().collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_the_control_plane_ends_by_itself_is_told_too() {
        let control_plane = ControlPlane::start().await;
        let (_, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].clone();
        control_plane.wait_ms(900_000);
        control_plane.app.end_overdue().await.unwrap();
        let page = control_plane.get("/api/v1/activity?actor=control%20plane").await.ok();
        assert_eq!(column(&page, "action"), ["upgrade.ended"]);
        let told = &page["items"][0];
        assert_eq!((&told["target"], &told["name"]), (&upgrade, &json!("host-1")));
        assert_eq!((&told["before"]["error"], &told["after"]["error"]), (&json!(null), &json!("lapsed")));
    }

    #[tokio::test]
    async fn probes_come_out_of_the_activity_and_its_export_unharmed() {
        let control_plane = ControlPlane::start().await;
        an_eventful_day(&control_plane).await;
        let page = control_plane.get("/api/v1/activity").await.ok();
        assert_eq!(column(&page, "name").iter().filter(|name| *name == PROBE).count(), 9);
        assert_eq!(column(&page, "reason").iter().filter(|reason| *reason == PROBE).count(), 7);
        let actor = format!("executor {PROBE}");
        assert_eq!(column(&page, "actor").iter().filter(|said| **said == actor).count(), 5);
        assert_eq!(page["items"][7]["after"]["notes"], PROBE);

        let csv = control_plane.get("/api/v1/activity?format=csv").await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert!(csv.header("content-disposition").starts_with("attachment"));
        let text = String::from_utf8(csv.bytes).unwrap();
        let quoted = format!("\"{}\"", PROBE.replace('"', "\"\""));
        assert_eq!(text.matches(&quoted).count(), 9 + 7, "{text}");
        assert_eq!(text.lines().count(), 1 + 15);
        let part = control_plane.get("/api/v1/activity?format=csv&limit=3").await;
        assert_eq!(part.header("next-cursor"), "13");
    }
}
