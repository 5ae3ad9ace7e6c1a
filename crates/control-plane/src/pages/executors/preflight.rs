//! `/executors/{id}/preflight`: asking a host whether an upgrade could begin there.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{Executor, Preflight, PreflightRequest, Presence};

use super::{answer, segment};
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;
use crate::right::Right;

#[derive(Template)]
#[template(path = "executors/preflight.html")]
pub(crate) struct PreflightPage {
    pub layout: Layout,
    pub one: Executor,
    pub refused: Option<String>,
    pub cannot: Option<String>,
    pub checks: String,
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    page(&visitor, &id, None, String::new()).await
}

async fn page(
    visitor: &Visitor,
    id: &str,
    refused: Option<&Refused>,
    checks: String,
) -> Result<Response, Refused> {
    let one: Executor = visitor.get(&format!("/executors/{}", segment(id))).await?;
    let page = PreflightPage {
        layout: visitor.layout(format!("Check the host of {}", one.name), Room::Executors).await?,
        cannot: visitor.cannot(Right::Steer),
        refused: refused.map(Refused::sentence),
        one,
        checks,
    };
    Ok(answer(refused, render(&page)))
}

pub(super) async fn send(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, Refused> {
    let typed = form.owned("checks");
    let names = |text: &String| text.split_whitespace().map(str::to_owned).collect();
    let asked = PreflightRequest { checks: typed.as_ref().map(names) };
    let place = format!("/executors/{}", segment(&id));
    match visitor.change::<Preflight>(&form, Method::POST, &format!("{place}/preflight"), &asked).await {
        Ok(_) => Ok(to(&format!("{place}#executor-checks"))),
        Err(refused) => page(&visitor, &id, Some(&refused), typed.unwrap_or_default()).await,
    }
}
