//! The one stylesheet, the one script and the drawings: part of the binary, at addresses that change with them.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::Row;
use crate::secrets::hex;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static str,
}

const ASSETS: [Asset; 4] = [
    Asset {
        name: "console.css",
        media_type: "text/css; charset=utf-8",
        bytes: concat!(
            include_str!("../../assets/base.css"),
            include_str!("../../assets/parts.css"),
            include_str!("../../assets/pages/overview.css"),
            include_str!("../../assets/pages/upgrades.css"),
            include_str!("../../assets/pages/executors.css"),
            include_str!("../../assets/pages/releases.css"),
            include_str!("../../assets/pages/plans.css"),
            include_str!("../../assets/pages/rules.css"),
        ),
    },
    Asset {
        name: "console.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_str!("../../assets/console.js"),
    },
    Asset { name: "icons.svg", media_type: "image/svg+xml", bytes: include_str!("../../assets/icons.svg") },
    Asset { name: "mark.svg", media_type: "image/svg+xml", bytes: include_str!("../../assets/mark.svg") },
];

pub(crate) fn routes() -> Vec<Row> {
    vec![("/assets/{version}/{name}", get(fetch))]
}

/// Where an asset of this binary is.
pub(crate) fn at(name: &str) -> String {
    format!("/assets/{}/{name}", version())
}

fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut hash = Sha256::new();
        for asset in ASSETS {
            hash.update(asset.bytes);
        }
        hex(&hash.finalize())[..12].to_owned()
    })
}

/// A browser that has it never asks again; after an upgrade of ours the page names another address.
async fn fetch(Path((asked, name)): Path<(String, String)>) -> Response {
    const FOR_EVER: [(HeaderName, &str); 1] =
        [(header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name && asked == version()) else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    (FOR_EVER, [(header::CONTENT_TYPE, asset.media_type)], asset.bytes).into_response()
}
