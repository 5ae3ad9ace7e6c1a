//! Changes that both the store and the memory of the fleet must know: durable first, remembered next, answered last.

use jiff::Timestamp;
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::SyncRequest;
use std::sync::Arc;
use uuid::Uuid;

use crate::app::App;
use crate::executor::{Asks, IdentityRefused, Snapshot};
use crate::fleet::{Heard, KeyHolder};
use crate::key::{ExecutorKey, NewKey};
use crate::secrets::SecretHash;
use crate::store::{Person, RequestRefused, StoreError, UpgradeOrder};

/// A caller that hangs up in the middle must not part the memory from the store, so the work runs without it.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.unwrap_or(Err(StoreError::Stopped))
}

impl App {
    /// Takes a sync in and answers what the executor is asked to do.
    pub(crate) async fn hear_sync(
        self: &Arc<Self>,
        by: KeyHolder,
        said: SyncRequest,
        now: Timestamp,
    ) -> Result<Result<Asks, IdentityRefused>, StoreError> {
        match self.fleet.hear(by, &said, now) {
            Ok(Heard::Known(asks)) => return Ok(Ok(asks)),
            Ok(Heard::News) => {}
            Err(refused) => return Ok(Err(refused)),
        }
        let app = Arc::clone(self);
        to_the_end(async move {
            let restarts = said.restarts;
            let stored = app.store.sync(by.key_id, app.clock.new_id(), said, now).await?;
            Ok(stored.map(|snapshot| {
                let (id, asks) = (snapshot.executor.id, snapshot.asks());
                app.fleet.absorb(snapshot, now);
                app.fleet.seen(id, restarts, now);
                asks
            }))
        })
        .await
    }

    pub(crate) async fn request_upgrade(
        self: &Arc<Self>,
        order: UpgradeOrder,
    ) -> Result<Result<Snapshot, RequestRefused>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let now = order.now;
            let stored = app.store.request_upgrade(order).await?;
            if let Ok(snapshot) = &stored {
                app.fleet.absorb(snapshot.clone(), now);
            }
            Ok(stored)
        })
        .await
    }

    /// Asks an executor for checks; `false` when the account has no such executor.
    pub(crate) async fn ask_for_checks(
        self: &Arc<Self>,
        by: Person,
        id: Uuid,
        checks: Vec<String>,
    ) -> Result<bool, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let now = app.clock.now();
            let stored = app.store.ask_for_checks(by, id, checks, now).await?;
            let is_known = stored.is_some();
            stored.into_iter().for_each(|snapshot| app.fleet.absorb(snapshot, now));
            Ok(is_known)
        })
        .await
    }

    /// Ends what was not picked up in time, and what stands still for too long.
    pub(crate) async fn end_overdue(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for (before, ended) in self.fleet.overdue(self.rules.sync_interval_ms, now) {
            let (id, error) = (ended.shown.id.clone(), ended.shown.error.clone());
            if let Some(snapshot) = self.store.swap_upgrade(before, ended).await? {
                let (code, stage) = error.map(|error| (error.code, error.stage)).unzip();
                tracing::info!(upgrade = id, executor = snapshot.executor.name, code, ?stage, "given up");
                self.fleet.absorb(snapshot, now);
            }
        }
        Ok(())
    }

    /// Makes durable when executors were last heard.
    pub(crate) async fn keep_presence(&self) -> Result<(), StoreError> {
        // In portions, so that no upgrade waits behind a whole fleet's presence.
        for portion in self.fleet.take_heard().chunks(2_000) {
            self.store.keep_presence(portion.to_vec()).await?;
        }
        Ok(())
    }

    pub(crate) async fn delete_executor(
        self: &Arc<Self>,
        by: Person,
        id: Uuid,
    ) -> Result<Result<bool, Uuid>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let deleted = app.store.delete_executor(by, id, app.clock.now()).await?;
            if deleted == Ok(true) {
                app.fleet.forget(id);
            }
            Ok(deleted)
        })
        .await
    }

    pub(crate) async fn add_key(self: &Arc<Self>, new: NewKey) -> Result<ExecutorKey, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let key = app.store.add_key(new).await?;
            app.fleet.add_key(&key);
            Ok(key)
        })
        .await
    }

    pub(crate) async fn revoke_key(self: &Arc<Self>, by: Person, id: Uuid) -> Result<bool, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let is_known = app.store.revoke_key(by, id, app.clock.now()).await?;
            if is_known {
                app.fleet.remove_key(id);
            }
            Ok(is_known)
        })
        .await
    }

    pub(crate) async fn enroll(
        self: &Arc<Self>,
        token: SecretHash,
        kind: Kind,
        name: String,
        new: (Uuid, SecretHash),
    ) -> Result<Result<ExecutorKey, IdentityRefused>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let enrolled = app.store.enroll(token, kind, name, new, app.clock.now()).await?;
            Ok(enrolled.map(|(key, replaced)| {
                if let Some(replaced) = replaced {
                    app.fleet.remove_key(replaced);
                }
                app.fleet.add_key(&key);
                key
            }))
        })
        .await
    }
}
