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
    /// Plans that have not ended and are not shown.
    pub more_plans: u64,
}

/// More are found behind a link.
const PLANS: usize = 10;

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
        plans: gathered.plans.iter().take(PLANS).map(plans::in_brief).collect(),
        more_plans: gathered.plans.len().saturating_sub(PLANS) as u64,
        first_run,
        layout,
    }))
}

impl Gathered {
    async fn of(visitor: &Visitor) -> Result<Self, Refused> {
        let (census, counts, attention, days, releases, plans) = tokio::try_join!(
            visitor.get("/fleet/census"),
            visitor.get("/upgrades/counts"),
            visitor.get("/upgrades/attention"),
            visitor.get("/upgrades/over-time"),
            visitor.get::<Page<Release>>("/releases?limit=100"),
            living_plans(visitor),
        )?;
        let webhooks = match visitor.cannot(Right::Administer) {
            None => visitor.get::<Page<Webhook>>("/webhooks?limit=100").await?.items,
            Some(_) => Vec::new(),
        };
        Ok(Self { census, counts, attention, days, releases: releases.items, plans, webhooks })
    }
}

/// Those that have not ended, what needs a person first.
async fn living_plans(visitor: &Visitor) -> Result<Vec<FleetPlan>, Refused> {
    const LIVING: [PlanState; 5] = [
        PlanState::ApprovalWanted,
        PlanState::Halted,
        PlanState::Paused,
        PlanState::RollingBack,
        PlanState::Running,
    ];
    let all: Page<FleetPlan> = visitor.get("/fleet/plans?limit=20").await?;
    let mut plans = all.items;
    if all.next_cursor.is_some() {
        // However many plans came after it, one that has not ended is shown.
        plans = Vec::new();
        for state in LIVING {
            let path = format!("/fleet/plans?state={}&limit=500", plans::wire(state));
            plans.extend(visitor.get::<Page<FleetPlan>>(&path).await?.items);
        }
    }
    plans.retain(|plan| !plan.state.is_end());
    plans.sort_by_key(|plan| LIVING.iter().position(|state| *state == plan.state));
    Ok(plans)
}

/// The way to the first upgrade, until one has completed.
async fn first_run_of(visitor: &Visitor, gathered: &Gathered) -> Result<Option<FirstRun>, Refused> {
    // What is in the last weeks is known already.
    if gathered.days.iter().any(|day| day.completed > 0) {
        return Ok(None);
    }
    let (completed, online, all, any) = tokio::try_join!(
        visitor.get::<Page<Upgrade>>("/upgrades?state=completed&limit=1"),
        visitor.get::<Page<Executor>>("/executors?status=online&limit=1"),
        visitor.get::<Page<Executor>>("/executors?limit=1"),
        visitor.get::<Page<Upgrade>>("/upgrades?limit=1"),
    )?;
    if !completed.items.is_empty() {
        return Ok(None);
    }
    // Only one that syncs can be asked; and only the executor by itself says where it could go.
    let executor = match online.items.iter().chain(&all.items).next() {
        Some(one) => Some(visitor.get(&format!("/executors/{}", one.id)).await?),
        None => None,
    };
    let about = visitor.get("/about").await?;
    let upgrade = any.items.into_iter().next();
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
