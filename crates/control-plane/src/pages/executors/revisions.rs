//! `/executors/{id}/revisions` and `/rollback`: what ran there, and the way back.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::Response;
use novacula_protocol::Stage;
use novacula_protocol::people::{Executor, LastSuccessful, Page, Revision, RollbackRequest, Upgrade};
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

/// An entry of the history, and the way back to it.
pub(crate) struct Row {
    pub revision: Revision,
    pub back: Action,
}

/// Entries with their buttons.
pub(crate) fn rows(
    executor: &Executor,
    revisions: impl Iterator<Item = Revision>,
    cannot: Option<&String>,
) -> Vec<Row> {
    let row = |revision: Revision| {
        let place = format!("/executors/{}/rollback?targetRevision={}", executor.id, revision.revision);
        let not_this = if revision.status != Stage::Completed {
            Some("It did not complete; choose one that did.".to_owned())
        } else if revision.version == executor.current_version {
            Some("It runs this version.".to_owned())
        } else {
            None
        };
        let back = Action::new("Roll back to this…", place, Look::Plain)
            .unless(cannot.cloned())
            .unless(not_this)
            .unless(said::in_the_way(executor));
        Row { revision, back }
    };
    revisions.map(row).collect()
}

#[derive(Template)]
#[template(path = "executors/revisions.html")]
pub(crate) struct RevisionsPage {
    pub layout: Layout,
    pub one: Executor,
    pub history: Vec<Row>,
    pub next: Option<String>,
    pub is_first: bool,
}

#[derive(Deserialize)]
pub(super) struct Place {
    cursor: Option<String>,
}

pub(super) async fn show(
    visitor: Visitor,
    Path(id): Path<String>,
    Query(Place { cursor }): Query<Place>,
) -> Result<Response, Refused> {
    let place = format!("/executors/{}", segment(&id));
    let one: Executor = visitor.get(&place).await?;
    let behind = cursor.as_deref().map(|cursor| format!("&{}", words::query([("cursor", cursor)])));
    let behind = behind.unwrap_or_default();
    let found: Page<Revision> = visitor.get(&format!("{place}/revisions?limit={ROWS}{behind}")).await?;
    let here = format!("{place}/revisions?{}", behind.trim_start_matches('&'));
    let cannot = visitor.cannot(Right::Steer);
    let page = RevisionsPage {
        layout: visitor
            .layout(format!("History of {}", one.name), Room::Executors)
            .await?
            .following(here.trim_end_matches('?')),
        next: found
            .next_cursor
            .map(|cursor| format!("{place}/revisions?{}", words::query([("cursor", cursor.as_str())]))),
        history: rows(&one, found.items.into_iter(), cannot.as_ref()),
        is_first: cursor.is_none(),
        one,
    };
    Ok(render(&page))
}

/// Asks back before an executor is sent back.
#[derive(Template)]
#[template(path = "executors/rollback.html")]
pub(crate) struct RollbackPage {
    pub layout: Layout,
    pub one: Executor,
    pub refused: Option<String>,
    pub cannot: Option<String>,
    /// The revision to go back to; the last that completed with another version, where there is none.
    pub target: Option<u64>,
    /// What came last, to choose from with open eyes.
    pub previous: String,
    pub description: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(rename = "targetRevision")]
    target: Option<u64>,
}

pub(super) async fn ask(
    visitor: Visitor,
    Path(id): Path<String>,
    Query(Asked { target }): Query<Asked>,
) -> Result<Response, Refused> {
    page(&visitor, &id, target, None, String::new()).await
}

async fn page(
    visitor: &Visitor,
    id: &str,
    target: Option<u64>,
    refused: Option<&Refused>,
    description: String,
) -> Result<Response, Refused> {
    let place = format!("/executors/{}", segment(id));
    let one: Executor = visitor.get(&place).await?;
    let history: Page<Revision> = visitor.get(&format!("{place}/revisions?limit=50")).await?;
    let named = target.and_then(|number| history.items.iter().find(|row| row.revision == number));
    let previous = match (target, named) {
        (Some(number), Some(row)) => {
            format!("Revision {number}: {}, {}.", row.version, words::exact(&row.at))
        }
        (Some(number), None) => format!("Revision {number}."),
        (None, _) => said::previous(&one, &history.items),
    };
    let page = RollbackPage {
        layout: visitor.layout(format!("Roll back {}", one.name), Room::Executors).await?,
        cannot: visitor.cannot(Right::Steer).or_else(|| said::in_the_way(&one)),
        refused: refused.map(Refused::sentence),
        one,
        target,
        previous,
        description,
    };
    Ok(answer(refused, render(&page)))
}

pub(super) async fn send(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, Refused> {
    let target = form.read::<u64>("targetRevision", "The revision")?;
    let (place, description) = (format!("/executors/{}/rollback", segment(&id)), form.owned("description"));
    let asked = match target {
        Some(target_revision) => {
            let body = RollbackRequest { target_revision, description };
            visitor.change::<Upgrade>(&form, Method::POST, &place, &body).await
        }
        None => {
            let place = format!("{place}/last-successful");
            visitor.change::<Upgrade>(&form, Method::POST, &place, &LastSuccessful { description }).await
        }
    };
    match asked {
        Ok(upgrade) => Ok(to(&format!("/upgrades/{}", upgrade.id))),
        Err(refused) => {
            let typed = form.owned("description").unwrap_or_default();
            page(&visitor, &id, target, Some(&refused), typed).await
        }
    }
}
