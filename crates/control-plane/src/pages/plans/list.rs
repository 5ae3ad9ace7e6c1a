//! `/plans/`: every fleet plan, where it stands and why.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use novacula_protocol::people::{FleetPlan, Page, PlanState};
use serde::Deserialize;

use super::picture::{self, Bar};
use super::said;
use crate::pages::action::{Action, Look};
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::{assets, words};
use crate::right::Right;

/// The width of a bar in a row.
const BAR: u32 = 160;

#[derive(Template)]
#[template(path = "plans/list.html")]
pub(crate) struct ListPage {
    pub layout: Layout,
    pub plans: Vec<FleetPlan>,
    pub asked: Asked,
    pub next: Option<String>,
    pub begin: Action,
}

/// What is asked of the list.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub cursor: String,
}

impl Asked {
    /// Without what was left empty.
    fn query(&self, cursor: &str) -> String {
        let pairs = [("state", self.state.as_str()), ("name", self.name.as_str()), ("cursor", cursor)];
        words::query(pairs.into_iter().filter(|(_, value)| !value.is_empty()))
    }
}

impl ListPage {
    fn states(&self) -> [(String, &'static str, bool); 7] {
        said::PLAN_STATES.map(|state| {
            let word = said::word(&state);
            let is_chosen = word == self.asked.state;
            (word, said::plan(&state).word, is_chosen)
        })
    }

    fn is_filtered(&self) -> bool {
        !self.asked.state.is_empty() || !self.asked.name.is_empty() || !self.asked.cursor.is_empty()
    }

    fn bar(plan: &FleetPlan) -> Bar {
        picture::bar(&picture::whole(plan), BAR)
    }

    /// The wave in hand, or how it ended.
    fn in_hand(plan: &FleetPlan) -> String {
        let count = plan.waves.len();
        match said::current(plan) {
            Some((index, wave)) => format!("{} of {count}: {}", index + 1, wave.name),
            None if plan.state == PlanState::Completed => format!("all {count} passed"),
            None => "none".to_owned(),
        }
    }
}

pub(crate) async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Result<Response, Refused> {
    let page: Page<FleetPlan> =
        visitor.get(&format!("/fleet/plans?limit=50&{}", asked.query(&asked.cursor))).await?;
    let next = page.next_cursor.map(|cursor| format!("/plans/?{}", asked.query(&cursor)));
    let here = format!("/plans/?{}", asked.query(&asked.cursor));
    let layout = visitor.layout("Fleet plans", Room::Plans).await?.following(here);
    let begin = Action::new("New plan", "/plans/new", Look::First).unless(visitor.cannot(Right::Steer));
    Ok(render(&ListPage { layout, plans: page.items, asked, next, begin }))
}
