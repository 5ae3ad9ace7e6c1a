//! `/releases/{id}/yank`: says what taking a release back means, asks why, and does it.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use novacula_protocol::people::{Consequences, Release, ReleasePatch, ReleaseStatus};
use uuid::Uuid;

use super::{path, place};
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;

#[derive(Template)]
#[template(path = "releases/yank.html")]
pub(super) struct YankPage {
    pub layout: Layout,
    pub release: Release,
    pub found: Consequences,
    pub reason: String,
    pub refused: Option<String>,
}

pub(super) async fn ask(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Refused> {
    page(&visitor, id, String::new(), None).await.map(|page| render(&page))
}

pub(super) async fn act(visitor: Visitor, Path(id): Path<Uuid>, form: Form) -> Result<Response, Refused> {
    let reason = form.owned("reason").unwrap_or_default();
    let patch = ReleasePatch {
        status: Some(ReleaseStatus::Yanked),
        reason: Some(reason.clone()),
        ..ReleasePatch::default()
    };
    match visitor.change::<Release>(&form, Method::PATCH, &path(id), &patch).await {
        Ok(release) => Ok(to(&place(&release))),
        Err(refused) => {
            let page = page(&visitor, id, reason, Some(refused.sentence())).await?;
            Ok((refused.status, render(&page)).into_response())
        }
    }
}

async fn page(
    visitor: &Visitor,
    id: Uuid,
    reason: String,
    refused: Option<String>,
) -> Result<YankPage, Refused> {
    let release: Release = visitor.get(&path(id)).await?;
    let found = visitor.get(&format!("{}/consequences", path(id))).await?;
    let layout = visitor.layout(format!("Yank {}", release.version), Room::Releases).await?;
    Ok(YankPage { layout, release, found, reason, refused })
}
