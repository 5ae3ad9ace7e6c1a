//! An upgrade as a row.

use novacula_protocol::people::{self, Artifact};
use novacula_protocol::spec::Intent;
use novacula_protocol::sync::ReportError;
use novacula_protocol::{Progress, Stage, Status};
use serde::Serialize;

use super::Sql;
use super::column::{Count, Json, JsonList, JsonText, Time, Word};
use super::sql::{Connection, Row, named_params, params};
use crate::upgrade::Upgrade;

pub(super) fn insert(sql: &Connection, upgrade: &Upgrade) -> Sql<()> {
    let shown = &upgrade.shown;
    sql.prepare_cached(
        "INSERT INTO upgrades (id, account_id, executor_id, executor_name, kind, type, from_version, target_version, direction,
           confirm, intent, attempt, health_window_ms, stage, status, ended_by_server, bytes_done, bytes_total,
           description, requested_by, created_at, scheduled_at, expires_at, target, size, sha256, signature, deadline,
           confirm_start, approval, hops_to, forced, plan_id)
         VALUES (:id, :account, :executor, :name, :kind, :type, :from, :to, :direction, :confirm, :intent, :attempt, :window,
           :stage, :status, :ended_by_server, :done, :total, :description, :by, :created, :scheduled, :expires,
           :target, :size, :sha256, :signature, :deadline, :confirm_start, :approval, :hops_to,
           :forced, :plan)",
    )?
    .execute(named_params! {
        ":id": shown.id,
        ":account": Word(&upgrade.account_id),
        ":executor": shown.executor_id,
        ":name": shown.executor_name,
        ":kind": Word(&shown.kind),
        ":type": shown.r#type,
        ":from": Word(&shown.from_version),
        ":to": Word(&shown.target_version),
        ":direction": Word(&shown.direction),
        ":confirm": Word(&shown.confirm),
        ":intent": Word(&shown.intent),
        ":attempt": shown.attempt,
        ":window": Count(shown.health_window_ms),
        ":stage": Word(&shown.stage),
        ":status": Word(&shown.status),
        ":ended_by_server": upgrade.ended_by_server,
        ":done": Count(shown.bytes_done),
        ":total": Count(shown.bytes_total),
        ":description": shown.description,
        ":by": shown.requested_by,
        ":created": Time(shown.created_at),
        ":scheduled": Time(shown.scheduled_at),
        ":expires": Time(shown.expires_at),
        ":target": upgrade.artifact.target,
        ":size": Count(upgrade.artifact.size),
        ":sha256": upgrade.artifact.sha256,
        ":signature": upgrade.artifact.signature,
        ":deadline": shown.deadline.map(Time),
        ":confirm_start": Word(&shown.confirm_start),
        ":approval": shown.approval.as_ref().map(Json),
        ":hops_to": shown.hops_to.as_ref().map(Word),
        ":forced": shown.forced,
        ":plan": shown.plan_id,
    })?;
    Ok(())
}

/// Everything about it that may change.
pub(super) fn update(sql: &Connection, upgrade: &Upgrade) -> Sql<()> {
    let shown = &upgrade.shown;
    sql.prepare_cached(
        "UPDATE upgrades SET from_version = :from, direction = :direction, target = :target, size = :size,
           sha256 = :sha256, signature = :signature, intent = :intent, attempt = :attempt, stage = :stage,
           status = :status, error = :error, ended_by_server = :ended_by_server, bytes_done = :done, bytes_total = :total,
           scheduled_at = :scheduled, expires_at = :expires, started_by = :started_by, forced = :forced,
           approval = :approval, validation = :validation, offered_at = :offered, started_at = :started, ended_at = :ended
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": shown.id,
        ":from": Word(&shown.from_version),
        ":direction": Word(&shown.direction),
        ":target": upgrade.artifact.target,
        ":size": Count(upgrade.artifact.size),
        ":sha256": upgrade.artifact.sha256,
        ":signature": upgrade.artifact.signature,
        ":intent": Word(&shown.intent),
        ":attempt": shown.attempt,
        ":stage": Word(&shown.stage),
        ":status": Word(&shown.status),
        ":error": shown.error.as_ref().map(Json),
        ":ended_by_server": upgrade.ended_by_server,
        ":done": Count(shown.bytes_done),
        ":total": Count(shown.bytes_total),
        ":scheduled": Time(shown.scheduled_at),
        ":expires": Time(shown.expires_at),
        ":started_by": shown.started_by,
        ":forced": shown.forced,
        ":approval": shown.approval.as_ref().map(Json),
        ":validation": shown.validation.as_ref().map(Json),
        ":offered": shown.offered_at.map(Time),
        ":started": shown.started_at.map(Time),
        ":ended": shown.ended_at.map(Time),
    })?;
    Ok(())
}

/// Keeps where an upgrade at work stands: all that a report may change of it.
pub(super) fn update_report(sql: &Connection, upgrade: &Upgrade) -> Sql<()> {
    let shown = &upgrade.shown;
    sql.prepare_cached(
        "UPDATE upgrades SET intent = ?2, stage = ?3, status = ?4, error = ?5, bytes_done = ?6, bytes_total = ?7
         WHERE id = ?1",
    )?
    .execute(params![
        shown.id,
        Word(&shown.intent),
        Word(&shown.stage),
        Word(&shown.status),
        shown.error.as_ref().map(Json),
        Count(shown.bytes_done),
        Count(shown.bytes_total),
    ])?;
    Ok(())
}

#[derive(Serialize)]
struct Report<'a> {
    id: &'a str,
    intent: Intent,
    stage: Stage,
    status: Status,
    error: Option<JsonText<&'a ReportError>>,
    bytes_done: u64,
    bytes_total: u64,
}

impl<'a> From<&'a Upgrade> for Report<'a> {
    fn from(Upgrade { shown, .. }: &'a Upgrade) -> Self {
        Self {
            id: &shown.id,
            intent: shown.intent,
            stage: shown.stage,
            status: shown.status,
            error: shown.error.as_ref().map(JsonText),
            bytes_done: shown.bytes_done,
            bytes_total: shown.bytes_total,
        }
    }
}

/// The same in one statement for all, on a database that is a way away.
pub(super) fn update_reports<'a>(sql: &Connection, upgrades: impl Iterator<Item = &'a Upgrade>) -> Sql<()> {
    let reports: Vec<_> = upgrades.map(Report::from).collect();
    if reports.is_empty() {
        return Ok(());
    }
    sql.prepare_cached(
        "UPDATE upgrades AS u SET intent = n.intent, stage = n.stage, status = n.status, error = n.error,
           bytes_done = n.bytes_done, bytes_total = n.bytes_total
         FROM json_to_recordset(CAST(CAST(?1 AS TEXT) AS json)) AS n(id TEXT COLLATE \"C\", intent TEXT, stage TEXT,
           status TEXT, error TEXT, bytes_done BIGINT, bytes_total BIGINT)
         WHERE u.id = n.id",
    )?
    .execute(params![JsonList(&reports)])?;
    Ok(())
}

pub(super) fn read(row: &Row<'_>) -> Sql<Upgrade> {
    let time = |name: &str| row.get::<_, Option<Time>>(name).map(|at| at.map(|Time(at)| at));
    let stage = row.get::<_, Word<_>>("stage")?.0;
    Ok(Upgrade {
        account_id: row.get::<_, Word<_>>("account_id")?.0,
        ended_by_server: row.get("ended_by_server")?,
        artifact: Artifact {
            target: row.get("target")?,
            size: row.get::<_, Count>("size")?.0,
            sha256: row.get("sha256")?,
            signature: row.get("signature")?,
        },
        shown: people::Upgrade {
            id: row.get("id")?,
            executor_id: row.get("executor_id")?,
            executor_name: row.get("executor_name")?,
            kind: row.get::<_, Word<_>>("kind")?.0,
            r#type: row.get("type")?,
            from_version: row.get::<_, Word<_>>("from_version")?.0,
            target_version: row.get::<_, Word<_>>("target_version")?.0,
            hops_to: row.get::<_, Option<Word<_>>>("hops_to")?.map(|Word(version)| version),
            direction: row.get::<_, Word<_>>("direction")?.0,
            confirm_start: row.get::<_, Word<_>>("confirm_start")?.0,
            confirm: row.get::<_, Word<_>>("confirm")?.0,
            intent: row.get::<_, Word<_>>("intent")?.0,
            attempt: row.get("attempt")?,
            health_window_ms: row.get::<_, Count>("health_window_ms")?.0,
            stage,
            status: row.get::<_, Word<_>>("status")?.0,
            state: Progress::of(stage),
            bytes_done: row.get::<_, Count>("bytes_done")?.0,
            bytes_total: row.get::<_, Count>("bytes_total")?.0,
            error: row.get::<_, Option<Json<_>>>("error")?.map(|Json(error)| error),
            description: row.get("description")?,
            requested_by: row.get("requested_by")?,
            created_at: row.get::<_, Time>("created_at")?.0,
            scheduled_at: row.get::<_, Time>("scheduled_at")?.0,
            deadline: time("deadline")?,
            overdue: false,
            started_by: row.get("started_by")?,
            forced: row.get("forced")?,
            plan_id: row.get("plan_id")?,
            approval: row.get::<_, Option<Json<_>>>("approval")?.map(|Json(approval)| approval),
            validation: row.get::<_, Option<Json<_>>>("validation")?.map(|Json(validation)| validation),
            waits_for: None,
            actions: Vec::new(),
            offered_at: time("offered_at")?,
            expires_at: row.get::<_, Time>("expires_at")?.0,
            started_at: time("started_at")?,
            ended_at: time("ended_at")?,
            log: Vec::new(),
        },
    })
}
