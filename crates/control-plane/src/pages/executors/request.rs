//! `/executors/{id}/upgrade`: what an upgrade would bring, and asking for it.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{Executor, Explanation, Release, Upgrade, UpgradeRequest};
use novacula_protocol::reach;
use novacula_protocol::spec::{Confirm, Direction};
use semver::Version;

use super::{all, answer, said, segment};
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;
use crate::right::Right;

#[derive(Template)]
#[template(path = "executors/request.html")]
pub(crate) struct RequestPage {
    pub layout: Layout,
    pub one: Executor,
    pub typed: Typed,
    pub refused: Option<String>,
    pub cannot: Option<String>,
    /// What the API says of this way.
    pub why: Option<Explanation>,
    pub way: Option<Way>,
    /// Where it could go, to choose from.
    pub choice: Vec<Version>,
}

/// The form as it was filled in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    pub target: String,
    pub scheduled_at: String,
    pub deadline: String,
    pub hops: bool,
    pub confirm_start: bool,
    pub confirm: bool,
    pub description: String,
    pub health_window: String,
}

/// What lies between what runs and what shall run.
pub(crate) struct Way {
    pub is_back: bool,
    /// The releases on the way, lowest first; of a downgrade those that are left.
    pub releases: Vec<Step>,
    /// Bytes to download.
    pub download: Option<u64>,
    /// How much larger it becomes.
    pub growth: Option<String>,
}

/// A release on the way.
pub(crate) struct Step {
    pub version: Version,
    pub notes: String,
    pub size: Option<u64>,
}

impl Typed {
    fn of(form: &Form) -> Self {
        let text = |name| form.owned(name).unwrap_or_default();
        Self {
            target: text("targetVersion"),
            scheduled_at: text("scheduledAt"),
            deadline: text("deadline"),
            hops: form.is_ticked("hops"),
            confirm_start: form.is_ticked("confirmStart"),
            confirm: form.is_ticked("confirm"),
            description: text("description"),
            health_window: text("healthWindow"),
        }
    }
}

/// What an executor of this kind and target passes between two versions.
pub(crate) fn way(one: &Executor, to: &Version, releases: &[Release]) -> Option<Way> {
    let from = &one.current_version;
    let direction = reach::direction(from, to)?;
    let size = |release: &Release| {
        let artifact = release.artifacts.iter().find(|artifact| artifact.target == one.target);
        artifact.map(|artifact| artifact.size)
    };
    let size_of =
        |version: &Version| releases.iter().find(|release| release.version == *version).and_then(size);
    let (low, high) = if direction == Direction::Upgrade { (from, to) } else { (to, from) };
    let standpoint =
        reach::Standpoint { kind: one.kind, version: from, channel: one.channel, target: &one.target };
    let is_between = |release: &&Release| {
        release.version > *low
            && release.version <= *high
            && (reach::is_offered(standpoint, *release) || release.version == *from)
    };
    let mut steps: Vec<Step> = releases
        .iter()
        .filter(is_between)
        .map(|release| Step {
            version: release.version.clone(),
            notes: release.notes.clone(),
            size: size(release),
        })
        .collect();
    steps.sort_by(|a, b| a.version.cmp(&b.version));
    let (download, now) = (size_of(to), size_of(from));
    let growth = download.zip(now).map(|(new, old)| match new.checked_sub(old) {
        Some(0) => "as large as the one in place".to_owned(),
        Some(more) => format!("{} larger than the one in place", words::bytes(&more)),
        None => format!("{} smaller than the one in place", words::bytes(&(old - new))),
    });
    Some(Way { is_back: direction == Direction::Downgrade, releases: steps, download, growth })
}

pub(super) async fn show(
    visitor: Visitor,
    Path(id): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, Refused> {
    let field = |name: &str| pairs.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
    let target = field("targetVersion").unwrap_or_default();
    let typed = Typed { target, hops: field("hops").is_some(), ..Typed::default() };
    page(&visitor, &id, typed, None).await
}

async fn page(
    visitor: &Visitor,
    id: &str,
    typed: Typed,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let place = format!("/executors/{}", segment(id));
    let one: Executor = visitor.get(&place).await?;
    let target: Option<Version> = typed.target.parse().ok();
    let (mut why, mut on_the_way) = (None, None);
    if let Some(target) = &target {
        let asked = words::query([("targetVersion", typed.target.as_str())]);
        why = Some(visitor.get(&format!("{place}/explain?{asked}")).await?);
        let releases: Vec<Release> = all(visitor, &format!("/releases?kind={}", one.kind)).await?;
        on_the_way = way(&one, target, &releases);
    }
    let both = one.available_upgrades.iter().flatten().chain(one.available_downgrades.iter().flatten());
    let mut choice: Vec<Version> = both.map(|release| release.version.clone()).collect();
    choice.sort_by(|a, b| b.cmp(a));
    let page = RequestPage {
        layout: visitor.layout(format!("Upgrade {}", one.name), Room::Executors).await?,
        cannot: visitor.cannot(Right::Steer).or_else(|| said::in_the_way(&one)),
        refused: refused.map(Refused::sentence),
        why,
        way: on_the_way,
        choice,
        typed,
        one,
    };
    Ok(answer(refused, render(&page)))
}

/// What the form asks for.
fn asked(form: &Form) -> Result<UpgradeRequest, Refused> {
    let by_person = |name| form.is_ticked(name).then_some(Confirm::Manual);
    let health_window: Option<u64> = form.read("healthWindow", "The health window")?;
    Ok(UpgradeRequest {
        scheduled_at: form.time("scheduledAt", "Not before")?,
        deadline: form.time("deadline", "The deadline")?,
        hops: form.is_ticked("hops"),
        confirm_start: by_person("confirmStart"),
        confirm: by_person("confirm"),
        description: form.owned("description"),
        health_window_ms: health_window.map(|seconds| seconds.saturating_mul(1_000)),
        ..UpgradeRequest::to(form.needed("targetVersion", "The version")?)
    })
}

pub(super) async fn send(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, Refused> {
    let place = format!("/executors/{}/upgrade", segment(&id));
    let sent = match asked(&form) {
        Ok(asked) => visitor.change::<Upgrade>(&form, Method::POST, &place, &asked).await,
        Err(refused) => Err(refused),
    };
    match sent {
        Ok(upgrade) => Ok(to(&format!("/upgrades/{}", upgrade.id))),
        Err(refused) => page(&visitor, &id, Typed::of(&form), Some(&refused)).await,
    }
}
