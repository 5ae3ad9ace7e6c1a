//! `/releases/{id}/publish`: says who will be offered a draft, and publishes it.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use novacula_protocol::people::{Consequences, Release, ReleaseKeys, ReleasePatch, ReleaseStatus};
use uuid::Uuid;

use super::signed::{Signer, signers};
use super::{path, place};
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;

#[derive(Template)]
#[template(path = "releases/offer.html")]
pub(super) struct OfferPage {
    pub layout: Layout,
    pub release: Release,
    pub found: Consequences,
    /// Who signed it and is not trusted by some executor.
    pub doubted: Vec<Signer>,
    pub silent: u64,
    pub refused: Option<String>,
}

pub(super) async fn ask(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Refused> {
    page(&visitor, id, None).await.map(|page| render(&page))
}

pub(super) async fn act(visitor: Visitor, Path(id): Path<Uuid>, form: Form) -> Result<Response, Refused> {
    let patch = ReleasePatch {
        status: Some(ReleaseStatus::Published),
        reason: form.owned("reason"),
        ..ReleasePatch::default()
    };
    match visitor.change::<Release>(&form, Method::PATCH, &path(id), &patch).await {
        Ok(release) => Ok(to(&place(&release))),
        Err(refused) => {
            let page = page(&visitor, id, Some(refused.sentence())).await?;
            Ok((refused.status, render(&page)).into_response())
        }
    }
}

async fn page(visitor: &Visitor, id: Uuid, refused: Option<String>) -> Result<OfferPage, Refused> {
    let release: Release = visitor.get(&path(id)).await?;
    let found = visitor.get(&format!("{}/consequences", path(id))).await?;
    let keys: ReleaseKeys = visitor.get("/release-keys").await?;
    let mut doubted = signers(&release, &keys);
    doubted.retain(|signer| signer.lacked_by > 0);
    let layout = visitor.layout(format!("Publish {}", release.version), Room::Releases).await?;
    Ok(OfferPage { layout, release, found, doubted, silent: keys.silent, refused })
}
