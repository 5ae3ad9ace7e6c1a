//! `/`: how it stands, and what needs a person now.

use askama::Template;
use axum::response::Response;
use axum::routing::get;

use super::layout::{Layout, Room};
use super::refused::{Refused, render};
use super::visitor::Visitor;
use super::{Row, assets};

pub(crate) fn routes() -> Vec<Row> {
    vec![("/", get(show))]
}

#[derive(Template)]
#[template(path = "overview.html")]
pub(crate) struct OverviewPage {
    pub layout: Layout,
}

async fn show(visitor: Visitor) -> Result<Response, Refused> {
    let layout = visitor.layout("Overview", Room::Overview).await?.following("/");
    Ok(render(&OverviewPage { layout }))
}
