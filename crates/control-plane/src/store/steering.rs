//! What people say about an upgrade, held against everything it depends on in one transaction.

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::{Action, Approval, Wait};
use novacula_protocol::sync::LogLine;
use novacula_protocol::{LogLevel, reach};
use uuid::Uuid;

use super::column::{Time, Word};
use super::requests::{RequestRefused, offered_artifact};
use super::sql::{Connection, Error, OptionalExtension, params};
use super::steering_tried::may_approve;
use super::upgrades::{note, open_id};
use super::{Person, Sql, Store, StoreError, events, executors, steps, upgrade_rows as rows};
use crate::executor::Snapshot;
use crate::upgrade::{self, Ask, Facts, NotAllowed, Upgrade};

/// The nearest time that an upgrade can be put off to.
const SOONEST: SignedDuration = SignedDuration::from_hours(1);

/// What a person says about an upgrade.
#[derive(Clone, Debug)]
pub struct Steer {
    /// Which.
    pub upgrade_id: Uuid,
    /// Who says it, in which account.
    pub by: Person,
    /// What.
    pub ask: Ask,
    /// Past what stands in the way.
    pub force: bool,
    /// Why; empty where nobody has to say.
    pub reason: String,
    /// The new time, where it is put off.
    pub scheduled_at: Option<Timestamp>,
    /// The freeze or window that stops it.
    pub calendar: Option<Wait>,
    /// How long its executor has to pick it up.
    pub ttl_ms: u64,
    /// When it is said.
    pub now: Timestamp,
}

/// Why a person's word is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SteerRefused {
    /// The account has no such upgrade.
    #[error("there is no such upgrade")]
    NoUpgrade,
    /// It is not the time for that.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Something stands in the way.
    #[error("the upgrade cannot start: {}", .0.message)]
    Waits(Wait),
    /// The new attempt could not be requested either.
    #[error(transparent)]
    Request(#[from] RequestRefused),
    /// Too soon, or after the deadline.
    #[error("the new time must lie between {earliest} and {}, it is {asked}", latest.map_or("any later time".to_owned(), |at| at.to_string()))]
    OutsideRange {
        /// An hour from now.
        earliest: Timestamp,
        /// The deadline.
        latest: Option<Timestamp>,
        /// What was asked for.
        asked: Timestamp,
    },
    /// Upgrades of different types keep their order.
    #[error(
        "the upgrade {upgrade_id} of type {kind} is scheduled for {at}, and upgrades of different types keep their order; choose a time on this side of it, or reschedule that one"
    )]
    Crosses {
        /// Which it would cross.
        upgrade_id: String,
        /// Of which type.
        kind: String,
        /// When that is due.
        at: Timestamp,
    },
    /// Nobody is asked for an approval.
    #[error("the upgrade wants no approval, or has it already")]
    ApprovalNotWanted,
    /// Four eyes are two people's.
    #[error("{0} requested the upgrade, somebody else has to approve it")]
    OwnRequest(String),
}

impl Store {
    /// Does what a person says, if it is the time for it.
    ///
    /// # Errors
    /// When the store does not answer; inside, why not.
    pub async fn steer(&self, steer: Steer) -> Result<Result<Snapshot, SteerRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            Ok(match steered(sql, &steer) {
                Ok(snapshot) => Ok(snapshot),
                Err(Stop::Refused(refused)) => Err(refused),
                Err(Stop::Engine(e)) => return Err(e),
            })
        })
        .await
    }

    /// Says yes to somebody else's upgrade; what waited only for that is offered.
    ///
    /// # Errors
    /// When the store does not answer; inside, why not.
    pub async fn approve(&self, steer: Steer) -> Result<Result<Snapshot, SteerRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(before) = find(sql, &steer)? else { return Ok(Err(SteerRefused::NoUpgrade)) };
            if let Err(refused) = may_approve(&steer, &before) {
                return Ok(Err(refused));
            }
            let (approved_by, approved_at) = (Some(steer.by.name.clone()), Some(steer.now));
            let mut after = before.clone();
            after.shown.approval = Some(Approval { approved_by, approved_at });
            let facts = facts(sql, &after, steer.calendar.clone())?;
            after = offered_if_clear(&after, &facts, steer.ttl_ms, steer.now);
            keep(sql, &steer.said(), Action::UpgradeApproved, (&before, &after)).map(Ok)
        })
        .await
    }

    /// Offers an upgrade that waits, if nothing stands in its way any more; `None` while something does.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn offer_upgrade(
        &self,
        id: Uuid,
        calendar: Option<Wait>,
        ttl_ms: u64,
        now: Timestamp,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.write(move |sql| {
            let known = sql
                .prepare_cached("SELECT * FROM upgrades WHERE id = ?1")?
                .query_row(params![Word(&id)], rows::read)
                .optional()?;
            let Some(before) = known else { return Ok(None) };
            let after = offered_if_clear(&before, &facts(sql, &before, calendar)?, ttl_ms, now);
            if after == before {
                return Ok(None);
            }
            rows::update(sql, &after)?;
            revised(sql, &after).map(Some)
        })
        .await
    }

    /// What an upgrade depends on besides itself.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn facts(&self, upgrade: Upgrade, calendar: Option<Wait>) -> Result<Facts, StoreError> {
        self.read(move |sql| facts(sql, &upgrade, calendar)).await
    }
}

/// Why the work stops in the middle.
pub(super) enum Stop {
    Refused(SteerRefused),
    Engine(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl<E: Into<SteerRefused>> From<E> for Stop {
    fn from(refused: E) -> Self {
        Self::Refused(refused.into())
    }
}

fn steered(sql: &Connection, steer: &Steer) -> Result<Snapshot, Stop> {
    let before = find(sql, steer)?.ok_or(SteerRefused::NoUpgrade)?;
    let after = moved(sql, steer, &before)?;
    Ok(keep(sql, &steer.said(), action(steer.ask), (&before, &after))?)
}

/// The upgrade after that word; reads, and keeps nothing.
pub(super) fn moved(sql: &Connection, steer: &Steer, before: &Upgrade) -> Result<Upgrade, Stop> {
    let mut after = upgrade::steer(before, steer.ask, steer.now)?;
    let is_brought_back = !before.is_open() && after.is_open();
    if is_brought_back && let Some(open) = open_id(sql, executor_id(before)?)? {
        return Err(RequestRefused::AlreadyPending { upgrade_id: open.to_string() }.into());
    }
    if after.shown.attempt != before.shown.attempt {
        renew(sql, steer, &mut after)?;
    }
    match steer.ask {
        Ask::Start => start(sql, steer, before, &mut after)?,
        Ask::Validate => {
            after.note_validation(&steer.by.name, steer.now);
            after.may_be_picked_up_for(steer.ttl_ms, steer.now);
        }
        Ask::Reschedule => reschedule(sql, steer, before, &mut after)?,
        Ask::Retry | Ask::Continue if after.is_waiting() => {
            if is_brought_back {
                after.shown.started_by = Some(steer.by.name.clone());
                after.shown.scheduled_at = steer.now;
                after.shown.forced = steer.force;
            }
            let facts = facts(sql, &after, steer.calendar.clone())?;
            after = offered_if_clear(&after, &facts, steer.ttl_ms, steer.now);
        }
        _ => {}
    }
    Ok(after)
}

/// A person starts it: that it is not due yet is no reason against.
fn start(sql: &Connection, steer: &Steer, before: &Upgrade, after: &mut Upgrade) -> Result<(), Stop> {
    let facts = facts(sql, before, steer.calendar.clone())?;
    let stopped = upgrade::by_people(before, &facts.open_prerequisites);
    let in_the_way = || if steer.force { None } else { upgrade::in_the_way(before, &facts) };
    if let Some(wait) = stopped.or_else(in_the_way) {
        return Err(SteerRefused::Waits(wait).into());
    }
    after.shown.started_by = Some(steer.by.name.clone());
    after.shown.forced = steer.force;
    after.shown.scheduled_at = before.shown.scheduled_at.min(steer.now);
    after.may_be_picked_up_for(steer.ttl_ms, steer.now);
    Ok(())
}

fn reschedule(sql: &Connection, steer: &Steer, before: &Upgrade, after: &mut Upgrade) -> Result<(), Stop> {
    let earliest = steer.now + SOONEST;
    let latest = before.shown.deadline;
    let asked = steer.scheduled_at.unwrap_or(earliest);
    if asked < earliest || latest.is_some_and(|latest| latest < asked) {
        return Err(SteerRefused::OutsideRange { earliest, latest, asked }.into());
    }
    // Where it is only tried, some time may do that the soonest would not.
    if steer.scheduled_at.is_none() {
        return Ok(());
    }
    let known = before.shown.scheduled_at;
    let crossed = sql
        .prepare_cached(
            "SELECT id, type, scheduled_at FROM upgrades
             WHERE account_id = ?1 AND id <> ?2 AND type <> ?3 AND ended_at IS NULL AND started_at IS NULL
               AND scheduled_at BETWEEN ?4 AND ?5 ORDER BY scheduled_at, id LIMIT 1",
        )?
        .query_row(
            params![
                Word(&before.account_id),
                before.shown.id,
                before.shown.r#type,
                Time(known.min(asked)),
                Time(known.max(asked)),
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Time>(2)?.0)),
        )
        .optional()?;
    if let Some((upgrade_id, kind, at)) = crossed {
        return Err(SteerRefused::Crosses { upgrade_id, kind, at }.into());
    }
    after.shown.scheduled_at = asked;
    after.shown.forced = false;
    after.may_be_picked_up_for(steer.ttl_ms, asked);
    Ok(())
}

/// A new attempt starts from what runs now, with what is offered now.
fn renew(sql: &Connection, steer: &Steer, after: &mut Upgrade) -> Result<(), Stop> {
    let executor = executors::executor(sql, steer.by.account_id, executor_id(after)?)?
        .ok_or(RequestRefused::NoExecutor)?;
    let offered = offered_artifact(sql, &executor, &after.shown.target_version)??;
    let from = &executor.current_version;
    after.shown.from_version = from.clone();
    after.shown.direction = reach::direction(from, &after.shown.target_version)
        .ok_or_else(|| RequestRefused::SameVersion(from.clone()))?;
    after.shown.bytes_total = offered.artifact.size;
    after.artifact = offered.artifact;
    Ok(())
}

/// The upgrade as it is, or offered where nothing stands in its way.
pub(super) fn offered_if_clear(upgrade: &Upgrade, facts: &Facts, ttl_ms: u64, now: Timestamp) -> Upgrade {
    match upgrade::gate(upgrade, facts, now) {
        None => upgrade::offer(upgrade, ttl_ms, now),
        Some(_) => upgrade.clone(),
    }
}

/// What an upgrade depends on besides itself.
pub(super) fn facts(sql: &Connection, upgrade: &Upgrade, calendar: Option<Wait>) -> Sql<Facts> {
    let shown = &upgrade.shown;
    let older = sql
        .prepare_cached(
            "SELECT id, type, executor_name FROM upgrades
             WHERE account_id = ?1 AND type <> ?2 AND ended_at IS NULL AND started_at IS NULL
               AND (scheduled_at, id) < (?3, ?4) ORDER BY scheduled_at, id LIMIT 1",
        )?
        .query_row(
            params![Word(&upgrade.account_id), shown.r#type, Time(shown.scheduled_at), shown.id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    Ok(Facts { open_prerequisites: steps::open_prerequisites(sql, upgrade)?, older, calendar })
}

/// Who says something about an upgrade, why and when.
pub(super) struct Said<'a> {
    pub actor: &'a str,
    pub reason: &'a str,
    pub now: Timestamp,
}

impl Steer {
    fn said(&self) -> Said<'_> {
        Said { actor: &self.by.name, reason: &self.reason, now: self.now }
    }
}

/// What a fleet plan says about one of its upgrades; `None` where it is not the time for that any more.
pub(super) fn steer_for_plan(sql: &Connection, id: &str, ask: Ask, said: &Said<'_>) -> Sql<Option<Snapshot>> {
    let known = sql
        .prepare_cached("SELECT * FROM upgrades WHERE id = ?1")?
        .query_row(params![id], rows::read)
        .optional()?;
    let Some(before) = known else { return Ok(None) };
    match upgrade::steer(&before, ask, said.now) {
        Ok(after) => keep(sql, said, action(ask), (&before, &after)).map(Some),
        Err(_) => Ok(None),
    }
}

fn keep(
    sql: &Connection,
    said: &Said<'_>,
    action: Action,
    (before, after): (&Upgrade, &Upgrade),
) -> Sql<Snapshot> {
    let Said { actor, reason, now } = *said;
    rows::update(sql, after)?;
    events::keep(sql, events::of_move(Some(before), after, now))?;
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let line = LogLine { at: now, level: LogLevel::Info, message: format!("{action} by {actor}{why}") };
    events::keep(sql, events::of_lines(after, after.shown.attempt, &[line]))?;
    note(sql, actor, action, (Some(before), after), Some(reason), now)?;
    revised(sql, after)
}

pub(super) fn find(sql: &Connection, steer: &Steer) -> Sql<Option<Upgrade>> {
    sql.prepare_cached("SELECT * FROM upgrades WHERE id = ?1 AND account_id = ?2")?
        .query_row(params![Word(&steer.upgrade_id), Word(&steer.by.account_id)], rows::read)
        .optional()
}

fn revised(sql: &Connection, upgrade: &Upgrade) -> Sql<Snapshot> {
    executors::revised(sql, executor_id(upgrade)?)
}

fn executor_id(upgrade: &Upgrade) -> Sql<Uuid> {
    upgrade.shown.executor_id.parse().map_err(|e: uuid::Error| Error::Unfit(e.into()))
}

fn action(ask: Ask) -> Action {
    match ask {
        Ask::Start => Action::UpgradeStartRequested,
        Ask::Validate => Action::UpgradeValidateRequested,
        Ask::Pause => Action::UpgradePauseRequested,
        Ask::Continue => Action::UpgradeContinueRequested,
        Ask::Retry => Action::UpgradeRetryRequested,
        Ask::Reschedule => Action::UpgradeRescheduled,
        Ask::Rollback => Action::UpgradeRollbackRequested,
        Ask::Abandon | Ask::AbandonUnstarted => Action::UpgradeAbandonRequested,
        Ask::Complete => Action::UpgradeCompleteRequested,
    }
}
