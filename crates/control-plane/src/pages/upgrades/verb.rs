//! `/upgrades/{id}/{verb}`: asks back before something is done, and does it.

use askama::Template;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use novacula_protocol::people::{
    AbandonRequest, Acknowledge, MayHaveReason, StartRequest, Upgrade, UpgradeStep, UpgradeSteps,
    UpgradeVerb, WithReason,
};
use uuid::Uuid;

use super::id_of;
use super::verb_words::{Words, can_be_forced, place, state_forbids, words_of};
use crate::pages::action::Look;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::{assets, words};
use crate::right::Right;

#[derive(Template)]
#[template(path = "upgrades/verb.html")]
pub(crate) struct VerbPage {
    pub layout: Layout,
    pub upgrade: Upgrade,
    pub verb: UpgradeVerb,
    pub words: Words,
    /// Why this visitor cannot do it, or nobody can now.
    pub cannot: Option<String>,
    /// What the API said to the last try.
    pub refused: Option<String>,
    /// What a start with force would go past.
    pub in_the_way: Option<String>,
    pub open_steps: Vec<UpgradeStep>,
    /// What was typed.
    pub reason: String,
    pub ticked: Vec<u32>,
}

impl VerbPage {
    fn place(&self) -> String {
        place(&self.upgrade.id, self.verb)
    }

    /// Only a start can go past something.
    fn is_start(&self) -> bool {
        self.verb == UpgradeVerb::Start
    }

    fn is_ticked(&self, number: &u32) -> bool {
        self.ticked.contains(number)
    }
}

/// What is asked for is none of ours: as any other path.
fn known(verb: &str) -> Result<UpgradeVerb, Refused> {
    let found = UpgradeVerb::ALL.into_iter().find(|known| known.as_str() == verb);
    found.filter(|verb| *verb != UpgradeVerb::Reschedule).ok_or_else(Refused::no_such_page)
}

pub(super) async fn show(
    visitor: Visitor,
    Path((id, verb)): Path<(String, String)>,
) -> Result<Response, Refused> {
    Ok(render(&page(&visitor, id_of(&id)?, known(&verb)?).await?))
}

async fn page(visitor: &Visitor, id: Uuid, verb: UpgradeVerb) -> Result<VerbPage, Refused> {
    let upgrade: Upgrade = visitor.get(&format!("/upgrades/{id}")).await?;
    let open_steps = match verb {
        UpgradeVerb::Start => {
            let steps: UpgradeSteps = visitor.get(&format!("/upgrades/{id}/steps")).await?;
            steps.prerequisites.into_iter().filter(|step| step.acknowledged_by.is_none()).collect()
        }
        _ => Vec::new(),
    };
    let start = upgrade.actions.iter().find(|action| action.action == verb);
    let in_the_way = start
        .filter(|start| start.code.as_deref().is_some_and(can_be_forced) && verb == UpgradeVerb::Start)
        .and_then(|start| start.reason.as_deref().map(words::sentence));
    let cannot = visitor.cannot(Right::Steer).or_else(|| state_forbids(&upgrade, verb));
    let words = words_of(verb);
    let title = format!("{} {}", words.label, upgrade.executor_name);
    let layout = visitor.layout(title, Room::Upgrades).await?;
    let (refused, reason, ticked) = (None, String::new(), Vec::new());
    Ok(VerbPage { layout, upgrade, verb, words, cannot, refused, in_the_way, open_steps, reason, ticked })
}

pub(super) async fn put(
    visitor: Visitor,
    Path((id, verb)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Refused> {
    let (id, verb) = (id_of(&id)?, known(&verb)?);
    match say(&visitor, id, verb, &form).await {
        Ok(()) => Ok(to(&format!("/upgrades/{id}"))),
        Err(refused) if refused.status == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => {
            let mut page = page(&visitor, id, verb).await?;
            page.refused = Some(refused.sentence());
            page.reason = form.owned("reason").unwrap_or_default();
            page.ticked = form.all("done").filter_map(|number| number.parse().ok()).collect();
            Ok((refused.status, render(&page)).into_response())
        }
    }
}

async fn say(visitor: &Visitor, id: Uuid, verb: UpgradeVerb, form: &Form) -> Result<(), Refused> {
    let path = format!("/upgrades/{id}/{}", verb.as_str());
    let reason = form.owned("reason");
    let asked = match verb {
        UpgradeVerb::Start => {
            acknowledge(visitor, id, form).await?;
            serde_json::to_value(StartRequest { force: form.is_ticked("force"), reason })
        }
        UpgradeVerb::Pause | UpgradeVerb::Continue => {
            let reason = form.needed("reason", "The reason")?;
            serde_json::to_value(WithReason { reason })
        }
        UpgradeVerb::Abandon => {
            let reason = form.needed("reason", "The reason")?;
            serde_json::to_value(AbandonRequest { reason, check_unstarted: form.is_ticked("unstarted") })
        }
        _ => serde_json::to_value(MayHaveReason { reason }),
    };
    let asked = asked.map_err(|e| Refused::invalid(e.to_string()))?;
    visitor.act(form, Method::POST, &path, &asked).await
}

/// What was ticked is done, whatever becomes of the start.
async fn acknowledge(visitor: &Visitor, id: Uuid, form: &Form) -> Result<(), Refused> {
    let mut numbers = Vec::new();
    for ticked in form.all("done") {
        let number = ticked.parse();
        numbers.push(number.map_err(|_| Refused::invalid(format!("`{ticked}` is no step")))?);
    }
    if numbers.is_empty() {
        return Ok(());
    }
    let path = format!("/upgrades/{id}/prerequisites/acknowledge");
    visitor.act(form, Method::POST, &path, &Acknowledge { numbers }).await
}
