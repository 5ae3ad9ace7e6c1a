//! `/people/`: who is in the account, and as what.

mod add;
mod change;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use novacula_protocol::people::{Page, Role, User};

use super::action::{Action, Look};
use super::layout::{Layout, Room};
use super::refused::{Refused, render};
use super::rules::Turn;
use super::rules::pager::{Pager, asked};
use super::visitor::Visitor;
use super::words::{self, sentence};
use super::{Row, assets};
use crate::people::{Standing, may_make};
use crate::right::Right;

const HERE: &str = "/people/";

pub(crate) fn routes() -> Vec<Row> {
    vec![
        (HERE, get(list)),
        ("/people/new", get(add::ask).post(add::add)),
        ("/people/{id}/change", get(change::ask).post(change::change)),
        ("/people/{id}/password", get(change::ask_password).post(change::password)),
        ("/people/{id}/remove", get(change::ask_remove).post(change::remove)),
    ]
}

#[derive(Template)]
#[template(path = "people/list.html")]
pub(crate) struct PeoplePage {
    pub layout: Layout,
    pub add: Action,
    pub rows: Vec<Listed>,
    pub pager: Pager,
}

/// A user, and what can be done about them.
pub(crate) struct Listed {
    pub user: User,
    pub actions: Vec<Action>,
}

async fn list(visitor: Visitor, Query(Turn { cursor }): Query<Turn>) -> Result<Response, Refused> {
    let page: Page<User> = visitor.get(&asked("/users", &[], cursor.as_deref())).await?;
    let pager = Pager::of(HERE, &[], "cursor", cursor.as_deref(), &page);
    let cannot = visitor.cannot(Right::Administer);
    let add = Action::new("Add somebody", "/people/new", Look::First).unless(cannot.clone());
    let role = visitor.session.role;
    let rows = page.items.into_iter().map(|user| listed(user, role, cannot.as_ref())).collect();
    let layout = visitor.layout("People", Room::People).await?;
    Ok(render(&PeoplePage { layout, add, rows, pager }))
}

pub(crate) fn listed(user: User, by: Role, cannot: Option<&String>) -> Listed {
    let at = |verb: &str| format!("/people/{}/{verb}", user.id);
    let standing = Standing { role: user.role, is_release_manager: user.is_release_manager };
    // What the API would say to it, said before it is asked.
    let not_theirs = may_make(by, Some(standing), None).err().map(|why| sentence(&why.to_string()));
    let actions = [
        Action::new("Change", at("change"), Look::Plain),
        Action::new("One-time password", at("password"), Look::Plain),
        Action::new("Remove", at("remove"), Look::Grave),
    ];
    let actions = actions.map(|action| action.unless(cannot.cloned()).unless(not_theirs.clone()));
    Listed { user, actions: actions.into() }
}

/// A role and what it may do, as a choice.
fn roles() -> impl Iterator<Item = (String, String)> {
    [Role::Viewer, Role::Editor, Role::Admin, Role::Owner].into_iter().map(|role| {
        let may = match role {
            Role::Viewer => "Viewer: looks at everything",
            Role::Editor => "Editor: and requests upgrades, and steers them",
            Role::Admin => "Admin: and decides who may sync, when upgrades may begin, and who else is here",
            Role::Owner => "Owner: and makes owners, release managers and the rule of four eyes",
        };
        (role.to_string(), may.to_owned())
    })
}
