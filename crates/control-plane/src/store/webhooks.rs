//! Webhooks: who is told.

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::{Action, Webhook, WebhookEvent, WebhookPatch};
use serde_json::json;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Json, Time, Word};
use super::sql::{Connection, OptionalExtension, Row, params};
use super::{Person, Sql, Store, StoreError, deliveries};

/// Each event is written once for each of them, while the fleet waits.
const MAX_WEBHOOKS: u32 = 20;
/// How long what is sent is also signed with the secret before.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// A webhook about to be kept.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Its id.
    pub id: Uuid,
    /// Who makes it, and in which account.
    pub by: Person,
    /// Where to.
    pub url: String,
    /// Of what.
    pub events: Vec<WebhookEvent>,
    /// For people.
    pub description: String,
    /// What it signs with.
    pub secret: String,
    /// When.
    pub now: Timestamp,
}

/// The account has as many webhooks as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account may have at most {MAX_WEBHOOKS} webhooks; delete one first")]
pub struct TooManyWebhooks;

impl Store {
    /// Keeps a webhook.
    ///
    /// # Errors
    /// When the store does not answer; inside, when there are too many.
    pub async fn add_webhook(&self, new: NewWebhook) -> Result<Result<Webhook, TooManyWebhooks>, StoreError> {
        self.write_or_refuse(move |sql| {
            let known: u32 = sql
                .prepare_cached("SELECT count(*) FROM webhooks WHERE account_id = ?1")?
                .query_row(params![Word(&new.by.account_id)], |row| row.get(0))?;
            if known >= MAX_WEBHOOKS {
                return Ok(Err(TooManyWebhooks));
            }
            sql.execute(
                "INSERT INTO webhooks (id, account_id, url, events, description, secret, enabled, created_by, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, TRUE, ?7, ?8)",
                params![
                    Word(&new.id),
                    Word(&new.by.account_id),
                    new.url,
                    Json(&new.events),
                    new.description,
                    new.secret,
                    new.by.name,
                    Time(new.now),
                ],
            )?;
            let made = by_id(sql, new.by.account_id, new.id)?.ok_or(TooManyWebhooks);
            if let Ok(made) = &made {
                note(sql, (&new.by.name, new.by.account_id), Action::WebhookCreated, (None, Some(made)), "", new.now)?;
            }
            Ok(made)
        })
        .await
    }

    /// The webhooks of an account, newest first, from below `before`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn webhooks(
        &self,
        account_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Webhook>, StoreError> {
        self.newest("webhooks", webhook_of, account_id, (before, limit)).await
    }

    /// One webhook of an account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn webhook(&self, account_id: Uuid, id: Uuid) -> Result<Option<Webhook>, StoreError> {
        self.read(move |sql| by_id(sql, account_id, id)).await
    }

    /// Changes what stands in the patch; `None` when the account has no such webhook.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn patch_webhook(
        &self,
        by: Person,
        id: Uuid,
        patch: WebhookPatch,
        now: Timestamp,
    ) -> Result<Option<Webhook>, StoreError> {
        self.write(move |sql| {
            let Some(known) = by_id(sql, by.account_id, id)? else { return Ok(None) };
            let mut webhook = known.clone();
            let WebhookPatch { url, events, description, enabled } = patch;
            // A new address, or a person who says that somebody is there: patience begins anew.
            if url.is_some() || enabled == Some(true) {
                webhook.failing_since = None;
            }
            webhook.url = url.unwrap_or(webhook.url);
            webhook.events = events.unwrap_or(webhook.events);
            webhook.description = description.unwrap_or(webhook.description);
            if let Some(enabled) = enabled {
                webhook.enabled = enabled;
                webhook.disabled_reason = None;
            }
            if webhook == known {
                return Ok(Some(known));
            }
            update(sql, &webhook)?;
            if !webhook.enabled {
                deliveries::drop_pending(sql, id, "the webhook was disabled")?;
            }
            note(
                sql,
                (&by.name, by.account_id),
                Action::WebhookChanged,
                (Some(&known), Some(&webhook)),
                "",
                now,
            )?;
            Ok(Some(webhook))
        })
        .await
    }

    /// Gives a webhook another secret; for a day both sign. `None` when the account has no such webhook.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn rotate_webhook(
        &self,
        by: Person,
        id: Uuid,
        secret: String,
        now: Timestamp,
    ) -> Result<Option<Webhook>, StoreError> {
        self.write(move |sql| {
            if by_id(sql, by.account_id, id)?.is_none() {
                return Ok(None);
            }
            sql.execute(
                "UPDATE webhooks SET previous_secret = secret, secret = ?2, previous_until = ?3 WHERE id = ?1",
                params![Word(&id), secret, Time(now.saturating_add(OVERLAP).unwrap_or(now))],
            )?;
            let webhook = by_id(sql, by.account_id, id)?;
            note(sql, (&by.name, by.account_id), Action::WebhookRotated, (None, webhook.as_ref()), "", now)?;
            Ok(webhook)
        })
        .await
    }

    /// Removes a webhook with its deliveries; `false` when the account has no such webhook.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn delete_webhook(
        &self,
        by: Person,
        id: Uuid,
        reason: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |sql| {
            let Some(known) = by_id(sql, by.account_id, id)? else { return Ok(false) };
            sql.execute("DELETE FROM webhooks WHERE id = ?1", params![Word(&id)])?;
            note(sql, (&by.name, by.account_id), Action::WebhookDeleted, (Some(&known), None), &reason, now)?;
            Ok(true)
        })
        .await
    }
}

/// Tells of a webhook without its path and query: more people read the activity than may know them.
pub(super) fn note(
    sql: &Connection,
    (actor, account_id): (&str, Uuid),
    action: Action,
    (before, after): (Option<&Webhook>, Option<&Webhook>),
    reason: &str,
    now: Timestamp,
) -> Sql<()> {
    let json = |webhook: &Webhook| {
        json!({
            "host": host(&webhook.url), "events": webhook.events, "description": webhook.description,
            "enabled": webhook.enabled,
        })
    };
    let named = after.or(before);
    let target = named.map(|webhook| webhook.id.clone()).unwrap_or_default();
    let name = named.map(|webhook| host(&webhook.url)).unwrap_or_default();
    let (before, after) = (before.map(json), after.map(json));
    let deed = Deed::by(actor, account_id, now, action);
    append(sql, Deed { target: &target, name: &name, reason, before, after, ..deed })
}

fn host(url: &str) -> String {
    url.parse::<axum::http::Uri>().ok().and_then(|uri| Some(uri.authority()?.to_string())).unwrap_or_default()
}

pub(super) fn by_id(sql: &Connection, account_id: Uuid, id: Uuid) -> Sql<Option<Webhook>> {
    sql.prepare_cached("SELECT * FROM webhooks WHERE id = ?1 AND account_id = ?2")?
        .query_row(params![Word(&id), Word(&account_id)], webhook_of)
        .optional()
}

pub(super) fn update(sql: &Connection, webhook: &Webhook) -> Sql<()> {
    sql.prepare_cached(
        "UPDATE webhooks SET url = ?2, events = ?3, description = ?4, enabled = ?5, disabled_reason = ?6,
           failing_since = ?7 WHERE id = ?1",
    )?
    .execute(params![
        webhook.id,
        webhook.url,
        Json(&webhook.events),
        webhook.description,
        webhook.enabled,
        webhook.disabled_reason,
        webhook.failing_since.map(Time),
    ])?;
    Ok(())
}

pub(super) fn webhook_of(row: &Row<'_>) -> Sql<Webhook> {
    let time = |name: &str| row.get::<_, Option<Time>>(name).map(|at| at.map(|Time(at)| at));
    Ok(Webhook {
        id: row.get("id")?,
        url: row.get("url")?,
        events: row.get::<_, Json<_>>("events")?.0,
        description: row.get("description")?,
        enabled: row.get("enabled")?,
        disabled_reason: row.get("disabled_reason")?,
        failing_since: time("failing_since")?,
        previous_secret_until: time("previous_until")?,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}
