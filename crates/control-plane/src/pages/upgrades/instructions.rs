//! `/upgrades/{id}/instructions`: what people do themselves before and after it, and who says that it is done.

use askama::Template;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use novacula_protocol::Stage;
use novacula_protocol::people::{Upgrade, UpgradeStep, UpgradeSteps};
use uuid::Uuid;

use super::id_of;
use super::standing::{Standing, standing};
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::{assets, words};
use crate::right::Right;

#[derive(Template)]
#[template(path = "upgrades/instructions.html")]
pub(crate) struct InstructionsPage {
    pub layout: Layout,
    pub upgrade: Upgrade,
    pub standing: Standing,
    pub is_unread: bool,
    pub parts: [Part; 2],
    pub refused: Option<String>,
}

/// The steps before it, or those after it.
pub(crate) struct Part {
    /// As in a path.
    pub name: &'static str,
    pub heading: &'static str,
    pub about: &'static str,
    pub steps: Vec<UpgradeStep>,
    /// Why nobody, or not this visitor, can say that one is done.
    pub cannot: Option<String>,
}

/// Somebody has yet to say that something is done.
pub(super) fn is_unread(steps: &UpgradeSteps) -> bool {
    let mut all = steps.prerequisites.iter().chain(&steps.postrequisites);
    all.any(|step| step.acknowledged_by.is_none())
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    Ok(render(&page(&visitor, id_of(&id)?).await?))
}

async fn page(visitor: &Visitor, id: Uuid) -> Result<InstructionsPage, Refused> {
    let upgrade: Upgrade = visitor.get(&format!("/upgrades/{id}")).await?;
    let steps: UpgradeSteps = visitor.get(&format!("/upgrades/{id}/steps")).await?;
    let cannot = visitor.cannot(Right::Steer);
    let too_early = (upgrade.stage != Stage::Completed)
        .then(|| "The steps after an upgrade can be acknowledged once it has completed.".to_owned());
    let title = format!("Instructions: {}", upgrade.executor_name);
    let path = format!("/upgrades/{id}/instructions");
    let layout = visitor.layout(title, Room::Upgrades).await?.following(path);
    Ok(InstructionsPage {
        layout,
        standing: standing(&upgrade),
        is_unread: is_unread(&steps),
        parts: [
            Part {
                name: "prerequisites",
                heading: "Before it begins",
                about: "While one of these is open, the upgrade does not begin.",
                steps: steps.prerequisites,
                cannot: cannot.clone(),
            },
            Part {
                name: "postrequisites",
                heading: "After it has completed",
                about: "What is left to do by hand once the new version runs.",
                steps: steps.postrequisites,
                cannot: cannot.or(too_early),
            },
        ],
        upgrade,
        refused: None,
    })
}

pub(super) async fn acknowledge(
    visitor: Visitor,
    Path((id, part, number)): Path<(String, String, u32)>,
    form: Form,
) -> Result<Response, Refused> {
    if !matches!(part.as_str(), "prerequisites" | "postrequisites") {
        return Err(Refused::no_such_page());
    }
    let id = id_of(&id)?;
    let path = format!("/upgrades/{id}/{part}/{number}/acknowledge");
    match visitor.act(&form, Method::POST, &path, &serde_json::json!({})).await {
        Ok(()) => Ok(to(&format!("/upgrades/{id}/instructions"))),
        Err(refused) if refused.status == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => {
            let mut page = page(&visitor, id).await?;
            page.refused = Some(refused.sentence());
            Ok((refused.status, render(&page)).into_response())
        }
    }
}
