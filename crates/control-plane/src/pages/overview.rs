//! `/`: how it stands, and what needs a person now.

mod first_run;
mod fleet;
mod needs;
mod plans;

use askama::Template;
use axum::response::Response;
use axum::routing::get;
use jiff::civil::Date;
use novacula_protocol::people::{
    Attention, Executor, FleetCensus, FleetPlan, Page, PlanState, Release, Upgrade, UpgradeCounts,
    UpgradesOnDay, Webhook,
};

use super::layout::{Layout, Room};
use super::picture::{Series, Timeline, Unit};
use super::refused::{Refused, render};
use super::visitor::Visitor;
use super::{Row, assets, words};
use crate::right::Right;
use first_run::FirstRun;
use fleet::Versions;
use needs::Needs;
use plans::PlanInBrief;

pub(crate) fn routes() -> Vec<Row> {
    vec![("/", get(show))]
}

#[derive(Template)]
#[template(path = "overview/overview.html")]
pub(crate) struct OverviewPage {
    pub layout: Layout,
    pub first_run: Option<FirstRun>,
    pub figures: Vec<Figure>,
    pub needs: Vec<Needs>,
    pub versions: Vec<Versions>,
    pub over_time: Timeline,
    pub plans: Vec<PlanInBrief>,
}

/// A number that leads to what it counts.
pub(crate) struct Figure {
    pub value: u64,
    pub label: &'static str,
    pub href: &'static str,
}

/// All that the API says and the page shows.
struct Gathered {
    census: FleetCensus,
    counts: UpgradeCounts,
    attention: Vec<Attention>,
    days: Vec<UpgradesOnDay>,
    /// The newest.
    releases: Vec<Release>,
    /// Those that have not ended.
    plans: Vec<FleetPlan>,
    /// None for who may not see them.
    webhooks: Vec<Webhook>,
}

async fn show(visitor: Visitor) -> Result<Response, Refused> {
    let layout = visitor.layout("Overview", Room::Overview).await?.following("/");
    let gathered = Gathered::of(&visitor).await?;
    let first_run = first_run_of(&visitor, &gathered).await?;
    Ok(render(&OverviewPage {
        figures: figures(&gathered.census, &gathered.counts),
        needs: needs::all(&gathered),
        versions: fleet::versions(&gathered.census, &gathered.releases),
        over_time: over_time(&gathered.days),
        plans: gathered.plans.iter().map(plans::in_brief).collect(),
        first_run,
        layout,
    }))
}

impl Gathered {
    async fn of(visitor: &Visitor) -> Result<Self, Refused> {
        let (census, counts, attention, days, releases) = tokio::try_join!(
            visitor.get("/fleet/census"),
            visitor.get("/upgrades/counts"),
            visitor.get("/upgrades/attention"),
            visitor.get("/upgrades/over-time"),
            visitor.get::<Page<Release>>("/releases?limit=100"),
        )?;
        // Each state by itself: however many plans came after it, one that has not ended is shown.
        let (wanted, halted, paused, going_back, running) = tokio::try_join!(
            plans_that_are(visitor, PlanState::ApprovalWanted),
            plans_that_are(visitor, PlanState::Halted),
            plans_that_are(visitor, PlanState::Paused),
            plans_that_are(visitor, PlanState::RollingBack),
            plans_that_are(visitor, PlanState::Running),
        )?;
        let webhooks = match visitor.cannot(Right::Administer) {
            None => visitor.get::<Page<Webhook>>("/webhooks?limit=100").await?.items,
            Some(_) => Vec::new(),
        };
        let plans = [wanted, halted, paused, going_back, running].concat();
        Ok(Self { census, counts, attention, days, releases: releases.items, plans, webhooks })
    }
}

async fn plans_that_are(visitor: &Visitor, state: PlanState) -> Result<Vec<FleetPlan>, Refused> {
    let state = plans::wire(state);
    Ok(visitor.get::<Page<FleetPlan>>(&format!("/fleet/plans?state={state}&limit=20")).await?.items)
}

/// The way to the first upgrade, until one has completed.
async fn first_run_of(visitor: &Visitor, gathered: &Gathered) -> Result<Option<FirstRun>, Refused> {
    // What is in the last weeks is known already.
    if gathered.days.iter().any(|day| day.completed > 0) {
        return Ok(None);
    }
    let (completed, executors, any) = tokio::try_join!(
        visitor.get::<Page<Upgrade>>("/upgrades?state=completed&limit=1"),
        visitor.get::<Page<Executor>>("/executors?limit=1"),
        visitor.get::<Page<Upgrade>>("/upgrades?limit=1"),
    )?;
    if !completed.items.is_empty() {
        return Ok(None);
    }
    let about = visitor.get("/about").await?;
    let (executor, upgrade) = (executors.items.into_iter().next(), any.items.into_iter().next());
    Ok(Some(FirstRun::of(visitor, &about, &gathered.releases, executor, upgrade)))
}

fn figures(census: &FleetCensus, counts: &UpgradeCounts) -> Vec<Figure> {
    let figure = |value, label, href| Figure { value, label, href };
    vec![
        figure(census.online, "executors online", "/executors/?status=online"),
        figure(census.offline, "executors offline", "/executors/?status=offline"),
        figure(census.held, "held by a sysadmin", "/executors/?held=true"),
        figure(counts.running, "upgrades in progress", "/upgrades/?state=running"),
        figure(counts.pending, "upgrades pending", "/upgrades/?state=pending"),
    ]
}

fn over_time(days: &[UpgradesOnDay]) -> Timeline {
    let dates: Vec<Date> = days.iter().map(|on| on.day).collect();
    let series = |name, class, of: fn(&UpgradesOnDay) -> u64| Series {
        name,
        class,
        values: days.iter().map(of).collect(),
    };
    let title = format!("Upgrades that ended, in the last {} days", days.len());
    Timeline::new("ended-over-time", title, Unit("upgrade", "upgrades"), dates)
        .stacked(series("completed", "fill-good", |on| on.completed))
        .stacked(series("rolled back", "fill-warn", |on| on.rolled_back))
        .stacked(series("failed", "fill-bad", |on| on.failed))
        .stacked(series("abandoned", "c7", |on| on.abandoned))
        .beside(series("requested", "fill-none", |on| on.requested))
}

#[cfg(test)]
mod tests;
