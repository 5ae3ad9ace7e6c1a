//! `/plans/{id}/{verb}`: what people say to a plan. A page asks back first; why is always asked.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use novacula_protocol::people::{FleetPlan, GateSkip, PlanApproval, PlanRollback, WithReason};
use serde::Deserialize;

use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Approve,
    Halt,
    Resume,
    SkipGate,
    RollBack,
    Delete,
}

impl Verb {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] =
        [Self::Approve, Self::Halt, Self::Resume, Self::SkipGate, Self::RollBack, Self::Delete];

    fn read(word: &str) -> Option<Self> {
        match word {
            "approve" => Some(Self::Approve),
            "halt" => Some(Self::Halt),
            "resume" => Some(Self::Resume),
            "skip-gate" => Some(Self::SkipGate),
            "rollback" => Some(Self::RollBack),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Halt => "halt",
            Self::Resume => "resume",
            Self::SkipGate => "skip-gate",
            Self::RollBack => "rollback",
            Self::Delete => "delete",
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Halt => "Halt",
            Self::Resume => "Resume",
            Self::SkipGate => "Skip the gate",
            Self::RollBack => "Roll back",
            Self::Delete => "Delete",
        }
    }

    fn is_grave(self) -> bool {
        matches!(self, Self::RollBack | Self::Delete | Self::SkipGate)
    }
}

/// What it is about, inside the plan.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct About {
    #[serde(default)]
    pub wave: String,
    #[serde(default)]
    pub gate: String,
}

#[derive(Template)]
#[template(path = "plans/steer.html")]
pub(crate) struct SteerPage {
    pub layout: Layout,
    pub plan: FleetPlan,
    pub verb: Verb,
    pub about: About,
    pub reason: String,
    pub refused: Option<String>,
}

impl SteerPage {
    fn heading(&self) -> String {
        let (name, About { wave, gate }) = (&self.plan.name, &self.about);
        match self.verb {
            Verb::Approve if wave.is_empty() => format!("Approve {name}"),
            Verb::Approve => format!("Approve {wave} of {name}"),
            Verb::Halt => format!("Halt {name}"),
            Verb::Resume => format!("Resume {name}"),
            Verb::SkipGate => format!("Let {wave} of {name} past {gate}"),
            Verb::RollBack if wave.is_empty() => format!("Roll {name} back"),
            Verb::RollBack => format!("Roll {wave} of {name} back"),
            Verb::Delete => format!("Delete {name}"),
        }
    }

    /// What comes of it.
    fn what_comes(&self) -> &'static str {
        match self.verb {
            Verb::Approve if self.about.wave.is_empty() => "Its first wave begins at once.",
            Verb::Approve => "The next wave begins at once, or the plan ends if this was its last.",
            Verb::Halt => {
                "Upgrades that were not picked up are taken back, those in hand come to their end, and nobody else is \
                 started until somebody resumes the plan."
            }
            Verb::Resume => {
                "The plan goes on where it stands. In a wave that halted by itself, those that failed, were slow, were \
                 refused or could not be reached have another turn, and the soak begins anew."
            }
            Verb::SkipGate => {
                "The wave passes this gate whatever it says. That stays visible beside the gate, with your name."
            }
            Verb::RollBack if self.about.wave.is_empty() => {
                "Undoes what the plan did, and nothing else: whoever completed by it goes back to the version it came \
                 from. Who was there before or runs something else by now is left alone."
            }
            Verb::RollBack => {
                "Undoes what the plan did in this wave, and nothing else. The plan stays halted then."
            }
            Verb::Delete => "The plan is forgotten; what it did stays as it is.",
        }
    }

    /// How many it touches.
    fn touches(&self) -> Option<String> {
        let waves = self.plan.waves.iter();
        let waves = waves.filter(|wave| self.about.wave.is_empty() || wave.name == self.about.wave);
        let (done, hand) = waves.fold((0, 0), |(done, hand), wave| {
            (done + u64::from(wave.counts.completed), hand + u64::from(wave.counts.started))
        });
        let hand_said = || words::counted(&hand, "upgrade is in hand", "upgrades are in hand");
        match self.verb {
            Verb::RollBack => Some(format!(
                "{} completed by it; {}.",
                words::counted(&done, "executor", "executors"),
                hand_said()
            )),
            Verb::Halt => Some(format!("Now {}.", hand_said())),
            _ => None,
        }
    }

    fn action(&self) -> String {
        format!("/plans/{}/{}", self.plan.id, self.verb.word())
    }
}

pub(crate) async fn ask(
    visitor: Visitor,
    Path((id, verb)): Path<(String, String)>,
    Query(about): Query<About>,
) -> Result<Response, Refused> {
    let verb = Verb::read(&verb).ok_or_else(Refused::no_such_page)?;
    Ok(render(&page(&visitor, &super::id(&id)?, verb, about).await?))
}

async fn page(visitor: &Visitor, id: &str, verb: Verb, about: About) -> Result<SteerPage, Refused> {
    let plan: FleetPlan = visitor.get(&format!("/fleet/plans/{id}")).await?;
    let layout = visitor.layout(format!("{} {}", verb.button(), plan.name), Room::Plans).await?;
    Ok(SteerPage { layout, plan, verb, about, reason: String::new(), refused: None })
}

pub(crate) async fn act(
    visitor: Visitor,
    Path((id, verb)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Refused> {
    let verb = Verb::read(&verb).ok_or_else(Refused::no_such_page)?;
    let id = super::id(&id)?;
    let said = |name: &str| form.owned(name).unwrap_or_default();
    let (about, reason) = (About { wave: said("wave"), gate: said("gate") }, said("reason"));
    match done(&visitor, &form, &id, verb, &about, reason.clone()).await {
        Ok(()) if verb == Verb::Delete => Ok(to("/plans/")),
        Ok(()) => Ok(to(&format!("/plans/{id}"))),
        Err(refused) => {
            let page = page(&visitor, &id, verb, about).await?;
            let page = SteerPage { reason, refused: Some(refused.sentence()), ..page };
            Ok((refused.status, render(&page)).into_response())
        }
    }
}

async fn done(
    visitor: &Visitor,
    form: &Form,
    id: &str,
    verb: Verb,
    about: &About,
    reason: String,
) -> Result<(), Refused> {
    let path = format!("/fleet/plans/{id}/{}", verb.word());
    let wave = Some(about.wave.clone()).filter(|wave| !wave.is_empty());
    match verb {
        Verb::Approve => visitor.act(form, Method::POST, &path, &PlanApproval { wave, reason }).await,
        Verb::Halt | Verb::Resume => visitor.act(form, Method::POST, &path, &WithReason { reason }).await,
        Verb::SkipGate => {
            let skip = GateSkip { wave: about.wave.clone(), gate: about.gate.clone(), reason };
            visitor.act(form, Method::POST, &path, &skip).await
        }
        Verb::RollBack => visitor.act(form, Method::POST, &path, &PlanRollback { wave, reason }).await,
        Verb::Delete => {
            let path = format!("/fleet/plans/{id}?{}", words::query([("reason", reason.as_str())]));
            visitor.act(form, Method::DELETE, &path, &serde_json::Value::Null).await
        }
    }
}
