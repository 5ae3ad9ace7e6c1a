//! Syncs: from memory where they say nothing new, else durable before they are answered.

use std::future::{Ready, ready};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::Either;
use jiff::Timestamp;
use novacula_protocol::sync::{SyncRequest, UpgradeReport};

use super::to_the_end;
use crate::app::App;
use crate::executor::{Asks, IdentityRefused};
use crate::fleet::{Heard, KeyHolder, Print};
use crate::problem::Answer;
use crate::store::{Change, Remembers, StoreError};

/// What came of a sync.
pub(crate) type Outcome = Result<Result<Asks, IdentityRefused>, StoreError>;

impl App {
    /// Takes a sync in and answers what the executor is asked to do: at once where nothing has to be kept, so that no
    /// connection has room for more.
    pub(crate) fn hear_sync<'a>(
        self: &'a Arc<Self>,
        by: KeyHolder,
        said: Arc<SyncRequest>,
        print: Option<Print>,
        now: Timestamp,
    ) -> Either<Ready<Outcome>, impl Future<Output = Outcome> + Send + use<'a>> {
        match self.fleet.hear(by, &said, print, now) {
            Ok(Heard::Known(asks)) if said.upgrade.is_none() => Either::Left(ready(Ok(Ok(asks)))),
            Err(refused) => Either::Left(ready(Ok(Err(refused)))),
            Ok(heard) => Either::Right(self.hear_on(by, said, heard, now)),
        }
    }

    async fn hear_on(
        self: &Arc<Self>,
        by: KeyHolder,
        said: Arc<SyncRequest>,
        heard: Heard,
        now: Timestamp,
    ) -> Outcome {
        let report = said.upgrade.clone();
        let asks = match heard {
            Heard::Known(asks) => Ok(asks),
            Heard::News => self.hear_news(by, said, now).boxed().await?,
            Heard::Changed(change) => match self.store.keep_change(change, self).await? {
                Some(asks) => Ok(asks),
                // Another change was faster: the store hears all of it.
                None => self.hear_news(by, said, now).boxed().await?,
            },
        };
        match asks {
            Ok(asks) => self.tell_of_what_was_dropped(by, asks, report).await.map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// What comes of it for the one who asked.
    pub(crate) fn asks(&self, outcome: Outcome) -> Answer<Asks> {
        Ok(outcome.map_err(|e| self.pace.refuse_for(e))??)
    }

    async fn hear_news(
        self: &Arc<Self>,
        by: KeyHolder,
        said: Arc<SyncRequest>,
        now: Timestamp,
    ) -> Result<Result<Asks, IdentityRefused>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let (restarts, report) = (said.restarts, said.upgrade.clone());
            let stored =
                app.store.sync(by.key_id, app.clock.new_id(), Arc::unwrap_or_clone(said), now).await?;
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
            && let Some(known) = self.store.upgrade(by.account_id, id).boxed().await?
            && known.is_dropped_under_work(&report)
        {
            asks.upgrade = Some(Box::new(known));
        }
        Ok(asks)
    }
}

impl Remembers for App {
    fn remember(&self, change: Change) -> Asks {
        self.fleet.take_over(change)
    }
}
