//! `/upgrades/{id}/reschedule`: another time.

use askama::Template;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::{self, Upgrade, UpgradeVerb};
use uuid::Uuid;

use super::id_of;
use super::verb_words::state_forbids;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::{assets, words};
use crate::right::Right;

/// The form of another time, on its own page and among the details.
pub(crate) struct Schedule {
    /// What stands in the field.
    pub at: String,
    pub earliest: String,
    pub deadline: Option<Timestamp>,
    pub reason: String,
    pub cannot: Option<String>,
}

/// An hour from now, and a minute for whoever types; the field has no seconds.
const SOONEST: SignedDuration = SignedDuration::from_mins(62);

impl Schedule {
    pub(super) fn of(visitor: &Visitor, upgrade: &Upgrade) -> Self {
        let forbidden = || state_forbids(upgrade, UpgradeVerb::Reschedule);
        let soonest = visitor.now + SOONEST;
        Self {
            at: words::as_field(&upgrade.scheduled_at.max(soonest)),
            earliest: words::as_field(&soonest),
            deadline: upgrade.deadline,
            reason: String::new(),
            cannot: visitor.cannot(Right::Steer).or_else(forbidden),
        }
    }

    pub(super) fn latest(&self) -> Option<String> {
        self.deadline.as_ref().map(words::as_field)
    }
}

#[derive(Template)]
#[template(path = "upgrades/reschedule.html")]
pub(crate) struct ReschedulePage {
    pub layout: Layout,
    pub upgrade: Upgrade,
    pub schedule: Schedule,
    pub refused: Option<String>,
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    Ok(render(&page(&visitor, id_of(&id)?).await?))
}

async fn page(visitor: &Visitor, id: Uuid) -> Result<ReschedulePage, Refused> {
    let upgrade: Upgrade = visitor.get(&format!("/upgrades/{id}")).await?;
    let schedule = Schedule::of(visitor, &upgrade);
    let layout = visitor.layout(format!("Reschedule {}", upgrade.executor_name), Room::Upgrades).await?;
    Ok(ReschedulePage { layout, upgrade, schedule, refused: None })
}

pub(super) async fn put(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, Refused> {
    let id = id_of(&id)?;
    match say(&visitor, id, &form).await {
        Ok(()) => Ok(to(&format!("/upgrades/{id}"))),
        Err(refused) if refused.status == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => {
            let mut page = page(&visitor, id).await?;
            page.refused = Some(refused.sentence());
            page.schedule.reason = form.owned("reason").unwrap_or_default();
            page.schedule.at = form.owned("at").unwrap_or_default();
            Ok((refused.status, render(&page)).into_response())
        }
    }
}

async fn say(visitor: &Visitor, id: Uuid, form: &Form) -> Result<(), Refused> {
    let missing = || Refused::invalid("The new time must be filled in");
    let scheduled_at = form.time("at", "The new time")?.ok_or_else(missing)?;
    let asked = people::Reschedule { scheduled_at, reason: form.owned("reason") };
    visitor.act(form, Method::PATCH, &format!("/upgrades/{id}"), &asked).await
}
