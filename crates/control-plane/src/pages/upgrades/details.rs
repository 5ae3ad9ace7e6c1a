//! `/upgrades/{id}`: one upgrade as it stands, as a page or in the drawer.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use novacula_protocol::people::{
    Activity, Diff, Page, StageEvents, Upgrade, UpgradeProgress, UpgradeSteps, UpgradeVerb, ValidationState,
};
use novacula_protocol::spec::Direction;

use super::bar::{Download, Mark, bar, download, what_went_wrong};
use super::id_of;
use super::instructions::is_unread;
use super::reschedule::Schedule;
use super::standing::{self, Standing, standing, trouble};
use super::verb_words::{button, state_forbids};
use crate::pages::action::{Action, Look};
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::{assets, words};
use crate::right::Right;

/// What people look for is among the newest.
const ACTIVITY: u32 = 20;
/// Of the log of one stage; the rest is in the API.
const LINES: usize = 200;

#[derive(Template)]
#[template(path = "upgrades/details.html")]
pub(crate) struct DetailsPage {
    pub layout: Layout,
    pub upgrade: Upgrade,
    pub standing: Standing,
    pub went_wrong: Option<(&'static str, String)>,
    pub bar: Vec<Mark>,
    pub download: Option<Download>,
    pub progress: UpgradeProgress,
    pub actions: Vec<Action>,
    pub schedule: Schedule,
    pub diff: Result<Diff, String>,
    pub activity: Vec<Activity>,
    pub stages: Vec<StageEvents>,
    pub is_unread: bool,
}

impl DetailsPage {
    fn is_downgrade(&self) -> bool {
        self.upgrade.direction == Direction::Downgrade
    }

    /// `1.2 kB larger`
    fn growth(&self, growth: &i64) -> String {
        let size = words::bytes(&growth.unsigned_abs());
        match growth {
            0 => "as large as the one that runs".to_owned(),
            1.. => format!("{size} larger than the one that runs"),
            _ => format!("{size} smaller than the one that runs"),
        }
    }

    fn validated(&self) -> Option<String> {
        let validation = self.upgrade.validation.as_ref()?;
        let by = &validation.asked_by;
        Some(match (&validation.error, validation.state) {
            (_, ValidationState::Running) => format!("A dry run is on its way, asked for by {by}."),
            (_, ValidationState::Passed) => {
                format!("A dry run passed, asked for by {by}: nothing was swapped.")
            }
            (Some(error), ValidationState::Failed) => format!("A dry run failed. {}", trouble(error)),
            (None, ValidationState::Failed) => "A dry run failed.".to_owned(),
        })
    }

    /// The lines of a stage, as many as fit.
    fn lines<'a>(&self, events: &'a StageEvents) -> &'a [novacula_protocol::people::UpgradeEvent] {
        &events.events[events.events.len().saturating_sub(LINES)..]
    }

    fn left_out(&self, events: &StageEvents) -> usize {
        events.events.len().saturating_sub(LINES)
    }
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    let path = format!("/upgrades/{}", id_of(&id)?);
    let upgrade: Upgrade = visitor.get(&path).await?;
    let progress = visitor.get(&format!("{path}/progress")).await?;
    let steps: UpgradeSteps = visitor.get(&format!("{path}/steps")).await?;
    let stages: Vec<StageEvents> = visitor.get(&format!("{path}/events/stages")).await?;
    let diff = visitor.get::<Diff>(&format!("{path}/diff")).await.map_err(|refused| refused.sentence());
    let query = words::query([("target", upgrade.id.as_str()), ("limit", &ACTIVITY.to_string())]);
    let activity: Page<Activity> = visitor.get(&format!("/activity?{query}")).await?;
    let cannot = visitor.cannot(Right::Steer);
    let mut actions: Vec<_> = UpgradeVerb::ALL
        .into_iter()
        .filter(|verb| matters(&upgrade, *verb))
        .map(|verb| {
            let reason = cannot.clone().or_else(|| state_forbids(&upgrade, verb));
            button(verb, &upgrade.id, false).unless(reason)
        })
        .collect();
    // What can be done stands first; what cannot says why behind it. One stands out: a retry goes through what a person
    // may continue past.
    actions.sort_by_key(|action| action.cannot.is_some());
    let mut has_first = false;
    for action in actions.iter_mut().rev().filter(|action| action.look == Look::First) {
        let stands_out = !has_first && action.cannot.is_none();
        has_first |= stands_out;
        action.look = if stands_out { Look::First } else { Look::Plain };
    }
    let title = format!("{}: {} → {}", upgrade.executor_name, upgrade.from_version, upgrade.target_version);
    let layout = visitor.layout(title, Room::Upgrades).await?.following(path);
    let page = DetailsPage {
        standing: standing(&upgrade),
        went_wrong: what_went_wrong(&upgrade),
        bar: bar(&upgrade, &stages),
        download: download(&upgrade, &stages, visitor.now),
        schedule: Schedule::of(&visitor, &upgrade),
        is_unread: is_unread(&steps),
        activity: activity.items,
        layout,
        upgrade,
        progress,
        actions,
        diff,
        stages,
    };
    Ok(render(&page))
}

/// Every word stands there, locked with its reason where it is not the time; but an approval only where one is wanted
/// or was given, and another time has its own form.
fn matters(upgrade: &Upgrade, verb: UpgradeVerb) -> bool {
    match verb {
        UpgradeVerb::Approve => upgrade.approval.is_some(),
        UpgradeVerb::Reschedule => false,
        _ => true,
    }
}
