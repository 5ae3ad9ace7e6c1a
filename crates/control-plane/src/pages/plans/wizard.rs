//! `/plans/new`: a plan in three steps. Every field of every step stands in the form, so that it needs no scripts and the
//! control plane keeps nothing before the plan is applied.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use novacula_protocol::people::{
    Executor, ExecutorGroup, FleetPlan, FleetUpgradePlan, Page, PlanDryRun, Release, ReleaseStatus,
};
use novacula_protocol::problem::Problem;
use novacula_protocol::spec::Kind;

use super::draft::{Draft, Place, WaveDraft, suggested};
use super::dry_run::DryRunShown;
use super::{expert, yaml};
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::{assets, words};
use crate::right::Right;

/// Where somebody stands in the wizard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Target,
    Waves,
    Review,
}

#[derive(Template)]
#[template(path = "plans/wizard.html")]
pub(crate) struct WizardPage {
    pub layout: Layout,
    pub step: Step,
    pub draft: Draft,
    /// What the catalogue offers, by kind, the highest first.
    pub offers: Vec<(Kind, Vec<String>)>,
    pub groups: Vec<String>,
    /// How many each wave takes now, where that can be said.
    pub counts: Vec<Option<u64>>,
    pub refused: Option<Refusal>,
    pub dry_run: Option<DryRunShown>,
    pub yaml: String,
}

/// Why the plan cannot be as it is, and where that is to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub place: Place,
    pub sentence: String,
    pub status: StatusCode,
}

impl Refusal {
    fn of(refused: &Refused) -> Self {
        let path = refused.problem.details.get("path").and_then(|path| path.as_str());
        Self {
            // A name that is taken is mended where the name is.
            place: if refused.problem.code == "plan_exists" {
                Place::Target
            } else {
                path.map_or(Place::Whole, Place::of)
            },
            sentence: refused.sentence(),
            status: refused.status,
        }
    }

    /// The step on which it can be mended.
    fn step(&self) -> Step {
        if self.place == Place::Target { Step::Target } else { Step::Waves }
    }
}

impl WizardPage {
    fn is_at(&self, step: Step) -> bool {
        self.step == step
    }

    /// What is to be said above the form.
    fn refused_above(&self) -> Option<&str> {
        let refused = self.refused.as_ref()?;
        (!matches!(refused.place, Place::Wave(index) if index < self.draft.waves.len() && self.step == Step::Waves))
            .then_some(refused.sentence.as_str())
    }

    /// What is to be said at this wave.
    fn refused_at(&self, index: &usize) -> Option<&str> {
        let refused = self.refused.as_ref()?;
        (refused.place == Place::Wave(*index)).then_some(refused.sentence.as_str())
    }

    fn count_at(&self, index: &usize) -> Option<String> {
        let count = self.counts.get(*index).copied().flatten()?;
        Some(words::counted(&count, "executor", "executors"))
    }

    /// Such a group was chosen, and is not there any more.
    fn is_gone(&self, group: &str) -> bool {
        !group.is_empty() && !self.groups.iter().any(|known| known == group)
    }

    fn hidden(&self) -> Vec<(String, String)> {
        match self.step {
            Step::Target => self.draft.hidden_waves(),
            Step::Waves => self.draft.hidden_target(),
            Step::Review => [self.draft.hidden_target(), self.draft.hidden_waves()].concat(),
        }
    }
}

/// Whoever may not apply a plan is not led through a wizard to hear it at its end.
pub(super) fn may(visitor: &Visitor) -> Result<(), Refused> {
    let Some(message) = visitor.cannot(Right::Steer) else { return Ok(()) };
    let problem = Problem { code: "forbidden".to_owned(), message, details: serde_json::Map::new() };
    Err(Refused { status: StatusCode::FORBIDDEN, problem, asked: "/plans/new".to_owned() })
}

pub(crate) async fn begin(visitor: Visitor) -> Result<Response, Refused> {
    may(&visitor)?;
    let mut draft = Draft::default();
    let page = page(&visitor, Step::Target, draft.clone()).await?;
    if let Some((kind, version)) =
        page.offers.first().and_then(|(kind, offers)| Some((kind, offers.first()?)))
    {
        draft.set("target", format!("{kind} {version}"));
    }
    Ok(render(&WizardPage { draft, ..page }))
}

pub(crate) async fn go_on(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    may(&visitor)?;
    let mut draft = Draft::read(&form);
    if draft.text("name").is_empty() {
        draft.set("name", draft.usual_name());
    }
    let (go, index) = form
        .text("go")
        .and_then(|go| go.split_once('.'))
        .unwrap_or((form.text("go").unwrap_or_default(), ""));
    let index = index.parse().unwrap_or(usize::MAX);
    match go {
        "target" => Ok(render(&page(&visitor, Step::Target, draft).await?)),
        "review" => review(&visitor, &form, draft).await,
        "apply" => apply(&visitor, &form, draft).await,
        "document" => match draft.document() {
            Ok(document) => expert::with(&visitor, yaml::of(&document)).await,
            Err(refused) => again(&visitor, draft, &invalid(&refused)).await,
        },
        "add" => waves(&visitor, &form, draft, Draft::add_wave).await,
        "remove" => waves(&visitor, &form, draft, |draft| draft.remove_wave(index)).await,
        "earlier" => waves(&visitor, &form, draft, |draft| draft.move_earlier(index)).await,
        _ => {
            if draft.waves.is_empty() {
                draft.waves = waves_to_begin_with(&visitor, &draft).await?;
            }
            waves(&visitor, &form, draft, |_| ()).await
        }
    }
}

/// From the labels of the executors that can be meant; of a large fleet a part says enough.
async fn waves_to_begin_with(visitor: &Visitor, draft: &Draft) -> Result<Vec<WaveDraft>, Refused> {
    let executors: Page<Executor> = visitor.get("/executors?limit=500").await?;
    let of_kind = executors.items.iter().filter(|executor| draft.is_for(executor.kind));
    Ok(suggested(&of_kind.map(|executor| &executor.labels).collect::<Vec<_>>()))
}

/// The second step, after a change. It is no mistake yet if the waves do not fit together.
async fn waves(
    visitor: &Visitor,
    form: &Form,
    mut draft: Draft,
    change: impl FnOnce(&mut Draft),
) -> Result<Response, Refused> {
    change(&mut draft);
    let run = match draft.document() {
        Ok(document) => dry(visitor, form, &document).await,
        Err(refused) => Err(invalid(&refused)),
    };
    let refused = run.as_ref().err().map(Refusal::of);
    if let Some(refused) = refused.clone().filter(|refused| refused.place == Place::Target) {
        let status = refused.status;
        let page = WizardPage { refused: Some(refused), ..page(visitor, Step::Target, draft).await? };
        return Ok((status, render(&page)).into_response());
    }
    let counts = match run {
        Ok(run) => run.waves.iter().map(|wave| Some(wave.executors.len() as u64)).collect(),
        Err(_) => counts(visitor, form, &draft).await,
    };
    Ok(render(&WizardPage { counts, refused, ..page(visitor, Step::Waves, draft).await? }))
}

async fn review(visitor: &Visitor, form: &Form, draft: Draft) -> Result<Response, Refused> {
    let document = match draft.document() {
        Ok(document) => document,
        Err(refused) => return again(visitor, draft, &invalid(&refused)).await,
    };
    match dry(visitor, form, &document).await {
        Ok(run) => {
            let dry_run = Some(DryRunShown::of(run, visitor.now));
            let page = page(visitor, Step::Review, draft).await?;
            Ok(render(&WizardPage { dry_run, yaml: yaml::of(&document), ..page }))
        }
        Err(refused) => again_counted(visitor, form, draft, &refused).await,
    }
}

async fn apply(visitor: &Visitor, form: &Form, draft: Draft) -> Result<Response, Refused> {
    let document = match draft.document() {
        Ok(document) => document,
        Err(refused) => return again(visitor, draft, &invalid(&refused)).await,
    };
    match visitor.change::<FleetPlan>(form, Method::POST, "/fleet/plans", &document).await {
        Ok(plan) => Ok(to(&format!("/plans/{}", plan.id))),
        Err(refused) => again_counted(visitor, form, draft, &refused).await,
    }
}

/// The step on which it can be mended, with why.
async fn again(visitor: &Visitor, draft: Draft, refused: &Refused) -> Result<Response, Refused> {
    let refused = Refusal::of(refused);
    let page = page(visitor, refused.step(), draft).await?;
    let status = refused.status;
    Ok((status, render(&WizardPage { refused: Some(refused), ..page })).into_response())
}

async fn again_counted(
    visitor: &Visitor,
    form: &Form,
    draft: Draft,
    refused: &Refused,
) -> Result<Response, Refused> {
    let refused = Refusal::of(refused);
    let counts = if refused.step() == Step::Waves { counts(visitor, form, &draft).await } else { Vec::new() };
    let page = page(visitor, refused.step(), draft).await?;
    let status = refused.status;
    Ok((status, render(&WizardPage { refused: Some(refused), counts, ..page })).into_response())
}

fn invalid(refused: &novacula_protocol::people::DocumentRefused) -> Refused {
    let mut invalid = Refused::invalid(refused.to_string());
    invalid.problem.details.insert("path".to_owned(), refused.path.clone().into());
    invalid
}

async fn dry(visitor: &Visitor, form: &Form, document: &FleetUpgradePlan) -> Result<PlanDryRun, Refused> {
    visitor.change(form, Method::POST, "/fleet/plans/dry-run", document).await
}

/// How many each wave would take by itself, whatever is wrong with the others. A wave that takes nobody is refused where
/// it stands alone, and so is one that cannot be meant: those two the sentence beside the wave tells apart.
async fn counts(visitor: &Visitor, form: &Form, draft: &Draft) -> Vec<Option<u64>> {
    let mut counts = Vec::new();
    for wave in &draft.waves {
        let alone = draft.only(wave);
        let count = match alone.document() {
            Ok(document) => match dry(visitor, form, &document).await {
                Ok(run) => run.waves.first().map(|wave| wave.executors.len() as u64),
                Err(refused) if path(&refused) == "spec.waves" => Some(0),
                Err(_) => None,
            },
            Err(_) => None,
        };
        counts.push(count);
    }
    counts
}

fn path(refused: &Refused) -> &str {
    refused.problem.details.get("path").and_then(|path| path.as_str()).unwrap_or_default()
}

async fn page(visitor: &Visitor, step: Step, draft: Draft) -> Result<WizardPage, Refused> {
    let releases: Page<Release> = visitor.get("/releases?limit=500").await?;
    let groups: Page<ExecutorGroup> = visitor.get("/fleet/groups?limit=500").await?;
    let offers = [Kind::Agent, Kind::Operator].map(|kind| {
        let of_kind =
            releases.items.iter().filter(|it| it.kind == kind && it.status == ReleaseStatus::Published);
        let mut versions: Vec<_> = of_kind.map(|release| &release.version).collect();
        versions.sort_by(|a, b| b.cmp(a));
        (kind, versions.into_iter().map(ToString::to_string).collect::<Vec<_>>())
    });
    Ok(WizardPage {
        layout: visitor.layout("New plan", Room::Plans).await?,
        step,
        draft,
        offers: offers.into_iter().filter(|(_, versions)| !versions.is_empty()).collect(),
        groups: groups.items.into_iter().map(|group| group.name).collect(),
        counts: Vec::new(),
        refused: None,
        dry_run: None,
        yaml: String::new(),
    })
}
