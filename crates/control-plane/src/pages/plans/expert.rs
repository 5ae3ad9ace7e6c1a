//! `/plans/new/document`: a plan as people write it by hand: pasted, tried, applied.

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use novacula_protocol::people::{FleetPlan, PlanDryRun};
use serde::de::DeserializeOwned;

use super::dry_run::DryRunShown;
use super::wizard::may;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::{assets, words};

#[derive(Template)]
#[template(path = "plans/expert.html")]
pub(crate) struct ExpertPage {
    pub layout: Layout,
    pub document: String,
    pub refused: Option<String>,
    pub dry_run: Option<DryRunShown>,
}

pub(crate) async fn begin(visitor: Visitor) -> Result<Response, Refused> {
    may(&visitor)?;
    with(&visitor, String::new()).await
}

/// The page with a document to begin with.
pub(super) async fn with(visitor: &Visitor, document: String) -> Result<Response, Refused> {
    Ok(render(&page(visitor, document).await?))
}

async fn page(visitor: &Visitor, document: String) -> Result<ExpertPage, Refused> {
    let layout = visitor.layout("New plan from a document", Room::Plans).await?;
    Ok(ExpertPage { layout, document, refused: None, dry_run: None })
}

pub(crate) async fn go_on(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    may(&visitor)?;
    // Browsers end lines with two characters in what they send.
    let document = form.verbatim("document").replace("\r\n", "\n");
    let done = match form.text("go") {
        Some("apply") => {
            let plan = ask::<FleetPlan>(&visitor, &form, "/fleet/plans", &document).await;
            plan.map(|plan| to(&format!("/plans/{}", plan.id)))
        }
        _ => {
            let run = ask::<PlanDryRun>(&visitor, &form, "/fleet/plans/dry-run", &document).await;
            let page = page(&visitor, document.clone()).await?;
            run.map(|run| render(&ExpertPage { dry_run: Some(DryRunShown::of(run, visitor.now)), ..page }))
        }
    };
    match done {
        Ok(response) => Ok(response),
        Err(refused) => {
            let page = ExpertPage { refused: Some(refused.sentence()), ..page(&visitor, document).await? };
            Ok((refused.status, render(&page)).into_response())
        }
    }
}

async fn ask<T: DeserializeOwned>(
    visitor: &Visitor,
    form: &Form,
    path: &str,
    document: &str,
) -> Result<T, Refused> {
    let body = Body::from(document.to_owned());
    let answer = visitor.guest.send(Method::POST, path, form.csrf(), HeaderMap::new(), body).await?;
    visitor.guest.read(answer).await
}
