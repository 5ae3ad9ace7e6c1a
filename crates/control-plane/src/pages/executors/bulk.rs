//! `/executors/upgrade`: one version for many executors. It says what would become of them before anything is sent.

use std::collections::{BTreeMap, HashMap, HashSet};

use askama::Template;
use axum::extract::Query;
use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{
    Batch, BatchRequest, Executor, NeedsUpgrade, Presence, Release, ReleaseStatus,
};
use novacula_protocol::reach;
use novacula_protocol::spec::{Confirm, Kind};
use semver::Version;

use super::{ROWS, all, answer, said};
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;
use crate::right::Right;

#[derive(Template)]
#[template(path = "executors/bulk.html")]
pub(crate) struct BulkPage {
    pub layout: Layout,
    pub asked: Asked,
    pub refused: Option<String>,
    pub cannot: Option<String>,
    /// The published versions of the kind, the highest first.
    pub versions: Vec<Version>,
    /// What would become of whom, once a version is chosen.
    pub preview: Option<Preview>,
}

/// The form as it was filled in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub ids: Vec<String>,
    /// `key=value` each.
    pub labels: Vec<String>,
    /// Everyone of the kind, where neither ids nor labels were chosen.
    pub is_all: bool,
    pub kind: String,
    pub target: String,
    pub concurrency: String,
    pub stop_on_failure: bool,
    pub hops: bool,
    pub confirm: bool,
    pub description: String,
}

/// What a batch would do.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    pub chosen: usize,
    /// They can be asked at once.
    pub ready: usize,
    pub needs_hop: usize,
    pub there: usize,
    /// They run something newer: the target is a downgrade for them.
    pub newer: usize,
    pub not_offered: usize,
    pub busy: usize,
    pub offline: usize,
    pub held: usize,
    /// The first of them, each with what would become of it.
    pub first: Vec<(Executor, String)>,
}

impl Asked {
    fn read<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut asked = Self::default();
        for (name, value) in pairs {
            let value = value.trim().to_owned();
            match name {
                _ if value.is_empty() => {}
                "id" => asked.ids.push(value),
                "label" => asked.labels.push(value),
                "all" => asked.is_all = true,
                "kind" => asked.kind = value,
                "targetVersion" => asked.target = value,
                "concurrency" => asked.concurrency = value,
                "stopOnFailure" => asked.stop_on_failure = true,
                "hops" => asked.hops = true,
                "confirm" => asked.confirm = true,
                "description" => asked.description = value,
                _ => {}
            }
        }
        asked
    }

    /// Somebody is chosen at all: a form that lost its choice must not become a batch of everybody.
    fn is_of_somebody(&self) -> bool {
        self.is_all || !self.ids.is_empty() || !self.labels.is_empty()
    }

    fn body(&self) -> Result<BatchRequest, Refused> {
        if !self.is_of_somebody() {
            return Err(Refused::invalid("nobody is chosen; go back to the executors and choose some"));
        }
        let concurrency = match self.concurrency.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| {
                Refused::invalid(format!("how many at once must be a number from 1 to 1000, it is `{text}`"))
            })?),
        };
        let pair = |label: &String| {
            let (key, value) = label.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        };
        let labels: Option<BTreeMap<_, _>> = self.labels.iter().map(pair).collect();
        Ok(BatchRequest {
            executor_ids: (!self.ids.is_empty()).then(|| self.ids.clone()),
            labels: labels.ok_or_else(|| Refused::invalid("a label must be key=value"))?,
            concurrency,
            stop_on_failure: self.stop_on_failure,
            hops: self.hops,
            confirm: self.confirm.then_some(Confirm::Manual),
            description: (!self.description.is_empty()).then(|| self.description.clone()),
        })
    }
}

/// Sorts the chosen as a batch would, and counts them.
pub(crate) fn preview(
    chosen: Vec<Executor>,
    lower: &[NeedsUpgrade],
    target: &Version,
    hops: Option<&[Version]>,
) -> Preview {
    let lower: HashMap<&str, &NeedsUpgrade> =
        lower.iter().map(|one| (one.executor_id.as_str(), one)).collect();
    let mut counts = Preview { chosen: chosen.len(), ..Preview::default() };
    for one in chosen {
        let fate = counts.fate(&one, lower.get(one.id.as_str()).copied(), target, hops);
        counts.held += usize::from(one.held.is_some());
        if counts.first.len() < ROWS {
            counts.first.push((one, fate));
        }
    }
    counts
}

impl Preview {
    /// What would become of one of them, counted.
    fn fate(
        &mut self,
        one: &Executor,
        lower: Option<&NeedsUpgrade>,
        target: &Version,
        hops: Option<&[Version]>,
    ) -> String {
        let from = &one.current_version;
        let hop = reach::hop_between(from, target);
        let refused = lower.and_then(|lower| lower.reason.as_deref()).filter(|_| hop.is_none());
        let mut between = (from.major.min(target.major) + 1)..from.major.max(target.major);
        let gap = hops.filter(|_| hop.is_some()).and_then(|published| {
            between.find(|major| !published.iter().any(|version| version.major == *major))
        });
        let (count, fate) = if from == target {
            (&mut self.there, "It is there already.".to_owned())
        } else if let Some(hop) = hop.filter(|_| hops.is_none()) {
            (&mut self.needs_hop, format!("Left out: it {hop}."))
        } else if let Some(major) = gap {
            (
                &mut self.not_offered,
                format!("Would be refused: no release of {major}.x is published to go over."),
            )
        } else if let Some(reason) = refused {
            (&mut self.not_offered, format!("Would be refused: {reason}."))
        } else if let Some(open) = &one.pending_upgrade {
            let to = &open.target_version;
            (&mut self.busy, format!("Would be refused while its upgrade to {to} has not ended."))
        } else if one.status == Presence::Offline {
            (&mut self.offline, "Would be refused if it is still offline when its turn comes.".to_owned())
        } else if from > target {
            (&mut self.newer, format!("It runs something newer: this would be a downgrade from {from}."))
        } else if hop.is_some() {
            (&mut self.ready, "It goes, over the versions in between.".to_owned())
        } else {
            (&mut self.ready, "It goes.".to_owned())
        };
        *count += 1;
        fate
    }
}

pub(super) async fn show(
    visitor: Visitor,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, Refused> {
    let asked = Asked::read(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    page(&visitor, asked, None).await
}

async fn page(visitor: &Visitor, mut asked: Asked, refused: Option<Refused>) -> Result<Response, Refused> {
    if asked.kind.is_empty() && !asked.ids.is_empty() {
        // Whoever was chosen first says which kind it is about.
        let first = format!("/executors/{}", super::segment(&asked.ids[0]));
        asked.kind = visitor.get::<Executor>(&first).await?.kind.to_string();
    }
    let kind = Kind::from_wire(&asked.kind).unwrap_or(Kind::Agent);
    asked.kind = kind.to_string();
    let releases: Vec<Release> = all(visitor, &format!("/releases?kind={kind}")).await?;
    let published = releases.into_iter().filter(|release| release.status == ReleaseStatus::Published);
    let mut versions: Vec<Version> = published.map(|release| release.version).collect();
    versions.sort_by(|a, b| b.cmp(a));
    let (preview, trouble) = match look(visitor, &asked, kind, &versions).await {
        Err(trouble) if trouble.status.as_u16() == 400 => (None, Some(trouble)),
        found => (found?, None),
    };
    let refused = refused.or(trouble);
    let page = BulkPage {
        layout: visitor.layout("Upgrade several executors", Room::Executors).await?,
        cannot: visitor.cannot(Right::Steer),
        refused: refused.as_ref().map(Refused::sentence),
        asked,
        versions,
        preview,
    };
    Ok(answer(refused.as_ref(), render(&page)))
}

/// What a batch would meet, from what the API says of each.
async fn look(
    visitor: &Visitor,
    asked: &Asked,
    kind: Kind,
    published: &[Version],
) -> Result<Option<Preview>, Refused> {
    let Ok(target) = asked.target.parse::<Version>() else { return Ok(None) };
    if !asked.is_of_somebody() {
        return Ok(None);
    }
    let labels = words::query(asked.labels.iter().map(|label| ("label", label.as_str())));
    let mut chosen: Vec<Executor> = all(visitor, &format!("/executors?kind={kind}&{labels}")).await?;
    if !asked.ids.is_empty() {
        let ids: HashSet<&str> = asked.ids.iter().map(String::as_str).collect();
        chosen.retain(|one| ids.contains(one.id.as_str()));
    }
    let wanted = words::query([("targetVersion", asked.target.as_str())]);
    let lower: Vec<NeedsUpgrade> =
        all(visitor, &format!("/releases/{kind}/needs-upgrade?{wanted}&{labels}")).await?;
    Ok(Some(preview(chosen, &lower, &target, asked.hops.then_some(published))))
}

pub(super) async fn send(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let asked = Asked::read(form.pairs());
    let sent = match asked.body() {
        Ok(body) => {
            let wanted = words::query([("targetVersion", asked.target.as_str())]);
            let place = format!("/releases/{}/batch-upgrade?{wanted}", super::segment(&asked.kind));
            visitor.change::<Batch>(&form, Method::POST, &place, &body).await
        }
        Err(refused) => Err(refused),
    };
    match sent {
        Ok(batch) => Ok(to(&format!("/batches/{}", batch.id))),
        Err(refused) => page(&visitor, asked, Some(refused)).await,
    }
}
