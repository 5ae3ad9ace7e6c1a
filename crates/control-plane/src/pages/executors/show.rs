//! `GET /executors/{id}`: one executor, and why it does or does not move.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use novacula_protocol::people::{
    Executor, ExecutorWindows, Explanation, Page, Preflight, Presence, Revision, Upgrade,
};

use super::target::{Direction, directions};
use super::{revisions, said, segment};
use crate::pages::action::{Action, Look};
use crate::pages::assets;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::words;
use crate::right::Right;

/// Of the history; the rest is on a page of its own.
const LATEST: usize = 8;

#[derive(Template)]
#[template(path = "executors/show.html")]
pub(crate) struct ShowPage {
    pub layout: Layout,
    pub one: Executor,
    pub why: Explanation,
    pub upgrade: Option<Upgrade>,
    pub windows: ExecutorWindows,
    pub checks: Preflight,
    pub history: Vec<revisions::Row>,
    pub has_more_history: bool,
    pub previous: String,
    pub labels: Vec<said::Label>,
    pub directions: [Direction; 2],
    pub actions: Vec<Action>,
    pub ask_for_checks: Action,
    pub change_labels: Action,
}

impl ShowPage {
    fn goes_nowhere(&self) -> bool {
        self.directions.iter().all(|way| way.targets.is_empty())
    }
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    let place = format!("/executors/{}", segment(&id));
    let one: Executor = visitor.get(&place).await?;
    let history: Page<Revision> = visitor.get(&format!("{place}/revisions?limit=50")).await?;
    let upgrade = match &one.pending_upgrade_id {
        Some(upgrade) => Some(visitor.get(&format!("/upgrades/{upgrade}")).await?),
        None => None,
    };
    let cannot = visitor.cannot(Right::Steer);
    let in_the_way = said::in_the_way(&one);
    let last = Action::new("Roll back", format!("{place}/rollback"), Look::Plain);
    let delete = Action::new("Delete…", format!("{place}/delete"), Look::Grave);
    let open = one.pending_upgrade.as_ref();
    let page =
        ShowPage {
            layout: visitor.layout(one.name.clone(), Room::Executors).await?.following(place.clone()),
            why: visitor.get(&format!("{place}/explain")).await?,
            windows: visitor.get(&format!("{place}/windows")).await?,
            checks: visitor.get(&format!("{place}/preflight")).await?,
            previous: said::previous(&one, &history.items),
            labels: said::labels(&one),
            directions: directions(&one, cannot.as_ref()),
            actions: vec![
                last.unless(cannot.clone()).unless(in_the_way),
                delete.unless(visitor.cannot(Right::Administer)).unless(open.map(|_| {
                    "It has an upgrade that has not ended; wait for its end, then delete.".to_owned()
                })),
            ],
            ask_for_checks: Action::new("Ask for the checks…", format!("{place}/preflight"), Look::Plain)
                .unless(cannot.clone()),
            change_labels: Action::new("Change the labels…", format!("{place}/labels"), Look::Plain)
                .unless(cannot.clone()),
            has_more_history: history.items.len() > LATEST,
            history: revisions::rows(&one, history.items.into_iter().take(LATEST), cannot.as_ref()),
            upgrade,
            one,
        };
    Ok(render(&page))
}
