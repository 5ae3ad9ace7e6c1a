//! `/activity/`: who did what, when and why.

pub(crate) mod deeds;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use novacula_protocol::people::{Activity, ActivityVerdict, Page};

use super::action::{Action, Look};
use super::form::Form;
use super::layout::{Layout, Room};
use super::refused::{Refused, render};
use super::rules::ask::is_about_the_visitor;
use super::rules::pager::{Pager, asked};
use super::visitor::Visitor;
use super::{Row, assets, words};
use deeds::GROUPS;

const HERE: &str = "/activity/";
/// Up to here the chain is followed each time that the page is looked at.
const QUICKLY_FOLLOWED: u64 = 20_000;

pub(crate) fn routes() -> Vec<Row> {
    vec![(HERE, get(list)), ("/activity/chain", get(follow_chain))]
}

#[derive(Template)]
#[template(path = "activity/list.html")]
pub(crate) struct ActivityPage {
    pub layout: Layout,
    pub filters: Filters,
    pub refused: Option<String>,
    pub rows: Vec<Activity>,
    pub pager: Pager,
    /// The same entries as a table for a spreadsheet.
    pub export: String,
    pub chain: Option<ActivityVerdict>,
    pub check: Action,
}

/// What is listed, as it was typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters {
    pub actor: String,
    pub action: String,
    pub target: String,
    pub since: String,
}

impl Filters {
    fn of(form: &Form) -> Self {
        let text = |name| form.owned(name).unwrap_or_default();
        Self { actor: text("actor"), action: text("action"), target: text("target"), since: text("since") }
    }

    fn is_empty(&self) -> bool {
        [&self.actor, &self.action, &self.target, &self.since].into_iter().all(String::is_empty)
    }

    /// As the page takes them.
    fn pairs(&self) -> [(&'static str, &str); 4] {
        [("actor", &self.actor), ("action", &self.action), ("target", &self.target), ("since", &self.since)]
    }
}

async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    let form = Form::of_query(query.as_deref());
    let (filters, cursor) = (Filters::of(&form), form.text("cursor"));
    let page = ActivityPage {
        layout: visitor.layout("Activity", Room::Activity).await?,
        filters: filters.clone(),
        refused: None,
        rows: Vec::new(),
        pager: Pager::default(),
        export: "/api/v1/activity?format=csv".to_owned(),
        chain: None,
        check: Action::new("Check the chain", "/activity/chain", Look::Plain),
    };
    match found(&visitor, &form, &filters, cursor).await {
        Ok((rows, export)) => {
            let pager = Pager::of(HERE, &filters.pairs(), "cursor", cursor, &rows);
            let newest = rows.items.first().map_or(0, |entry| entry.id);
            let is_quick = newest <= QUICKLY_FOLLOWED && cursor.is_none() && filters.is_empty();
            let chain = if is_quick { Some(visitor.get("/activity/verify").await?) } else { None };
            Ok(render(&ActivityPage { rows: rows.items, pager, export, chain, ..page }))
        }
        Err(refused) if is_about_the_visitor(&refused) || refused.status != StatusCode::BAD_REQUEST => {
            Err(refused)
        }
        Err(refused) => {
            let status = refused.status;
            let page = ActivityPage { refused: Some(refused.sentence()), ..page };
            Ok((status, render(&page)).into_response())
        }
    }
}

/// The entries, and where they are as a table.
async fn found(
    visitor: &Visitor,
    form: &Form,
    filters: &Filters,
    cursor: Option<&str>,
) -> Result<(Page<Activity>, String), Refused> {
    let since = form.time("since", "The time")?.map(|at| at.to_string()).unwrap_or_default();
    let mut pairs = filters.pairs();
    pairs[3].1 = &since;
    let rows = visitor.get(&asked("/activity", &pairs, cursor)).await?;
    let said = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    Ok((rows, format!("/api/v1/activity?{}", words::query(said.chain([("format", "csv")])))))
}

#[derive(Template)]
#[template(path = "activity/chain.html")]
pub(crate) struct ChainPage {
    pub layout: Layout,
    pub verdict: ActivityVerdict,
}

async fn follow_chain(visitor: Visitor) -> Result<Response, Refused> {
    let verdict = visitor.get("/activity/verify").await?;
    Ok(render(&ChainPage { layout: visitor.layout("The chain", Room::Activity).await?, verdict }))
}

/// What it was and what it is, for people who want it exactly.
fn changes(entry: &Activity) -> Vec<(&'static str, String)> {
    let written = |value: &serde_json::Value| serde_json::to_string_pretty(value).unwrap_or_default();
    let both = [("Before", &entry.before), ("After", &entry.after)];
    both.into_iter().filter_map(|(when, value)| Some((when, written(value.as_ref()?)))).collect()
}
