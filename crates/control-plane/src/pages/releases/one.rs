//! `/releases/{id}`: one release: what it is, where it runs, and what can be done with it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use novacula_protocol::people::{
    Activity, Artifact, Consequences, Page, Release, ReleaseKeys, ReleaseStatus,
};
use semver::Version;
use uuid::Uuid;

use super::catalogue::part;
use super::signed::{Signer, signer, trusted_comment};
use super::{path, place, status};
use crate::pages::action::{Action, Look};
use crate::pages::assets;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::words;
use crate::right::Right;

#[derive(Template)]
#[template(path = "releases/one.html")]
pub(super) struct OnePage {
    pub layout: Layout,
    pub release: Release,
    /// As the release says; the name of the field is a word of Rust.
    pub kind_of_upgrade: String,
    pub badge: (&'static str, String),
    pub artifacts: Vec<Signed>,
    pub found: Consequences,
    /// Executors of its kind.
    pub executors: u64,
    /// Who yanked it, when and why.
    pub yanked: Option<Activity>,
    pub actions: Vec<Action>,
}

/// An artifact and what its signature says.
pub(super) struct Signed {
    pub artifact: Artifact,
    pub signer: Option<Signer>,
    pub comment: String,
}

impl OnePage {
    fn part(&self) -> u64 {
        part(self.found.running, self.executors)
    }

    fn is_draft(&self) -> bool {
        self.release.status == ReleaseStatus::Draft
    }
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Refused> {
    let release: Release = visitor.get(&path(id)).await?;
    let found: Consequences = visitor.get(&format!("{}/consequences", path(id))).await?;
    let keys: ReleaseKeys = visitor.get("/release-keys").await?;
    let counts: BTreeMap<Version, u64> = visitor.get(&format!("/releases/{}/versions", release.kind)).await?;
    let yanked = match release.status {
        ReleaseStatus::Yanked => {
            let asked = words::query([("target", release.id.as_str()), ("action", "release.yanked")]);
            let told: Page<Activity> = visitor.get(&format!("/activity?limit=1&{asked}")).await?;
            told.items.into_iter().next()
        }
        _ => None,
    };
    let artifacts = release.artifacts.iter().map(|artifact| Signed {
        signer: signer(artifact, &keys),
        comment: trusted_comment(artifact).to_owned(),
        artifact: artifact.clone(),
    });
    let title = format!("Release {}", release.version);
    Ok(render(&OnePage {
        layout: visitor.layout(title, Room::Releases).await?.following(place(&release)),
        kind_of_upgrade: release.r#type.clone(),
        badge: status(&release),
        artifacts: artifacts.collect(),
        found,
        executors: counts.values().sum(),
        yanked,
        actions: actions(&visitor, &release),
        release,
    }))
}

fn actions(visitor: &Visitor, release: &Release) -> Vec<Action> {
    let (here, cannot) = (place(release), visitor.cannot(Right::Publish));
    let action = |label: &str, verb: &str, look| {
        Action::new(label, format!("{here}/{verb}"), look).unless(cannot.clone())
    };
    let change = action("Change", "change", Look::Plain);
    match release.status {
        ReleaseStatus::Draft => vec![change, action("Publish", "publish", Look::First)],
        ReleaseStatus::Published => vec![change, action("Yank", "yank", Look::Grave)],
        ReleaseStatus::Yanked => vec![change],
    }
}
