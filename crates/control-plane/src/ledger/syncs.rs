//! Syncs: from memory where they say nothing new, else durable before they are answered.

use std::sync::Arc;

use jiff::Timestamp;
use novacula_protocol::sync::{SyncRequest, UpgradeReport};

use super::to_the_end;
use crate::app::App;
use crate::executor::{Asks, IdentityRefused, Snapshot};
use crate::fleet::{Heard, KeyHolder};
use crate::store::{Change, StoreError};

impl App {
    /// Takes a sync in and answers what the executor is asked to do.
    pub(crate) async fn hear_sync(
        self: &Arc<Self>,
        by: KeyHolder,
        said: SyncRequest,
        now: Timestamp,
    ) -> Result<Result<Asks, IdentityRefused>, StoreError> {
        let report = said.upgrade.clone();
        let asks = match self.fleet.hear(by, &said, now) {
            Ok(Heard::Known(asks)) => asks,
            Ok(Heard::Changed(change)) => match self.keep_change(*change).await? {
                Some(asks) => asks,
                None => match self.hear_news(by, said, now).await? {
                    Ok(asks) => asks,
                    Err(refused) => return Ok(Err(refused)),
                },
            },
            Ok(Heard::News) => match self.hear_news(by, said, now).await? {
                Ok(asks) => asks,
                Err(refused) => return Ok(Err(refused)),
            },
            Err(refused) => return Ok(Err(refused)),
        };
        self.tell_of_what_was_dropped(by, asks, report).await.map(Ok)
    }

    /// `None` where another change was faster.
    async fn keep_change(self: &Arc<Self>, change: Change) -> Result<Option<Asks>, StoreError> {
        let (app, now) = (Arc::clone(self), change.now);
        let remember = move |after: Snapshot| {
            let (id, restarts) = (after.executor.id, after.executor.restarts);
            app.fleet.absorb(after, now);
            app.fleet.seen(id, restarts, None, now);
        };
        let kept = self.store.keep_change(change, remember).await?;
        Ok(kept.map(|after| after.asks(now)))
    }

    async fn hear_news(
        self: &Arc<Self>,
        by: KeyHolder,
        said: SyncRequest,
        now: Timestamp,
    ) -> Result<Result<Asks, IdentityRefused>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let (restarts, report) = (said.restarts, said.upgrade.clone());
            let stored = app.store.sync(by.key_id, app.clock.new_id(), said, now).await?;
            Ok(stored.map(|snapshot| {
                let (id, asks) = (snapshot.executor.id, snapshot.asks(now));
                app.fleet.absorb(snapshot, now);
                app.fleet.seen(id, restarts, report.as_ref(), now);
                asks
            }))
        })
        .await
    }

    /// An executor may have been told of an upgrade that was dropped before it answered. It hears of that first, before
    /// anything newer.
    async fn tell_of_what_was_dropped(
        &self,
        by: KeyHolder,
        mut asks: Asks,
        report: Option<UpgradeReport>,
    ) -> Result<Asks, StoreError> {
        let is_told = |id: &str| asks.upgrade.as_ref().is_some_and(|told| told.shown.id == id);
        let other = report.filter(|report| !report.stage.is_end() && !is_told(&report.upgrade_id));
        if let Some(report) = other
            && let Ok(id) = report.upgrade_id.parse()
            && let Some(known) = self.store.upgrade(by.account_id, id).await?
            && known.is_dropped_under_work(&report)
        {
            asks.upgrade = Some(Box::new(known));
        }
        Ok(asks)
    }
}
