//! `/batches/`: requests for many executors, and what became of each.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{Batch, BatchItem, Outcome, Page, WithReason};
use novacula_protocol::spec::Confirm;
use serde::Deserialize;

use super::{ROWS, answer, said, segment};
use crate::pages::action::{Action, Look};
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;
use crate::right::Right;

#[derive(Template)]
#[template(path = "executors/batches.html")]
pub(crate) struct BatchesPage {
    pub layout: Layout,
    pub batches: Vec<Batch>,
    pub next: Option<String>,
    pub is_first: bool,
}

#[derive(Deserialize)]
pub(super) struct Place {
    cursor: Option<String>,
}

pub(super) async fn list(
    visitor: Visitor,
    Query(Place { cursor }): Query<Place>,
) -> Result<Response, Refused> {
    let behind = cursor.as_deref().map(|cursor| words::query([("cursor", cursor)])).unwrap_or_default();
    let found: Page<Batch> = visitor.get(&format!("/batches?limit={ROWS}&{behind}")).await?;
    let here = format!("/batches/?{behind}");
    let page = BatchesPage {
        layout: visitor.layout("Batches", Room::Executors).await?.following(here.trim_end_matches('?')),
        batches: found.items,
        next: found
            .next_cursor
            .map(|cursor| format!("/batches/?{}", words::query([("cursor", cursor.as_str())]))),
        is_first: cursor.is_none(),
    };
    Ok(render(&page))
}

#[derive(Template)]
#[template(path = "executors/batch.html")]
pub(crate) struct BatchPage {
    pub layout: Layout,
    pub batch: Batch,
    pub total: usize,
    pub counts: Vec<Count>,
    /// The outcome that is looked at.
    pub outcome: String,
    pub items: Vec<BatchItem>,
    pub next: Option<String>,
    pub is_first: bool,
    pub abandon: Action,
}

/// How many share an outcome, and where their part of the bar lies, in thousandths of its width.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub outcome: Outcome,
    pub number: usize,
    pub x: usize,
    pub width: usize,
}

#[derive(Deserialize, Default)]
pub(super) struct Looked {
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    from: usize,
}

/// The outcomes that there are, as parts of a bar. What is there is seen, however few they are.
pub(crate) fn counts(items: &[BatchItem]) -> Vec<Count> {
    let number = |outcome: Outcome| items.iter().filter(|item| item.outcome == outcome).count();
    let (mut counts, mut before) = (Vec::new(), 0);
    for outcome in said::OUTCOMES {
        let number = number(outcome);
        if number == 0 {
            continue;
        }
        let (x, end) = (before * 1_000 / items.len(), (before + number) * 1_000 / items.len());
        counts.push(Count { outcome, number, x, width: (end - x).max(2) });
        before += number;
    }
    counts
}

pub(super) async fn show(
    visitor: Visitor,
    Path(id): Path<String>,
    Query(Looked { outcome, from }): Query<Looked>,
) -> Result<Response, Refused> {
    let mut batch: Batch = visitor.get(&format!("/batches/{}", segment(&id))).await?;
    let items = std::mem::take(&mut batch.items);
    let place = |from: usize| {
        let from = (from > 0).then(|| from.to_string());
        let outcome = (!outcome.is_empty()).then_some(("outcome", outcome.as_str()));
        let query = words::query(outcome.into_iter().chain(from.as_deref().map(|from| ("from", from))));
        format!("/batches/{}?{query}", batch.id).trim_end_matches('?').to_owned()
    };
    let (total, counts) = (items.len(), counts(&items));
    let shown =
        items.into_iter().filter(|item| outcome.is_empty() || said::outcome_word(&item.outcome) == outcome);
    let mut shown: Vec<BatchItem> = shown.skip(from).take(ROWS + 1).collect();
    let has_more = shown.len() > ROWS;
    shown.truncate(ROWS);
    let over = batch.ended_at.map(|_| "It has ended; nothing of it is left to stop.".to_owned());
    let stopped =
        batch.stopped_because.as_ref().map(|_| "It was stopped; what has begun goes on.".to_owned());
    let page = BatchPage {
        layout: visitor
            .layout(format!("Batch to {}", batch.target_version), Room::Executors)
            .await?
            .following(place(from)),
        abandon: Action::new("Abandon…", format!("/batches/{}/abandon", batch.id), Look::Grave)
            .unless(visitor.cannot(Right::Steer))
            .unless(over)
            .unless(stopped),
        next: has_more.then(|| place(from + ROWS)),
        is_first: from == 0,
        total,
        counts,
        items: shown,
        outcome: outcome.clone(),
        batch: batch.clone(),
    };
    Ok(render(&page))
}

#[derive(Template)]
#[template(path = "executors/abandon.html")]
pub(crate) struct AbandonPage {
    pub layout: Layout,
    pub batch: Batch,
    pub refused: Option<String>,
    pub cannot: Option<String>,
    /// Whose turn has not come.
    pub waiting: u64,
    pub started: u64,
    pub reason: String,
}

pub(super) async fn ask(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    abandon(&visitor, &id, None, String::new()).await
}

async fn abandon(
    visitor: &Visitor,
    id: &str,
    refused: Option<&Refused>,
    reason: String,
) -> Result<Response, Refused> {
    let batch: Batch = visitor.get(&format!("/batches/{}", segment(id))).await?;
    let number = |outcome| batch.items.iter().filter(|item| item.outcome == outcome).count() as u64;
    let page = AbandonPage {
        layout: visitor.layout("Abandon the batch", Room::Executors).await?,
        cannot: visitor.cannot(Right::Steer),
        refused: refused.map(Refused::sentence),
        waiting: number(Outcome::Waiting),
        started: number(Outcome::Started),
        batch,
        reason,
    };
    Ok(answer(refused, render(&page)))
}

pub(super) async fn send(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, Refused> {
    let place = format!("/batches/{}", segment(&id));
    let reason = form.owned("reason").unwrap_or_default();
    let body = WithReason { reason: reason.clone() };
    match visitor.act(&form, Method::POST, &format!("{place}/abandon"), &body).await {
        Ok(()) => Ok(to(&place)),
        Err(refused) => abandon(&visitor, &id, Some(&refused), reason).await,
    }
}
