//! `/releases/`: the releases by kind, newest first.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use novacula_protocol::people::{Page, Release, ReleaseKeys, ReleaseStatus};
use novacula_protocol::spec::Kind;
use semver::Version;
use serde::Deserialize;

use super::signed::{Signer, signers};
use super::status;
use crate::pages::action::{Action, Look};
use crate::pages::assets;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::words;
use crate::right::Right;

/// Every kind, in the order in which they stand on the page.
const KINDS: [Kind; 2] = [Kind::Agent, Kind::Operator];
const STATUSES: [ReleaseStatus; 3] = [ReleaseStatus::Draft, ReleaseStatus::Published, ReleaseStatus::Yanked];

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub cursor: String,
}

impl Asked {
    /// What was asked for as a query, of the API as of this page.
    fn query(&self, cursor: &str, limit: &str) -> String {
        let pairs =
            [("kind", self.kind.as_str()), ("status", &self.status), ("cursor", cursor), ("limit", limit)];
        words::query(pairs.into_iter().filter(|(_, value)| !value.is_empty()))
    }
}

#[derive(Template)]
#[template(path = "releases/catalogue.html")]
pub(super) struct CataloguePage {
    pub layout: Layout,
    pub asked: Asked,
    pub kinds: Vec<OfKind>,
    pub upload: Action,
    pub next: Option<String>,
}

/// The releases of a kind on this page.
pub(super) struct OfKind {
    pub kind: Kind,
    pub executors: u64,
    pub rows: Vec<Line>,
}

/// One release.
pub(super) struct Line {
    pub release: Release,
    pub badge: (&'static str, String),
    pub signers: Vec<Signer>,
    pub runs: u64,
}

impl Line {
    /// The field has the name of a word of Rust.
    fn kind_of_upgrade(&self) -> &str {
        &self.release.r#type
    }

    /// `2.8 MB`, or from the smallest to the largest.
    fn size(&self) -> String {
        let sizes = self.release.artifacts.iter().map(|artifact| artifact.size);
        match (sizes.clone().min(), sizes.max()) {
            (Some(least), Some(most)) if words::bytes(&least) != words::bytes(&most) => {
                format!("{} to {}", words::bytes(&least), words::bytes(&most))
            }
            (Some(size), _) => words::bytes(&size),
            _ => "none".to_owned(),
        }
    }
}

impl OfKind {
    /// How much of a bar of a hundred is full.
    fn part(&self, line: &Line) -> u64 {
        part(line.runs, self.executors)
    }

    fn label(&self) -> &'static str {
        match self.kind {
            Kind::Agent => "Agents",
            Kind::Operator => "Operators",
        }
    }
}

/// Of a hundred; one is seen also among thousands.
pub(super) fn part(some: u64, all: u64) -> u64 {
    if some == 0 { 0 } else { (some * 100 / all.max(1)).clamp(1, 100) }
}

pub(super) async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Result<Response, Refused> {
    let page: Page<Release> = visitor.get(&format!("/releases?{}", asked.query(&asked.cursor, "50"))).await?;
    let keys: ReleaseKeys = visitor.get("/release-keys").await?;
    let mut kinds = Vec::new();
    for kind in KINDS {
        let counts: BTreeMap<Version, u64> = visitor.get(&format!("/releases/{kind}/versions")).await?;
        let rows = page.items.iter().filter(|release| release.kind == kind).map(|release| Line {
            badge: status(release),
            signers: signers(release, &keys),
            runs: counts.get(&release.version).copied().unwrap_or_default(),
            release: release.clone(),
        });
        kinds.push(OfKind { kind, executors: counts.values().sum(), rows: rows.collect() });
    }
    kinds.retain(|of_kind| !of_kind.rows.is_empty());
    let here = format!("/releases/?{}", asked.query(&asked.cursor, ""));
    let layout = visitor.layout("Releases", Room::Releases).await?.following(here);
    let upload = Action::new("Publish a release", "/releases/publish", Look::First)
        .unless(visitor.cannot(Right::Publish));
    let next = page.next_cursor.map(|cursor| format!("/releases/?{}", asked.query(&cursor, "")));
    Ok(render(&CataloguePage { layout, asked, kinds, upload, next }))
}
