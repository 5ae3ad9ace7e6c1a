//! `/plans/{id}`: one fleet plan: where it stands, every wave, every gate, every executor, and why.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use novacula_protocol::people::{Activity, FleetPlan};

use super::actions::{self, Cannot};
use super::members::{Asked, Members};
use super::picture::{self, Picture, Way};
use super::waves::{self, WaveShown};
use super::{log, said, yaml};
use crate::pages::action::Action;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::{assets, words};

#[derive(Template)]
#[template(path = "plans/show.html")]
pub(crate) struct PlanPage {
    pub layout: Layout,
    pub plan: FleetPlan,
    pub actions: Vec<Action>,
    pub pictures: Vec<Picture>,
    pub waves: Vec<WaveShown>,
    pub members: Members,
    pub log: Vec<Activity>,
    pub document: String,
}

impl PlanPage {
    fn in_no_wave(&self) -> &[String] {
        self.plan.in_no_wave.as_deref().unwrap_or_default()
    }
}

/// In a row where there is room for it, and always one below the other for narrow screens.
pub(crate) fn pictures(plan: &FleetPlan) -> Vec<Picture> {
    let is_short = plan.waves.len() <= picture::MOST_ACROSS;
    let ways = is_short.then_some(Way::Across).into_iter().chain([Way::Down]);
    ways.map(|way| picture::picture(plan, way)).collect()
}

pub(crate) async fn show(
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refused> {
    let id = super::id(&id)?;
    let plan: FleetPlan = visitor.get(&format!("/fleet/plans/{id}")).await?;
    let here = format!("/plans/{id}?{}", asked.query(&asked.cursor));
    let members = Members::of(&visitor, &id, asked).await?;
    let log = log::of(&visitor, &id).await?;
    let cannot = Cannot::of(&visitor);
    let page = PlanPage {
        layout: visitor.layout(format!("Plan {}", plan.name), Room::Plans).await?.following(here),
        actions: actions::of_plan(&plan, &cannot),
        pictures: pictures(&plan),
        waves: waves::shown(&plan, &cannot),
        document: plan.document.as_ref().map(yaml::of).unwrap_or_default(),
        plan,
        members,
        log,
    };
    Ok(render(&page))
}
