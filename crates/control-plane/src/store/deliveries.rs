//! Deliveries: what webhooks are told, kept from the transaction of the event until somebody has heard it.

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::{Action, Activity, Delivery, DeliveryStatus, Webhook, WebhookEvent};
use uuid::Uuid;

use super::activity::CONTROL_PLANE;
use super::column::{Count, Json, Time, Word};
use super::sql::{Connection, OptionalExtension, Row, named_params, params};
use super::{Person, Sql, Store, StoreError, webhooks};
use crate::webhook::{self, Next, PATIENCE, Tried};

const KEPT_A_WEBHOOK: u32 = 100;
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A delivery that is due, with all that it takes to send it.
#[derive(Clone, Debug)]
pub struct Due {
    /// Which.
    pub id: Uuid,
    /// To which webhook.
    pub webhook_id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// Where to.
    pub url: String,
    /// What signs it: the secret, and the one before while it still counts.
    pub secrets: Vec<String>,
    /// To the byte.
    pub payload: String,
    /// The last try at this webhook failed.
    pub is_failing: bool,
}

/// Why a delivery is not ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryRefused {
    /// The account has no such webhook, or the webhook no such delivery.
    NotFound,
    /// The webhook is told nothing.
    Disabled,
}

impl Store {
    /// The deliveries to a webhook of an account, newest first, from below `before`; `None` when there is no such
    /// webhook.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn deliveries(
        &self,
        account_id: Uuid,
        webhook_id: Uuid,
        status: Option<DeliveryStatus>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Option<Vec<Delivery>>, StoreError> {
        self.read(move |sql| {
            if webhooks::by_id(sql, account_id, webhook_id)?.is_none() {
                return Ok(None);
            }
            let mut rows = sql.prepare_cached(
                "SELECT * FROM webhook_deliveries WHERE webhook_id = :webhook AND (CAST(:status AS TEXT) IS NULL OR status = :status)
                   AND (CAST(:before AS TEXT) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit",
            )?;
            let found = rows.query_map(
                named_params! {
                    ":webhook": Word(&webhook_id),
                    ":status": status.as_ref().map(Word),
                    ":before": before.as_ref().map(Word),
                    ":limit": limit,
                },
                delivery_of,
            )?;
            found.collect::<Sql<_>>().map(Some)
        })
        .await
    }

    /// Orders a test of a webhook.
    ///
    /// # Errors
    /// When the store does not answer; inside, when there is nobody to be told.
    pub async fn test_webhook(
        &self,
        by: Person,
        webhook_id: Uuid,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Result<Delivery, DeliveryRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let webhook = match told(sql, &by, webhook_id)? {
                Ok(webhook) => webhook,
                Err(refused) => return Ok(Err(refused)),
            };
            let payload = webhook::test_payload(webhook_id, &by.name, now);
            insert(sql, webhook_id, id, WebhookEvent::WebhookTest, &payload, now)?;
            webhooks::note(
                sql,
                (&by.name, by.account_id),
                Action::WebhookTested,
                (None, Some(&webhook)),
                "",
                now,
            )?;
            Ok(by_id(sql, webhook_id, id)?.ok_or(DeliveryRefused::NotFound))
        })
        .await
    }

    /// Has a delivery sent again, as if it had never been tried.
    ///
    /// # Errors
    /// When the store does not answer; inside, when there is nothing to send or nobody to be told.
    pub async fn retry_delivery(
        &self,
        by: Person,
        webhook_id: Uuid,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Result<Delivery, DeliveryRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let webhook = match told(sql, &by, webhook_id)? {
                Ok(webhook) => webhook,
                Err(refused) => return Ok(Err(refused)),
            };
            sql.execute(
                "UPDATE webhook_deliveries SET status = ?3, attempts = 0, next_attempt_at = ?4
                 WHERE id = ?1 AND webhook_id = ?2",
                params![Word(&id), Word(&webhook_id), Word(&DeliveryStatus::Pending), Time(now)],
            )?;
            let Some(delivery) = by_id(sql, webhook_id, id)? else {
                return Ok(Err(DeliveryRefused::NotFound));
            };
            webhooks::note(
                sql,
                (&by.name, by.account_id),
                Action::WebhookRetried,
                (None, Some(&webhook)),
                "",
                now,
            )?;
            Ok(Ok(delivery))
        })
        .await
    }

    /// What is to be sent now: at most one a webhook, none to those in `busy`, those first that took the last one
    /// and have waited the longest.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn due_deliveries(
        &self,
        busy: Vec<Uuid>,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        self.read(move |sql| {
            let mut rows = sql.prepare_cached(
                "SELECT d.id, d.payload, w.id AS webhook_id, w.account_id, w.url, w.secret, w.failing_since,
                   CASE WHEN w.previous_until > :now THEN w.previous_secret END AS previous_secret
                 FROM webhooks w JOIN webhook_deliveries d ON d.id =
                   (SELECT id FROM webhook_deliveries
                    WHERE webhook_id = w.id AND status = 'pending' AND next_attempt_at <= :now
                    ORDER BY next_attempt_at, id LIMIT 1)
                 WHERE w.enabled AND w.id NOT IN (SELECT value FROM json_each(:busy))
                 ORDER BY w.failing_since IS NOT NULL, w.last_attempt_at NULLS FIRST, w.id LIMIT :limit",
            )?;
            rows.query_map(
                named_params! { ":now": Time(now), ":busy": Json(&busy), ":limit": Count(limit as u64) },
                |row| {
                    Ok(Due {
                        id: row.get::<_, Word<_>>("id")?.0,
                        webhook_id: row.get::<_, Word<_>>("webhook_id")?.0,
                        account_id: row.get::<_, Word<_>>("account_id")?.0,
                        url: row.get("url")?,
                        secrets: [Some(row.get("secret")?), row.get("previous_secret")?]
                            .into_iter()
                            .flatten()
                            .collect(),
                        payload: row.get("payload")?,
                        is_failing: row.get::<_, Option<i64>>("failing_since")?.is_some(),
                    })
                },
            )?
            .collect()
        })
        .await
    }

    /// Keeps what came of a try, and what follows from it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn note_try(&self, due: Due, tried: Tried, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |sql| note_try(sql, &due, &tried, now)).await
    }

    /// Drops what is old.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn drop_old_deliveries(&self, now: Timestamp) -> Result<(), StoreError> {
        let old = now.saturating_sub(KEPT_FOR).unwrap_or(now);
        self.write(move |sql| {
            let drop = "DELETE FROM webhook_deliveries WHERE status <> 'pending' AND created_at < ?1";
            sql.execute(drop, params![Time(old)]).map(|_| ())
        })
        .await
    }

    /// How many deliveries wait, of all accounts.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn pending_deliveries(&self) -> Result<u64, StoreError> {
        self.read(|sql| {
            sql.prepare_cached("SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'")?
                .query_row([], |row| row.get::<_, Count>(0))
                .map(|Count(count)| count)
        })
        .await
    }
}

/// Writes an entry of the activity down for each webhook that wants to hear of it.
pub(super) fn enqueue(sql: &Connection, account_id: Uuid, entry: &Activity) -> Sql<()> {
    let Some(event) = webhook::event_of(entry) else { return Ok(()) };
    let wanting: Vec<Uuid> = sql
        .prepare_cached(
            "SELECT id FROM webhooks WHERE account_id = ?1 AND enabled
               AND EXISTS (SELECT 1 FROM json_each(events) WHERE value = ?2)",
        )?
        .query_map(params![Word(&account_id), Word(&event)], |row| Ok(row.get::<_, Word<_>>(0)?.0))?
        .collect::<Sql<_>>()?;
    for webhook_id in wanting {
        let id = webhook::delivery_id(webhook_id, entry);
        insert(sql, webhook_id, id, event, &webhook::payload(event, entry), entry.at)?;
    }
    Ok(())
}

/// Gives up what waits for a webhook.
pub(super) fn drop_pending(sql: &Connection, webhook_id: Uuid, why: &str) -> Sql<()> {
    sql.prepare_cached(
        "UPDATE webhook_deliveries SET status = ?2, next_attempt_at = NULL, last_answer = coalesce(last_answer, ?3)
         WHERE webhook_id = ?1 AND status = 'pending'",
    )?
    .execute(params![Word(&webhook_id), Word(&DeliveryStatus::GivenUp), why])?;
    Ok(())
}

fn note_try(sql: &Connection, due: &Due, tried: &Tried, now: Timestamp) -> Sql<()> {
    // The webhook may be gone by now, and the delivery with it.
    let Some(mut webhook) = webhooks::by_id(sql, due.account_id, due.webhook_id)? else { return Ok(()) };
    let Some(known) = by_id(sql, due.webhook_id, due.id)? else { return Ok(()) };
    let attempts = known.attempts + 1;
    let next = webhook::next(due.id, attempts, tried, now);
    let (status, next_at) = match (known.status, next) {
        (_, Next::Delivered) => (DeliveryStatus::Delivered, None),
        (DeliveryStatus::Pending, Next::At(at)) => (DeliveryStatus::Pending, Some(at)),
        _ => (DeliveryStatus::GivenUp, None),
    };
    sql.prepare_cached(
        "UPDATE webhook_deliveries SET status = ?2, attempts = ?3, next_attempt_at = ?4, last_attempt_at = ?5,
           last_status = ?6, last_answer = ?7 WHERE id = ?1",
    )?
    .execute(params![
        Word(&due.id),
        Word(&status),
        attempts,
        next_at.map(Time),
        Time(now),
        tried.status,
        tried.said,
    ])?;
    sql.prepare_cached("UPDATE webhooks SET last_attempt_at = ?2 WHERE id = ?1")?
        .execute(params![Word(&due.webhook_id), Time(now)])?;
    // A try at an address that was changed meanwhile says nothing about the new one.
    if webhook.url == due.url {
        let before = webhook.clone();
        judge(&mut webhook, next, now);
        if webhook != before {
            webhooks::update(sql, &webhook)?;
        }
        if let Some(reason) = webhook.disabled_reason.as_ref().filter(|_| before.enabled && !webhook.enabled)
        {
            drop_pending(sql, due.webhook_id, reason)?;
            let (by, change) = ((CONTROL_PLANE, due.account_id), (Some(&before), Some(&webhook)));
            webhooks::note(sql, by, Action::WebhookDisabled, change, reason, now)?;
        }
    }
    keep_the_last(sql, due.webhook_id)
}

fn judge(webhook: &mut Webhook, next: Next, now: Timestamp) {
    if next == Next::Delivered {
        webhook.failing_since = None;
        return;
    }
    let since = *webhook.failing_since.get_or_insert(now);
    let why = match next {
        Next::Gone => "it answered with 410 Gone".to_owned(),
        _ if now.duration_since(since) >= PATIENCE => format!("every try since {since} has failed"),
        _ => return,
    };
    if webhook.enabled {
        webhook.enabled = false;
        webhook.disabled_reason = Some(why);
    }
}

fn keep_the_last(sql: &Connection, webhook_id: Uuid) -> Sql<()> {
    sql.prepare_cached(
        "DELETE FROM webhook_deliveries WHERE webhook_id = ?1 AND status <> 'pending' AND id NOT IN
           (SELECT id FROM webhook_deliveries WHERE webhook_id = ?1 AND status <> 'pending' ORDER BY id DESC LIMIT ?2)",
    )?
    .execute(params![Word(&webhook_id), KEPT_A_WEBHOOK])?;
    Ok(())
}

/// The webhook, if it is told anything.
fn told(sql: &Connection, by: &Person, webhook_id: Uuid) -> Sql<Result<Webhook, DeliveryRefused>> {
    Ok(match webhooks::by_id(sql, by.account_id, webhook_id)? {
        Some(webhook) if webhook.enabled => Ok(webhook),
        Some(_) => Err(DeliveryRefused::Disabled),
        None => Err(DeliveryRefused::NotFound),
    })
}

fn insert(
    sql: &Connection,
    webhook_id: Uuid,
    id: Uuid,
    event: WebhookEvent,
    payload: &str,
    now: Timestamp,
) -> Sql<()> {
    sql.prepare_cached(
        "INSERT INTO webhook_deliveries (id, webhook_id, event, payload, status, created_at, next_attempt_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
    )?
    .execute(params![
        Word(&id),
        Word(&webhook_id),
        Word(&event),
        payload,
        Word(&DeliveryStatus::Pending),
        Time(now)
    ])?;
    Ok(())
}

fn by_id(sql: &Connection, webhook_id: Uuid, id: Uuid) -> Sql<Option<Delivery>> {
    sql.prepare_cached("SELECT * FROM webhook_deliveries WHERE id = ?1 AND webhook_id = ?2")?
        .query_row(params![Word(&id), Word(&webhook_id)], delivery_of)
        .optional()
}

fn delivery_of(row: &Row<'_>) -> Sql<Delivery> {
    let time = |name: &str| row.get::<_, Option<Time>>(name).map(|at| at.map(|Time(at)| at));
    Ok(Delivery {
        id: row.get("id")?,
        event: row.get::<_, Word<_>>("event")?.0,
        status: row.get::<_, Word<_>>("status")?.0,
        attempts: row.get("attempts")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        next_attempt_at: time("next_attempt_at")?,
        last_attempt_at: time("last_attempt_at")?,
        last_status: row.get("last_status")?,
        last_answer: row.get("last_answer")?,
        payload: row.get("payload")?,
    })
}
