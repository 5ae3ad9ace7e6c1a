//! Requests: compare-and-swap on the one open upgrade of an executor.

use jiff::Timestamp;
use novacula_protocol::people::{self, Action, Approval, Artifact, Wait};
use novacula_protocol::reach;
use novacula_protocol::spec::{Confirm, Intent};
use novacula_protocol::sync::{Channel, LogLine};
use novacula_protocol::{LogLevel, Progress, Stage, Status};
use semver::Version;
use uuid::Uuid;

use super::activity::CONTROL_PLANE;
use super::sql::Connection;
use super::upgrades::{note, open_id};
use super::{
    Sql, Store, StoreError, events, executors, four_eyes, plan_rows, release_rows, steering, steps,
    upgrade_rows as rows,
};
use crate::executor::{Executor, Snapshot};
use crate::hops::{self, NoRoute};
use crate::upgrade::Upgrade;

/// What a person asks for.
#[derive(Clone, Debug)]
pub struct UpgradeOrder {
    /// The new upgrade's id.
    pub id: Uuid,
    /// In which account.
    pub account_id: Uuid,
    /// Who asks.
    pub requested_by: String,
    /// Of whom.
    pub executor_id: Uuid,
    /// What shall run.
    pub target_version: Version,
    /// Over the versions in between, where it is too far.
    pub hops: bool,
    /// Not before.
    pub scheduled_at: Timestamp,
    /// When it is overdue.
    pub deadline: Option<Timestamp>,
    /// How long its executor has to pick it up, in ms.
    pub ttl_ms: u64,
    /// When it lapses unless it was picked up, as far as is known today.
    pub expires_at: Timestamp,
    /// Who starts it.
    pub confirm_start: Confirm,
    /// Who completes.
    pub confirm: Confirm,
    /// For people.
    pub description: String,
    /// How long the new version must stay up.
    pub health_window_ms: u64,
    /// The freeze or window that stops it.
    pub calendar: Option<Wait>,
    /// The fleet plan that asks, if one does.
    pub plan: Option<ByPlan>,
    /// When it was asked.
    pub now: Timestamp,
}

/// What a fleet plan brings along, for all its upgrades.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByPlan {
    /// Which.
    pub plan_id: Uuid,
    /// What somebody said to the plan as a whole.
    pub approval: Option<Approval>,
    /// Who said that the prerequisites are done everywhere.
    pub acknowledged_by: Option<String>,
    /// It goes back, which waits for no window.
    pub is_back: bool,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefused {
    /// The account has no such executor.
    #[error("there is no such executor")]
    NoExecutor,
    /// One at a time.
    #[error("the executor has an upgrade that has not ended; wait for its end, then request again")]
    AlreadyPending {
        /// The one that has not ended.
        upgrade_id: String,
    },
    /// There is nothing to do.
    #[error("the executor runs {0} already")]
    SameVersion(Version),
    /// Not offered to this executor.
    #[error(
        "{0} is not among the releases that are offered to this executor: it must be published, of its kind, in its channel and built for its target"
    )]
    ReleaseNotFound(Version),
    /// Too far, and nothing in between.
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
    /// Too far.
    #[error("{target} cannot be reached from {from} in one step: it {hop}")]
    Unreachable {
        /// What runs.
        from: Version,
        /// What was asked for.
        target: Version,
        /// What comes first.
        hop: String,
    },
}

impl Store {
    /// Requests an upgrade if, at this instant, none is open and the release is within reach.
    ///
    /// # Errors
    /// When the store does not answer; inside, when the request is refused.
    pub async fn request_upgrade(
        &self,
        order: UpgradeOrder,
    ) -> Result<Result<Snapshot, RequestRefused>, StoreError> {
        self.write_or_refuse(move |sql| request(sql, &order)).await
    }
}

/// Requests it, and offers it where nothing stands in its way.
pub(super) fn request(sql: &Connection, order: &UpgradeOrder) -> Sql<Result<Snapshot, RequestRefused>> {
    let upgrade = match place(sql, order, order.plan.as_ref().and_then(|plan| plan.approval.clone()))? {
        Ok(upgrade) => upgrade,
        Err(refused) => return Ok(Err(refused)),
    };
    let facts = steering::facts(sql, &upgrade, order.calendar.clone())?;
    rows::update(sql, &steering::offered_if_clear(&upgrade, &facts, order.ttl_ms, order.now))?;
    executors::revised(sql, order.executor_id).map(Ok)
}

/// Requests it and lets it wait; `approval` is one that somebody gave to the whole way before.
fn place(
    sql: &Connection,
    order: &UpgradeOrder,
    approval: Option<Approval>,
) -> Sql<Result<Upgrade, RequestRefused>> {
    let Some(executor) = executors::executor(sql, order.account_id, order.executor_id)? else {
        return Ok(Err(RequestRefused::NoExecutor));
    };
    if let Some(open) = open_id(sql, executor.id)? {
        return Ok(Err(RequestRefused::AlreadyPending { upgrade_id: open.to_string() }));
    }
    let from = &executor.current_version;
    let (target, hops_to) = match way(sql, &executor, order)? {
        Ok(way) => way,
        Err(refused) => return Ok(Err(refused)),
    };
    let Some(direction) = reach::direction(from, &target) else {
        return Ok(Err(RequestRefused::SameVersion(from.clone())));
    };
    let Offered { artifact, channel, r#type } = match offered_artifact(sql, &executor, &target)? {
        Ok(offered) => offered,
        Err(refused) => return Ok(Err(refused)),
    };
    let is_wanted = four_eyes::are_wanted(sql, order.account_id, channel)?;
    let approval = is_wanted.then(|| approval.unwrap_or_default());
    let upgrade = Upgrade {
        account_id: order.account_id,
        ended_by_server: false,
        shown: people::Upgrade {
            id: order.id.to_string(),
            executor_id: executor.id.to_string(),
            executor_name: executor.name.clone(),
            kind: executor.kind,
            r#type,
            from_version: from.clone(),
            target_version: target,
            hops_to,
            direction,
            confirm_start: order.confirm_start,
            confirm: order.confirm,
            intent: Intent::Apply,
            attempt: 1,
            health_window_ms: order.health_window_ms,
            stage: Stage::ConfirmStart,
            status: Status::Unstarted,
            state: Progress::Pending,
            bytes_done: 0,
            bytes_total: artifact.size,
            error: None,
            description: order.description.clone(),
            requested_by: order.requested_by.clone(),
            created_at: order.now,
            scheduled_at: order.scheduled_at,
            deadline: order.deadline,
            overdue: false,
            started_by: None,
            forced: order.plan.as_ref().is_some_and(|plan| plan.is_back),
            plan_id: order.plan.as_ref().map(|plan| plan.plan_id.to_string()),
            approval,
            validation: None,
            waits_for: None,
            actions: Vec::new(),
            offered_at: None,
            expires_at: order.expires_at,
            started_at: None,
            ended_at: None,
            log: Vec::new(),
        },
        artifact,
    };
    rows::insert(sql, &upgrade)?;
    if let Some(person) = order.plan.as_ref().and_then(|plan| plan.acknowledged_by.as_ref()) {
        steps::acknowledge_prerequisites(sql, person, &upgrade, order.now)?;
    }
    events::keep(sql, events::of_move(None, &upgrade, order.now))?;
    note(sql, &order.requested_by, Action::UpgradeRequested, (None, &upgrade), None, order.now)?;
    if upgrade.shown.approval.as_ref().is_some_and(|it| it.approved_by.is_none()) {
        note(sql, CONTROL_PLANE, Action::UpgradeApprovalWanted, (None, &upgrade), None, order.now)?;
    }
    Ok(Ok(upgrade))
}

/// The first stop on the way to where it shall go, and where that leads if it is only a stop.
fn way(
    sql: &Connection,
    executor: &Executor,
    order: &UpgradeOrder,
) -> Sql<Result<(Version, Option<Version>), RequestRefused>> {
    let target = &order.target_version;
    if !order.hops || reach::hop_between(&executor.current_version, target).is_none() {
        return Ok(Ok((target.clone(), None)));
    }
    let releases = release_rows::of_kind(sql, executor.account_id, executor.kind)?;
    Ok(match hops::route(executor.standpoint(), target, &releases) {
        Ok(route) => route.into_iter().next().map_or_else(
            || Err(RequestRefused::SameVersion(target.clone())),
            |first| Ok((first, Some(target.clone()))),
        ),
        Err(no_route) => Err(no_route.into()),
    })
}

/// After a hop has completed: the next one, in the same transaction, so that no crash comes between.
pub(super) fn next_hop(
    sql: &Connection,
    done: &Upgrade,
    executor: &Executor,
    new_id: Uuid,
    now: Timestamp,
) -> Sql<()> {
    let shown = &done.shown;
    let Some(target) = shown.hops_to.as_ref().filter(|_| shown.stage == Stage::Completed) else {
        return Ok(());
    };
    if *target == executor.current_version {
        return Ok(());
    }
    let order = UpgradeOrder {
        id: new_id,
        account_id: done.account_id,
        requested_by: shown.requested_by.clone(),
        executor_id: executor.id,
        target_version: target.clone(),
        hops: true,
        scheduled_at: now,
        deadline: shown.deadline,
        ttl_ms: 0,
        expires_at: now,
        confirm_start: Confirm::Auto,
        confirm: shown.confirm,
        description: shown.description.clone(),
        health_window_ms: shown.health_window_ms,
        calendar: None,
        plan: plan_rows::on_the_way(sql, shown)?,
        now,
    };
    if let Err(refused) = place(sql, &order, shown.approval.clone())? {
        let why = format!("the way to {target} ends at {}: {refused}", executor.current_version);
        note(sql, CONTROL_PLANE, Action::UpgradeHopRefused, (Some(done), done), Some(&why), now)?;
        let line = LogLine { at: now, level: LogLevel::Error, message: why };
        events::keep(sql, events::of_lines(done, shown.attempt, &[line]))?;
    }
    Ok(())
}

/// What is offered to an executor.
pub(super) struct Offered {
    pub artifact: Artifact,
    pub channel: Channel,
    pub r#type: String,
}

/// The artifact of a release that the executor can go to in one step.
pub(super) fn offered_artifact(
    sql: &Connection,
    executor: &Executor,
    target: &Version,
) -> Sql<Result<Offered, RequestRefused>> {
    let release = release_rows::by_version(sql, executor.account_id, executor.kind, target)?
        .filter(|release| reach::is_offered(executor.standpoint(), release));
    let offered = release.and_then(|release| {
        let artifact = release.artifacts.into_iter().find(|artifact| artifact.target == executor.target)?;
        Some(Offered { artifact, channel: release.channel, r#type: release.r#type })
    });
    let Some(offered) = offered else { return Ok(Err(RequestRefused::ReleaseNotFound(target.clone()))) };
    let from = &executor.current_version;
    Ok(match reach::hop_between(from, target) {
        Some(hop) => {
            let (from, target, hop) = (from.clone(), target.clone(), hop.to_string());
            Err(RequestRefused::Unreachable { from, target, hop })
        }
        None => Ok(offered),
    })
}
