//! Upgrades: requested as compare-and-swap, moved by reports, ended by the clock.

use jiff::Timestamp;
use novacula_protocol::people::{self, Action, Approval, Artifact, Wait};
use novacula_protocol::reach;
use novacula_protocol::spec::{Confirm, Intent};
use novacula_protocol::sync::{Channel, LogLine, UpgradeReport};
use novacula_protocol::{Progress, Stage, Status};
use rusqlite::{Connection, OptionalExtension, named_params, params};
use semver::Version;
use uuid::Uuid;

use super::activity::{CONTROL_PLANE, Deed, append};
use super::column::{Count, Json, Word};
use super::{Sql, Store, StoreError, events, executors, four_eyes, releases, steering, upgrade_rows as rows};
use crate::executor::{Executor, Snapshot};
use crate::upgrade::{self, Upgrade};

/// What a person asks for.
#[derive(Clone, Debug)]
pub struct UpgradeOrder {
    /// The new upgrade's id.
    pub id: Uuid,
    /// Who asks, and in which account.
    pub by: super::Person,
    /// Of whom.
    pub executor_id: Uuid,
    /// What shall run.
    pub target_version: Version,
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
    /// When it was asked.
    pub now: Timestamp,
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

/// Which upgrades are listed.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Only of this executor.
    pub executor_id: Option<Uuid>,
    /// Only in one of these stages.
    pub stages: Vec<Stage>,
    /// Only those requested before this one.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
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

    /// Puts `after` in the place of `before`; `None` when there is something else by now.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn swap_upgrade(
        &self,
        before: Upgrade,
        after: Upgrade,
        now: Timestamp,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.write(move |sql| {
            let known = sql
                .prepare_cached("SELECT * FROM upgrades WHERE id = ?1")?
                .query_row(params![before.shown.id], |row| {
                    Ok((rows::read(row)?, row.get::<_, Word<Uuid>>("executor_id")?.0))
                })
                .optional()?;
            let Some((known, executor_id)) = known else { return Ok(None) };
            if upgrade::is_durable_change(&known, &before) {
                return Ok(None);
            }
            rows::update(sql, &after)?;
            events::note_move(sql, Some(&known), &after, now)?;
            if let Some(action) = ended(&known, &after) {
                note(sql, CONTROL_PLANE, action, (Some(&known), &after), None, now)?;
            }
            executors::revised(sql, executor_id).map(Some)
        })
        .await
    }

    /// Upgrades of an account, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn upgrades(&self, account_id: Uuid, listed: Listed) -> Result<Vec<Upgrade>, StoreError> {
        self.read(move |sql| {
            let stages: Vec<&str> = listed.stages.iter().map(|stage| stage.as_str()).collect();
            let mut rows = sql.prepare_cached(
                "SELECT * FROM upgrades WHERE account_id = :account
                   AND (:executor IS NULL OR executor_id = :executor)
                   AND (:before IS NULL OR id < :before)
                   AND stage IN (SELECT value FROM json_each(:stages))
                 ORDER BY id DESC LIMIT :limit",
            )?;
            rows.query_map(
                named_params! {
                    ":account": Word(&account_id),
                    ":executor": listed.executor_id.as_ref().map(Word),
                    ":before": listed.before.as_ref().map(Word),
                    ":stages": Json(&stages),
                    ":limit": listed.limit,
                },
                rows::read,
            )?
            .collect()
        })
        .await
    }

    /// How many upgrades of all accounts stand at each stage; a stage with none is left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn upgrades_by_stage(&self) -> Result<Vec<(Stage, u64)>, StoreError> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached("SELECT stage, count(*) FROM upgrades GROUP BY stage")?;
            rows.query_map([], |row| Ok((row.get::<_, Word<_>>(0)?.0, row.get::<_, Count>(1)?.0)))?.collect()
        })
        .await
    }

    /// One upgrade of an account, with its log.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn upgrade(&self, account_id: Uuid, id: Uuid) -> Result<Option<Upgrade>, StoreError> {
        self.read(move |sql| {
            let found = sql
                .prepare_cached("SELECT * FROM upgrades WHERE id = ?1 AND account_id = ?2")?
                .query_row(params![Word(&id), Word(&account_id)], rows::read)
                .optional()?;
            let Some(mut upgrade) = found else { return Ok(None) };
            let mut lines = sql.prepare_cached(
                "SELECT at, level, message FROM upgrade_log WHERE upgrade_id = ?1 AND status IS NULL ORDER BY seq",
            )?;
            upgrade.shown.log = lines
                .query_map(params![Word(&id)], |row| {
                    Ok(LogLine {
                        at: row.get::<_, Word<_>>(0)?.0,
                        level: row.get::<_, Word<_>>(1)?.0,
                        message: row.get(2)?,
                    })
                })?
                .collect::<Sql<_>>()?;
            Ok(Some(upgrade))
        })
        .await
    }
}

fn request(sql: &Connection, order: &UpgradeOrder) -> Sql<Result<Snapshot, RequestRefused>> {
    let Some(executor) = executors::executor(sql, order.by.account_id, order.executor_id)? else {
        return Ok(Err(RequestRefused::NoExecutor));
    };
    if let Some(open) = open_id(sql, executor.id)? {
        return Ok(Err(RequestRefused::AlreadyPending { upgrade_id: open.to_string() }));
    }
    let (from, target) = (&executor.current_version, &order.target_version);
    let Some(direction) = reach::direction(from, target) else {
        return Ok(Err(RequestRefused::SameVersion(from.clone())));
    };
    let Offered { artifact, channel } = match offered_artifact(sql, &executor, target)? {
        Ok(offered) => offered,
        Err(refused) => return Ok(Err(refused)),
    };
    let approval = four_eyes::are_wanted(sql, order.by.account_id, channel)?.then(Approval::default);
    let upgrade = Upgrade {
        account_id: order.by.account_id,
        ended_by_server: false,
        shown: people::Upgrade {
            id: order.id.to_string(),
            executor_id: executor.id.to_string(),
            executor_name: executor.name.clone(),
            kind: executor.kind,
            r#type: executor.kind.as_str().to_owned(),
            from_version: from.clone(),
            target_version: target.clone(),
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
            requested_by: order.by.name.clone(),
            created_at: order.now,
            scheduled_at: order.scheduled_at,
            deadline: order.deadline,
            overdue: false,
            started_by: None,
            forced: false,
            approval,
            validation: None,
            waits_for: None,
            offered_at: None,
            expires_at: order.expires_at,
            started_at: None,
            ended_at: None,
            log: Vec::new(),
        },
        artifact,
    };
    rows::insert(sql, &upgrade)?;
    events::note_move(sql, None, &upgrade, order.now)?;
    note(sql, &order.by.name, Action::UpgradeRequested, (None, &upgrade), None, order.now)?;
    if upgrade.shown.approval.is_some() {
        note(sql, CONTROL_PLANE, Action::UpgradeApprovalWanted, (None, &upgrade), None, order.now)?;
    }
    let facts = steering::facts(sql, &upgrade, order.calendar.clone())?;
    rows::update(sql, &steering::offered_if_clear(&upgrade, &facts, order.ttl_ms, order.now))?;
    executors::revised(sql, executor.id).map(Ok)
}

/// What is offered to an executor.
pub(super) struct Offered {
    pub artifact: Artifact,
    pub channel: Channel,
}

/// The artifact of a release that the executor can go to in one step.
pub(super) fn offered_artifact(
    sql: &Connection,
    executor: &Executor,
    target: &Version,
) -> Sql<Result<Offered, RequestRefused>> {
    let release = releases::by_version(sql, executor.account_id, executor.kind, target)?
        .filter(|release| reach::is_offered(executor.standpoint(), release));
    let offered = release.and_then(|release| {
        let artifact = release.artifacts.into_iter().find(|artifact| artifact.target == executor.target)?;
        Some(Offered { artifact, channel: release.channel })
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

/// Moves the upgrade a report is about, and keeps the lines it brings; answers whether anything changed.
pub(super) fn absorb_report(
    sql: &Connection,
    executor: &Executor,
    report: &UpgradeReport,
    now: Timestamp,
) -> Sql<bool> {
    let known = sql
        .prepare_cached("SELECT * FROM upgrades WHERE id = ?1 AND executor_id = ?2")?
        .query_row(params![report.upgrade_id, Word(&executor.id)], rows::read)
        .optional()?;
    let Some(known) = known.filter(|known| upgrade::is_about(report, known)) else { return Ok(false) };
    let mut moved = upgrade::absorb(&known, report, now);
    // One at a time: what was given up comes back only while nothing has taken its place.
    if !known.is_open() && moved.is_open() && open_id(sql, executor.id)?.is_some() {
        moved = known.clone();
    }
    let has_moved = upgrade::is_durable_change(&known, &moved);
    if has_moved {
        rows::update(sql, &moved)?;
        events::note_move(sql, Some(&known), &moved, now)?;
        let actor = format!("executor {}", executor.name);
        let is_dry_run = known.is_dry_run();
        if !known.is_picked_up() && moved.is_picked_up() && !is_dry_run {
            note(sql, &actor, Action::UpgradeStarted, (Some(&known), &moved), None, now)?;
        }
        if let Some(action) = ended(&known, &moved) {
            note(sql, &actor, action, (Some(&known), &moved), None, now)?;
        }
    }
    events::keep_lines(sql, &moved, report.attempt, &report.log)?;
    Ok(has_moved)
}

/// What came to its end between the two, if anything did.
fn ended(before: &Upgrade, after: &Upgrade) -> Option<Action> {
    if before.is_dry_run() && !after.is_dry_run() && after.is_open() {
        return Some(Action::UpgradeValidated);
    }
    let has_ended = before.is_open() && !after.is_open() || before.ended_by_server && !after.ended_by_server;
    has_ended.then_some(Action::UpgradeEnded)
}

/// Tells of an upgrade under the id of the upgrade and the name of its executor.
pub(super) fn note(
    sql: &Connection,
    actor: &str,
    action: Action,
    (before, after): (Option<&Upgrade>, &Upgrade),
    said: Option<&str>,
    now: Timestamp,
) -> Sql<()> {
    let json = |upgrade: &Upgrade| {
        let shown = &upgrade.shown;
        serde_json::json!({
            "executorId": shown.executor_id, "fromVersion": shown.from_version,
            "targetVersion": shown.target_version, "stage": shown.stage, "status": shown.status,
            "attempt": shown.attempt, "intent": shown.intent, "scheduledAt": shown.scheduled_at,
            "forced": shown.forced, "error": shown.error.as_ref().map(|error| &error.code),
        })
    };
    let trouble = match action {
        Action::UpgradeValidated => after.shown.validation.as_ref().and_then(|it| it.error.as_ref()),
        _ => after.shown.error.as_ref(),
    };
    let reason = match (action, said) {
        (Action::UpgradeRequested, _) => &after.shown.description,
        (_, Some(reason)) => reason,
        (_, None) => trouble.map_or("", |error| &error.message),
    };
    let (before, json_after) = (before.map(json), Some(json(after)));
    let deed = Deed::by(actor, after.account_id, now, action);
    let (target, name) = (after.shown.id.as_str(), after.shown.executor_name.as_str());
    append(sql, Deed { target, name, reason, before, after: json_after, ..deed })
}

pub(super) fn latest(sql: &Connection, executor_id: Uuid) -> Sql<Option<Upgrade>> {
    sql.prepare_cached("SELECT * FROM upgrades WHERE executor_id = ?1 ORDER BY id DESC LIMIT 1")?
        .query_row(params![Word(&executor_id)], rows::read)
        .optional()
}

pub(super) fn open_id(sql: &Connection, executor_id: Uuid) -> Sql<Option<Uuid>> {
    let open: Option<Word<Uuid>> = sql
        .prepare_cached("SELECT id FROM upgrades WHERE executor_id = ?1 AND ended_at IS NULL")?
        .query_row(params![Word(&executor_id)], |row| row.get(0))
        .optional()?;
    Ok(open.map(|Word(id)| id))
}
