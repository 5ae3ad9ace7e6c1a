//! `/groups/`: executors that plans call by one name.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use novacula_protocol::people::{ExecutorGroup, ExecutorGroupPatch, ExecutorGroupRequest, Page, Selector};
use serde::Deserialize;

use crate::pages::action::{Action, Look};
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::{assets, words};
use crate::right::Right;

#[derive(Template)]
#[template(path = "plans/groups.html")]
pub(crate) struct GroupsPage {
    pub layout: Layout,
    pub groups: Vec<GroupShown>,
    pub next: Option<String>,
    pub begin: Action,
}

/// A row of the list.
pub(crate) struct GroupShown {
    pub group: ExecutorGroup,
    pub change: Action,
    pub delete: Action,
}

impl GroupShown {
    /// Where those that it takes are listed.
    fn executors(&self) -> String {
        format!("/executors/?{}", words::query([("group", self.group.name.as_str())]))
    }
}

fn executors(count: &u32) -> String {
    words::counted(&u64::from(*count), "executor", "executors")
}

/// Makes a group, or changes one.
#[derive(Template)]
#[template(path = "plans/group.html")]
pub(crate) struct GroupPage {
    pub layout: Layout,
    pub heading: String,
    pub action: String,
    pub button: &'static str,
    pub name: String,
    pub selector: String,
    /// A selector that does not fit on a line is not changed here.
    pub is_too_rich: bool,
    pub refused: Option<String>,
    pub cannot: Option<String>,
}

#[derive(Template)]
#[template(path = "plans/group_delete.html")]
pub(crate) struct DeletePage {
    pub layout: Layout,
    pub group: ExecutorGroup,
    pub refused: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    cursor: String,
}

pub(crate) async fn list(
    visitor: Visitor,
    Query(Asked { cursor }): Query<Asked>,
) -> Result<Response, Refused> {
    let query = if cursor.is_empty() { String::new() } else { words::query([("cursor", cursor.as_str())]) };
    let page: Page<ExecutorGroup> = visitor.get(&format!("/fleet/groups?limit=50&{query}")).await?;
    let cannot = visitor.cannot(Right::Administer);
    let groups = page.items.into_iter().map(|group| {
        let href = format!("/groups/{}", group.id);
        GroupShown {
            change: Action::new("Change", &href, Look::Plain).unless(cannot.clone()),
            delete: Action::new("Delete", format!("{href}/delete"), Look::Grave).unless(cannot.clone()),
            group,
        }
    });
    let page = GroupsPage {
        layout: visitor.layout("Groups", Room::Plans).await?.following(format!("/groups/?{query}")),
        groups: groups.collect(),
        next: page.next_cursor.map(|next| format!("/groups/?{}", words::query([("cursor", next.as_str())]))),
        begin: Action::new("New group", "/groups/new", Look::First).unless(cannot),
    };
    Ok(render(&page))
}

pub(crate) async fn new(visitor: Visitor) -> Result<Response, Refused> {
    Ok(render(&to_create(&visitor).await?))
}

async fn to_create(visitor: &Visitor) -> Result<GroupPage, Refused> {
    Ok(GroupPage {
        layout: visitor.layout("New group", Room::Plans).await?,
        heading: "New group".to_owned(),
        action: "/groups/new".to_owned(),
        button: "Make the group",
        name: String::new(),
        selector: String::new(),
        is_too_rich: false,
        refused: None,
        cannot: visitor.cannot(Right::Administer),
    })
}

pub(crate) async fn create(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let created = match asked(&form) {
        Ok(group) => visitor.act(&form, Method::POST, "/fleet/groups", &group).await,
        Err(refused) => Err(refused),
    };
    match created {
        Ok(()) => Ok(to("/groups/")),
        Err(refused) => Ok(again(to_create(&visitor).await?, &form, &refused)),
    }
}

pub(crate) async fn edit(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    Ok(render(&to_change(&visitor, &super::id(&id)?).await?))
}

async fn to_change(visitor: &Visitor, id: &str) -> Result<GroupPage, Refused> {
    let group: ExecutorGroup = visitor.get(&format!("/fleet/groups/{id}")).await?;
    let selector = group.selector.to_string();
    Ok(GroupPage {
        layout: visitor.layout(format!("Group {}", group.name), Room::Plans).await?,
        heading: format!("Group {}", group.name),
        action: format!("/groups/{id}"),
        button: "Keep the changes",
        is_too_rich: selector.parse() != Ok(group.selector),
        name: group.name,
        selector,
        refused: None,
        cannot: visitor.cannot(Right::Administer),
    })
}

pub(crate) async fn change(
    visitor: Visitor,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Refused> {
    let id = super::id(&id)?;
    let page = to_change(&visitor, &id).await?;
    let patch = match asked(&form) {
        Ok(group) if page.is_too_rich => Ok(ExecutorGroupPatch { name: Some(group.name), selector: None }),
        Ok(group) => Ok(ExecutorGroupPatch { name: Some(group.name), selector: Some(group.selector) }),
        Err(refused) => Err(refused),
    };
    let changed = match patch {
        Ok(patch) => visitor.act(&form, Method::PATCH, &format!("/fleet/groups/{id}"), &patch).await,
        Err(refused) => Err(refused),
    };
    match changed {
        Ok(()) => Ok(to("/groups/")),
        Err(refused) => Ok(again(page, &form, &refused)),
    }
}

pub(crate) async fn ask_to_delete(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    Ok(render(&to_delete(&visitor, &super::id(&id)?).await?))
}

async fn to_delete(visitor: &Visitor, id: &str) -> Result<DeletePage, Refused> {
    let group: ExecutorGroup = visitor.get(&format!("/fleet/groups/{id}")).await?;
    let layout = visitor.layout(format!("Delete {}", group.name), Room::Plans).await?;
    Ok(DeletePage { layout, group, refused: None })
}

pub(crate) async fn delete(
    visitor: Visitor,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Refused> {
    let id = super::id(&id)?;
    let nothing = serde_json::Value::Null;
    match visitor.act(&form, Method::DELETE, &format!("/fleet/groups/{id}"), &nothing).await {
        Ok(()) => Ok(to("/groups/")),
        Err(refused) => {
            let page = DeletePage { refused: Some(refused.sentence()), ..to_delete(&visitor, &id).await? };
            Ok((refused.status, render(&page)).into_response())
        }
    }
}

/// What was typed, as the API wants it.
fn asked(form: &Form) -> Result<ExecutorGroupRequest, Refused> {
    let name = form.needed("name", "The name")?;
    let selector: Selector = form.text("selector").unwrap_or_default().parse().map_err(Refused::invalid)?;
    Ok(ExecutorGroupRequest { name, selector })
}

/// The form once more, with what was typed and why that cannot be.
fn again(page: GroupPage, form: &Form, refused: &Refused) -> Response {
    let typed = |name: &str| form.owned(name).unwrap_or_default();
    let selector = if page.is_too_rich { page.selector } else { typed("selector") };
    let page = GroupPage { name: typed("name"), selector, refused: Some(refused.sentence()), ..page };
    (refused.status, render(&page)).into_response()
}
