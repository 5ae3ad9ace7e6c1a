//! `/api/v1/fleet/plans`: fleet plans, applied, shown and steered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use novacula_protocol::people::{
    FleetPlan, Gate, GateOutcome, GateSkip, MemberOutcome, Page, PlanApproval, PlanMember, PlanRollback,
    PlanState, Selector, Wave, WaveCounts, WaveSpec, WaveState, WithReason,
};
use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};
use uuid::Uuid;

use super::plan_check;
use crate::app::App;
use crate::clock::after_ms;
use crate::extract::{Body, Id, ListQuery, PlanDocument, word};
use crate::in_plan;
use crate::plan_document;
use crate::problem::{Answer, ApiError};
use crate::reason::{Reason, checked_reason};
use crate::rollout::gates;
use crate::selector::takes;
use crate::store::{
    LivingPlan, MembersListed, Person, Plan, PlanAsk, PlanRefused, PlanShown, PlanSteer, Sight, Sights,
    StoreError,
};

/// More names nobody reads.
const MOST_NAMES: usize = 100;

pub(crate) async fn apply(
    State(app): State<Arc<App>>,
    person: Person,
    PlanDocument(document): PlanDocument,
) -> Answer<(StatusCode, Json<FleetPlan>)> {
    let account_id = person.account_id;
    let name = document.metadata.name.clone();
    // What was asked before is not asked anew, whatever has become of its release meanwhile.
    let living = app.store.plans_alive(account_id).await?.into_iter().map(|living| living.plan);
    if let Some(known) = living.into_iter().find(|known| known.document == document) {
        return Ok((StatusCode::OK, Json(one(&app, account_id, known.id).await?)));
    }
    let gathered = plan_check::gathered(&app, account_id, &name).await?;
    let checked = plan_check::checked(&app, &gathered, &document)?;
    let plan = Plan {
        id: app.clock.new_id(),
        account_id: person.account_id,
        name,
        executor_kind: document.spec.executor_kind,
        target_version: checked.target_version,
        state: PlanState::Running,
        reason: "it begins".to_owned(),
        requested_by: person.name.clone(),
        created_at: app.clock.now(),
        approval: None,
        warnings: checked.warnings,
        ended_at: None,
        document,
    };
    let (id, is_new) = app.add_plan(person, plan).await??;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(one(&app, account_id, id).await?)))
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<FleetPlan>>> {
    let (mut name, mut state) = (None, None);
    query.each_filter("`name` and `state`", |filter, value| {
        match filter {
            "name" => name = Some(value.to_owned()),
            "state" => state = Some(word(filter, value, read::<PlanState>)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let account_id = person.account_id;
    let plans = app.store.plans(account_id, (name, state), query.cursor_id()?, query.limit + 1).await?;
    let page = query.page(plans.into_iter(), |shown| shown.plan.id.to_string());
    let view = View::of(&app, account_id).await?;
    let items = page.items.into_iter().map(|plan| FleetPlan { document: None, ..view.plan(plan) }).collect();
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<FleetPlan>> {
    one(&app, person.account_id, id).await.map(Json)
}

/// The executors of the waves that have begun, in their order.
pub(crate) async fn executors(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    query: ListQuery,
) -> Answer<Json<Page<PlanMember>>> {
    let account_id = person.account_id;
    let known = app.store.plan(account_id, id).await?.ok_or_else(|| ApiError::not_found("plan"))?;
    let specs = &known.plan.document.spec.waves;
    let mut listed = MembersListed { limit: query.limit + 1, ..MembersListed::default() };
    query.each_filter("`wave` and `outcome`", |filter, value| {
        match filter {
            "wave" => {
                let wave = specs.iter().position(|wave| wave.name == value);
                let wave = wave.and_then(|wave| u32::try_from(wave).ok());
                let none = || ApiError::invalid(format!("the plan has no wave `{value}`"));
                listed.wave = Some(wave.ok_or_else(none)?);
            }
            "outcome" => listed.outcome = Some(word(filter, value, read::<MemberOutcome>)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    listed.after = query.cursor_number()?.map(|cursor| {
        (
            u32::try_from(cursor >> 32).unwrap_or(u32::MAX),
            u32::try_from(cursor & 0xffff_ffff).unwrap_or(u32::MAX),
        )
    });
    let members = app.store.plan_members(id, listed).await?;
    let page = query.page(members.into_iter(), |member| {
        (u64::from(member.wave) << 32 | u64::from(member.position)).to_string()
    });
    let view = View::of(&app, account_id).await?;
    let name = |wave: usize| specs.get(wave).map(|wave| wave.name.clone());
    let items = page.items.into_iter().map(|member| {
        let sight = view.sights.by_id.get(&member.executor_id);
        let today = sight.and_then(|sight| in_plan::wave_by_labels(specs, &view.groups, &sight.labels));
        PlanMember {
            executor_id: member.executor_id.to_string(),
            executor_name: member.name,
            wave: name(member.wave as usize).unwrap_or_default(),
            position: member.position,
            canary: member.canary,
            outcome: member.outcome,
            reason: member.reason,
            from_version: member.from_version,
            upgrade_id: member.upgrade_id,
            wave_by_labels: today.and_then(name),
        }
    });
    Ok(Json(Page { items: items.collect(), next_cursor: page.next_cursor }))
}

pub(crate) async fn approve(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<PlanApproval>,
) -> Answer<Json<FleetPlan>> {
    steered(&app, person, id, PlanAsk::Approve(asked.wave), asked.reason).await
}

pub(crate) async fn halt(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<WithReason>,
) -> Answer<Json<FleetPlan>> {
    steered(&app, person, id, PlanAsk::Halt, asked.reason).await
}

pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<WithReason>,
) -> Answer<Json<FleetPlan>> {
    steered(&app, person, id, PlanAsk::Resume, asked.reason).await
}

pub(crate) async fn skip_gate(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<GateSkip>,
) -> Answer<Json<FleetPlan>> {
    let ask = PlanAsk::SkipGate { wave: asked.wave, gate: asked.gate };
    steered(&app, person, id, ask, asked.reason).await
}

pub(crate) async fn roll_back(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(asked): Body<PlanRollback>,
) -> Answer<Json<FleetPlan>> {
    steered(&app, person, id, PlanAsk::Rollback(asked.wave), asked.reason).await
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Reason(reason): Reason,
) -> Answer<StatusCode> {
    let steer = PlanSteer { plan_id: id, by: person, ask: PlanAsk::Delete, reason, now: app.clock.now() };
    app.steer_plan(steer).await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn steered(
    app: &Arc<App>,
    person: Person,
    id: Uuid,
    ask: PlanAsk,
    reason: String,
) -> Answer<Json<FleetPlan>> {
    let reason = checked_reason(Some(reason))?;
    let account_id = person.account_id;
    app.steer_plan(PlanSteer { plan_id: id, by: person, ask, reason, now: app.clock.now() }).await??;
    one(app, account_id, id).await.map(Json)
}

async fn one(app: &App, account_id: Uuid, id: Uuid) -> Answer<FleetPlan> {
    let found = app.store.plan(account_id, id).await?.ok_or_else(|| ApiError::not_found("plan"))?;
    let living = LivingPlan::of(&found, app.store.plan_executors(id).await?);
    let view = View::of(app, account_id).await?;
    let in_no_wave = Some(view.in_no_wave(&living));
    Ok(FleetPlan { in_no_wave, ..view.plan(found) })
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<WordError>::new(text)).ok()
}

/// What is shown of plans beside what the store keeps of them.
struct View {
    sights: Sights,
    groups: BTreeMap<String, Selector>,
}

impl View {
    async fn of(app: &App, account_id: Uuid) -> Result<Self, StoreError> {
        let groups = app.store.group_selectors(account_id).await?;
        Ok(Self { sights: app.sights(account_id, app.clock.now()), groups })
    }

    fn plan(&self, shown: PlanShown) -> FleetPlan {
        let PlanShown { plan, waves, mut counts, gates } = shown;
        let waves = waves.into_iter().zip(&plan.document.spec.waves).map(|(row, spec)| {
            let has_begun = row.state != WaveState::Pending;
            let counts = match counts.remove(&row.wave) {
                Some(counts) => counts,
                None if has_begun => WaveCounts::default(),
                None => WaveCounts { total: self.count(&plan, spec), ..WaveCounts::default() },
            };
            let soaks_until =
                row.healthy_since.and_then(|since| after_ms(since, spec.validation.health_check_duration.ms));
            Wave {
                name: spec.name.clone(),
                state: row.state,
                reason: row.reason,
                began_at: row.began_at,
                healthy_since: row.healthy_since,
                soaks_until,
                passed_at: row.passed_at,
                max_in_flight: plan_document::in_flight(spec, counts.total),
                canary: plan_document::canary(spec, counts.total),
                gates: shown_gates(spec, row.wave, &gates),
                counts,
            }
        });
        FleetPlan {
            id: plan.id.to_string(),
            name: plan.name.clone(),
            executor_kind: plan.executor_kind,
            target_version: plan.target_version.clone(),
            priority: plan.document.spec.priority,
            state: plan.state,
            reason: plan.reason.clone(),
            requested_by: plan.requested_by.clone(),
            created_at: plan.created_at,
            ended_at: plan.ended_at,
            approval: plan.approval.clone(),
            warnings: plan.warnings.clone(),
            waves: waves.collect(),
            in_no_wave: None,
            document: Some(plan.document.clone()),
        }
    }

    /// Who is left out: in no wave, and taken by none to come.
    fn in_no_wave(&self, living: &LivingPlan) -> Vec<String> {
        let selectors = living.selectors(&self.groups);
        let is_left_out = |(id, sight): &(&Uuid, &Sight)| {
            sight.kind == living.plan.executor_kind
                && !living.members.contains(id)
                && !selectors.iter().any(|selector| takes(selector, &sight.labels))
        };
        let mut names: Vec<_> =
            self.sights.by_id.iter().filter(is_left_out).map(|(_, sight)| sight.name.clone()).collect();
        names.sort();
        names.truncate(MOST_NAMES);
        names
    }

    /// How many the wave would take if it began now.
    fn count(&self, plan: &Plan, spec: &WaveSpec) -> u32 {
        let Some(selector) = plan_document::selector_of(spec, &self.groups) else { return 0 };
        let all = self.sights.by_id.values().filter(|sight| sight.kind == plan.executor_kind);
        u32::try_from(all.filter(|sight| takes(&selector, &sight.labels)).count()).unwrap_or(u32::MAX)
    }
}

/// The gates of a wave in their order, with what is known of each.
fn shown_gates(spec: &WaveSpec, wave: u32, known: &HashMap<u32, Vec<Gate>>) -> Vec<Gate> {
    let known = known.get(&wave).map(Vec::as_slice).unwrap_or_default();
    let gate = |name: String| {
        let blocking = gates::is_blocking(spec, &name);
        match known.iter().find(|gate| gate.name == name) {
            Some(gate) => Gate { blocking, ..gate.clone() },
            None => Gate {
                name,
                outcome: GateOutcome::Waiting,
                message: "it was not asked yet".to_owned(),
                blocking,
                at: None,
                by: None,
                skipped: false,
            },
        }
    };
    gates::names(spec).into_iter().map(gate).collect()
}

impl From<PlanRefused> for ApiError {
    fn from(refused: PlanRefused) -> Self {
        let message = refused.to_string();
        match refused {
            PlanRefused::NotFound => Self::not_found("plan"),
            PlanRefused::NoSuch(what) => Self::not_found(&what),
            PlanRefused::Exists(_) => Self::conflict("plan_exists", message),
            PlanRefused::NotAllowed { code, .. } => Self::conflict(code, message),
        }
    }
}

#[cfg(test)]
mod tests;
