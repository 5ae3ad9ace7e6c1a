//! `/api/v1/releases`: the catalogue, apart from the upload.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::people::{Page, Release, ReleasePatch, ReleaseStatus};
use novacula_protocol::spec::Kind;

use crate::app::App;
use crate::extract::{Body, Id, ListQuery, word};
use crate::particulars::Particulars;
use crate::problem::{Answer, ApiError};
use crate::reason::is_reason;
use crate::store::{Person, ReleaseRefused, ReleasesListed};

/// In characters.
pub(crate) const MAX_NOTES: usize = 64 * 1024;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<Release>>> {
    let mut listed = ReleasesListed { limit: Some(query.limit + 1), ..ReleasesListed::default() };
    query.each_filter("`kind` and `status`", |name, value| {
        match name {
            "kind" => listed.kind = Some(word(name, value, Kind::from_wire)?),
            "status" => listed.status = Some(word(name, value, ReleaseStatus::from_wire)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    listed.before = query.cursor_id()?;
    let rows = app.store.releases_listed(person.account_id, listed).await?;
    // A page of steps can be as long as a book.
    let rows = rows.into_iter().map(|row| Release { prerequisites: None, postrequisites: None, ..row });
    Ok(Json(query.page(rows, |release| release.id.clone())))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Release>> {
    app.store.release(person.account_id, id).await?.map(Json).ok_or_else(|| ApiError::not_found("release"))
}

pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(patch): Body<ReleasePatch>,
) -> Answer<Json<Release>> {
    if patch.notes.as_ref().is_some_and(|notes| notes.chars().count() > MAX_NOTES) {
        return Err(ApiError::invalid(format!("`notes` must have at most {MAX_NOTES} characters")));
    }
    is_reason(patch.reason.as_deref().unwrap_or_default())?;
    let said = Particulars {
        r#type: patch.r#type.clone(),
        prerequisites: patch.prerequisites.clone(),
        postrequisites: patch.postrequisites.clone(),
    };
    said.checked().map_err(ApiError::invalid)?;
    let now = app.clock.now();
    let release = app.store.patch_release(person.clone(), id, patch, now).await??;
    tracing::info!(release = release.id, version = %release.version, by = person.name, "release {}", release.status.as_str());
    Ok(Json(release))
}

impl From<ReleaseRefused> for ApiError {
    fn from(refused: ReleaseRefused) -> Self {
        let message = refused.to_string();
        match refused {
            ReleaseRefused::NotFound => Self::not_found("release"),
            ReleaseRefused::Published { .. } | ReleaseRefused::Fixed { .. } => {
                Self::conflict("release_published", message)
            }
            ReleaseRefused::Differs { .. } => Self::conflict("release_differs", message),
            ReleaseRefused::ReasonRequired(_) => {
                Self::new(StatusCode::BAD_REQUEST, "reason_required", message)
            }
            ReleaseRefused::InvalidTransition { .. } => Self::conflict("invalid_transition", message),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::in_process::ControlPlane;
    use serde_json::json;

    #[tokio::test]
    async fn a_release_goes_from_draft_to_published_to_yanked_and_never_back() {
        let control_plane = ControlPlane::start().await;
        let id = control_plane.draft("1.0.0", b"one").await["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/releases/{id}");
        for (to, expected) in [
            ("yanked", 409),
            ("draft", 200),
            ("published", 200),
            ("published", 200),
            ("draft", 409),
            ("yanked", 200),
            ("published", 409),
            ("draft", 409),
        ] {
            let answer = control_plane.patch(&path, json!({"status": to, "reason": "as planned"})).await;
            let code = if expected == 200 { "" } else { "invalid_transition" };
            assert_eq!(answer.problem(), (expected, code.to_owned()), "{to}");
        }
        let notes = json!({"notes": "<b>'; DROP TABLE releases; --</b>", "channel": "beta"});
        control_plane.patch(&path, notes).await.ok();
        let shown = control_plane.get(&path).await.ok();
        assert_eq!((shown["status"].as_str(), shown["channel"].as_str()), (Some("yanked"), Some("beta")));
        assert_eq!(shown["notes"], "<b>'; DROP TABLE releases; --</b>");
        for bad in [json!({"statuss": "yanked"}), json!({"status": "gone"}), json!("yanked")] {
            assert_eq!(control_plane.patch(&path, bad).await.problem(), (400, "invalid_request".to_owned()));
        }
    }

    #[tokio::test]
    async fn no_release_is_yanked_without_a_reason() {
        let control_plane = ControlPlane::start().await;
        let id = control_plane.publish("1.0.0").await["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/releases/{id}");
        for without in [
            json!({"status": "yanked"}),
            json!({"status": "yanked", "reason": ""}),
            json!({"status": "yanked", "reason": " \n"}),
        ] {
            let refused = control_plane.patch(&path, without.clone()).await;
            assert_eq!(refused.problem(), (400, "reason_required".to_owned()), "{without}");
        }
        let long = json!({"status": "yanked", "reason": "x".repeat(1_025)});
        assert_eq!(control_plane.patch(&path, long).await.problem(), (400, "invalid_request".to_owned()));
        assert_eq!(control_plane.get(&path).await.ok()["status"], "published");
        control_plane.patch(&path, json!({"status": "yanked", "reason": "it hangs"})).await.ok();
        // It is yanked already, so nothing is done that would need one.
        control_plane.patch(&path, json!({"status": "yanked"})).await.ok();
        let told = control_plane.get("/api/v1/activity?action=release.yanked").await.ok();
        assert_eq!(
            (told["items"].as_array().unwrap().len(), &told["items"][0]["reason"]),
            (1, &json!("it hangs"))
        );
    }

    #[tokio::test]
    async fn releases_come_newest_first_in_pages() {
        let control_plane = ControlPlane::start().await;
        for version in ["1.0.0", "1.1.0", "1.2.0"] {
            control_plane.draft(version, version.as_bytes()).await;
        }
        let page = control_plane.get("/api/v1/releases?limit=2&kind=agent").await.ok();
        let versions: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|r| r["version"].clone()).collect();
        assert_eq!(versions, ["1.2.0", "1.1.0"]);
        let next = page["nextCursor"].as_str().unwrap();
        let rest = control_plane.get(&format!("/api/v1/releases?limit=2&cursor={next}")).await.ok();
        assert_eq!(rest["items"].as_array().unwrap().len(), 1);
        assert!(rest["nextCursor"].is_null());
        for bad in ["limit=0", "limit=501", "limit=x", "cursor=x", "kind=x", "kinds=agent"] {
            let refused = control_plane.get(&format!("/api/v1/releases?{bad}")).await;
            assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
        }
    }
}
