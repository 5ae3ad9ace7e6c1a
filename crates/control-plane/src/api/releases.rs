//! `/api/v1/releases`: the catalogue, apart from the upload.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::people::{Page, Release, ReleasePatch};
use novacula_protocol::spec::Kind;

use crate::app::App;
use crate::extract::{Body, Id, ListQuery, word};
use crate::problem::{Answer, ApiError};
use crate::store::{Person, ReleaseRefused};

pub(super) const MAX_NOTES: usize = 64 * 1024;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<Release>>> {
    let mut kind = None;
    query.each_filter("`kind`", |name, value| {
        if name == "kind" {
            kind = Some(word(name, value, Kind::from_wire)?);
        }
        Ok(name == "kind")
    })?;
    let rows = app.store.releases(person.account_id, kind, query.cursor_id()?, Some(query.limit + 1)).await?;
    Ok(Json(query.page(rows.into_iter(), |release| release.id.clone())))
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
    if patch.notes.as_ref().is_some_and(|notes| notes.len() > MAX_NOTES) {
        return Err(ApiError::invalid(format!("`notes` must have at most {MAX_NOTES} bytes")));
    }
    let now = app.clock.now();
    let release = app.store.patch_release(person.account_id, id, patch, now).await??;
    tracing::info!(release = release.id, version = %release.version, by = person.name, "release {}", release.status.as_str());
    Ok(Json(release))
}

impl From<ReleaseRefused> for ApiError {
    fn from(refused: ReleaseRefused) -> Self {
        let message = refused.to_string();
        match refused {
            ReleaseRefused::NotFound => Self::not_found("release"),
            ReleaseRefused::Published { .. } => Self::conflict("release_published", message),
            ReleaseRefused::Differs { .. } => Self::conflict("release_differs", message),
            ReleaseRefused::InvalidTransition { .. } => Self::conflict("invalid_transition", message),
        }
    }
}
