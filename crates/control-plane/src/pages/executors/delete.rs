//! `/executors/{id}/delete`: forgetting an executor.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{Executor, Presence};

use super::{answer, segment};
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;
use crate::right::Right;

#[derive(Template)]
#[template(path = "executors/delete.html")]
pub(crate) struct DeletePage {
    pub layout: Layout,
    pub one: Executor,
    pub refused: Option<String>,
    pub cannot: Option<String>,
    pub reason: String,
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    page(&visitor, &id, None, String::new()).await
}

async fn page(
    visitor: &Visitor,
    id: &str,
    refused: Option<&Refused>,
    reason: String,
) -> Result<Response, Refused> {
    let one: Executor = visitor.get(&format!("/executors/{}", segment(id))).await?;
    let page = DeletePage {
        layout: visitor.layout(format!("Delete {}", one.name), Room::Executors).await?,
        cannot: visitor.cannot(Right::Administer),
        refused: refused.map(Refused::sentence),
        one,
        reason,
    };
    Ok(answer(refused, render(&page)))
}

pub(super) async fn send(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, Refused> {
    let reason = form.owned("reason").unwrap_or_default();
    let query = if reason.is_empty() {
        String::new()
    } else {
        format!("?{}", words::query([("reason", reason.as_str())]))
    };
    let place = format!("/executors/{}{query}", segment(&id));
    match visitor.act(&form, Method::DELETE, &place, &()).await {
        Ok(()) => Ok(to("/executors/")),
        Err(refused) => page(&visitor, &id, Some(&refused), reason).await,
    }
}
