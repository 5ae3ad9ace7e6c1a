//! `GET /executors/`: the table.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use novacula_protocol::people::{Executor, ExecutorGroup, Page};
use novacula_protocol::sync::Support;
use semver::Version;

use super::filters::{self, Filters};
use super::{ROWS, answer, said};
use crate::pages::action::{Action, Look};
use crate::pages::assets;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::words;
use crate::right::Right;

#[derive(Template)]
#[template(path = "executors/list.html")]
pub(crate) struct ListPage {
    pub layout: Layout,
    pub filters: Filters,
    pub refused: Option<String>,
    pub executors: Vec<Executor>,
    pub next: Option<String>,
    /// How many there are in all, whatever the filters.
    pub count: u64,
    /// What runs anywhere, to choose from.
    pub versions: Vec<Version>,
    pub groups: Vec<String>,
    /// Why nobody can be chosen for an upgrade.
    pub cannot: Option<String>,
    pub bulk: Option<Action>,
    pub enrol: Action,
}

pub(super) async fn show(
    visitor: Visitor,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, Refused> {
    let filters = Filters::read(pairs);
    let found = visitor.get::<Page<Executor>>(&filters.asked(ROWS)).await;
    // A filter that cannot be meant is said above the form that has it.
    let (found, refused) = match found {
        Err(refused) if refused.status.as_u16() == 400 => {
            (Page { items: Vec::new(), next_cursor: None }, Some(refused))
        }
        found => (found?, None),
    };
    let (mut versions, mut count) = (BTreeSet::new(), 0);
    for kind in ["agent", "operator"] {
        let counted: BTreeMap<Version, u64> = visitor.get(&format!("/releases/{kind}/versions")).await?;
        count += counted.values().sum::<u64>();
        versions.extend(counted.into_keys());
    }
    let groups: Page<ExecutorGroup> = visitor.get("/fleet/groups?limit=500").await?;
    let cannot = visitor.cannot(Right::Steer);
    let whole = |place| Action::new("Upgrade all that match…", place, Look::Plain).unless(cannot.clone());
    let page = ListPage {
        layout: visitor.layout("Executors", Room::Executors).await?.following(filters.here()),
        bulk: filters.bulk().map(whole),
        enrol: Action::new("Make an enrolment token", "/keys/", Look::First)
            .unless(visitor.cannot(Right::Administer)),
        cannot,
        refused: refused.as_ref().map(Refused::sentence),
        executors: found.items,
        next: found.next_cursor.map(|cursor| filters.page(&cursor)),
        count,
        versions: versions.into_iter().rev().collect(),
        groups: groups.items.into_iter().map(|group| group.name).collect(),
        filters,
    };
    Ok(answer(refused.as_ref(), render(&page)))
}
