//! `/upgrades/`: all of them, newest first, as many as fit on a page.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use novacula_protocol::people::{Page, Upgrade, UpgradeCounts};
use serde::Deserialize;

use super::standing::{Standing, standing, useful};
use super::verb_words::button;
use crate::pages::action::Action;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::{assets, words};
use crate::right::Right;

const LIMIT: &str = "50";

#[derive(Template)]
#[template(path = "upgrades/list.html")]
pub(crate) struct ListPage {
    pub layout: Layout,
    pub account: String,
    pub counts: UpgradeCounts,
    pub asked: Asked,
    pub rows: Vec<Row>,
    /// Where the older ones are.
    pub next: Option<String>,
    /// The way to ask for one, or why not.
    pub request: Action,
}

/// What the list is narrowed to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub executor_id: String,
    #[serde(default)]
    pub cursor: String,
}

pub(crate) struct Row {
    pub upgrade: Upgrade,
    pub standing: Standing,
    pub actions: Vec<Action>,
}

/// A filter of the list.
pub(crate) struct Tab {
    pub label: &'static str,
    pub href: String,
    pub is_here: bool,
    pub count: Option<u64>,
}

impl Asked {
    fn query(&self) -> String {
        let all = [("state", &self.state), ("executorId", &self.executor_id), ("cursor", &self.cursor)];
        let said = all.into_iter().filter(|(_, value)| !value.is_empty());
        words::query(said.map(|(name, value)| (name, value.as_str())))
    }

    fn href(&self) -> String {
        let query = self.query();
        if query.is_empty() { "/upgrades/".to_owned() } else { format!("/upgrades/?{query}") }
    }
}

impl ListPage {
    /// The filters; what ended is counted for a week.
    fn tabs(&self) -> [Tab; 5] {
        let counts = &self.counts;
        let tab = |label, state: &str, count| Tab {
            label,
            href: Asked { state: state.to_owned(), cursor: String::new(), ..self.asked.clone() }.href(),
            is_here: self.asked.state == state,
            count,
        };
        [
            tab("All", "", None),
            tab("Pending", "pending", Some(counts.pending)),
            tab("In progress", "running", Some(counts.running)),
            tab("Completed", "completed", None),
            tab("Failed, rolled back or abandoned", "error", None),
        ]
    }

    fn everybody(&self) -> String {
        Asked { executor_id: String::new(), cursor: String::new(), ..self.asked.clone() }.href()
    }

    fn newest(&self) -> String {
        Asked { cursor: String::new(), ..self.asked.clone() }.href()
    }
}

pub(super) async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Result<Response, Refused> {
    let query = asked.query();
    let page: Page<Upgrade> = visitor.get(&format!("/upgrades?limit={LIMIT}&{query}")).await?;
    let counts = visitor.get("/upgrades/counts").await?;
    let cannot = visitor.cannot(Right::Steer);
    let row = |upgrade: Upgrade| Row {
        standing: standing(&upgrade),
        actions: useful(&upgrade)
            .iter()
            .map(|verb| button(*verb, &upgrade.id, true).unless(cannot.clone()))
            .collect(),
        upgrade,
    };
    let next = page.next_cursor.map(|cursor| Asked { cursor, ..asked.clone() }.href());
    let rows = page.items.into_iter().map(row).collect();
    let account = visitor.account().map(|account| account.name.clone()).unwrap_or_default();
    let layout = visitor.layout("Upgrades", Room::Upgrades).await?.following(asked.href());
    let request = Action::new("Choose an executor", "/executors/", crate::pages::action::Look::First);
    Ok(render(&ListPage { layout, account, counts, asked, rows, next, request: request.unless(cannot) }))
}
