//! `/releases/publish`: an artifact and its signature, streamed through to the API as the browser sends them.

use askama::Template;
use axum::body::Body;
use axum::extract::Query;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse as _, Response};
use novacula_protocol::people::{Release, ReleaseKeys};
use serde::Deserialize;

use super::place;
use crate::pages::assets;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;
use crate::right::Right;

#[derive(Template)]
#[template(path = "releases/upload.html")]
pub(super) struct UploadPage {
    pub layout: Layout,
    /// The keys whose signatures are taken here, by name and id.
    pub keys: Vec<(String, String)>,
    /// Why this visitor may not.
    pub cannot: Option<String>,
    pub refused: Option<String>,
}

/// What rides in the address of the form, because its body is not read here. Addresses are logged without it.
#[derive(Deserialize)]
pub(super) struct Proof {
    csrf: Option<String>,
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Refused> {
    page(&visitor, None).await.map(|page| render(&page))
}

pub(super) async fn send(
    visitor: Visitor,
    Query(Proof { csrf }): Query<Proof>,
    sent: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let mut headers = HeaderMap::new();
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        if let Some(value) = sent.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    match visitor.guest.send(Method::POST, "/releases", csrf.as_deref(), headers, body).await {
        Ok(answer) => {
            let release: Release = visitor.guest.read(answer).await?;
            Ok(to(&place(&release)))
        }
        Err(refused) => {
            let page = page(&visitor, Some(refused.sentence())).await?;
            Ok((refused.status, render(&page)).into_response())
        }
    }
}

async fn page(visitor: &Visitor, refused: Option<String>) -> Result<UploadPage, Refused> {
    let keys: ReleaseKeys = visitor.get("/release-keys").await?;
    let keys = keys.keys.into_iter().filter_map(|key| Some((key.name?, key.id))).collect();
    let layout = visitor.layout("Publish a release", Room::Releases).await?;
    Ok(UploadPage { layout, keys, cannot: visitor.cannot(Right::Publish), refused })
}
