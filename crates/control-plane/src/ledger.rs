//! Changes that both the store and the memory of the fleet must know: durable first, remembered next, answered last.

mod plans;
mod remember;
mod syncs;

use jiff::Timestamp;
use novacula_protocol::people::{Account, Presence, Wait};
use novacula_protocol::spec::Kind;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

use crate::app::App;
use crate::executor::{IdentityRefused, Snapshot};
use crate::key::{ExecutorKey, NewKey, Rotation, RotationRefused};
use crate::presence::presence;
use crate::secrets::SecretHash;
use crate::store::{
    Labelling, LabelsRefused, PeopleRefused, Person, RequestRefused, Steer, SteerRefused, StoreError, Turn,
    UpgradeOrder, Work,
};
use crate::upgrade::{self, Facts};

pub(crate) use remember::{remember, remember_into};

/// The presence of so few executors is kept in one piece of work, so that whoever has something to keep does not wait
/// behind a whole fleet's.
const KEPT_AT_ONCE: usize = 500;
/// Of a large fleet more are kept at once: each piece takes a commit.
const MOST_PIECES: usize = 200;
/// So many executors are asked for checks in one transaction.
const ASKED_AT_ONCE: usize = 200;

/// A caller that hangs up in the middle must not part the memory from the store, so the work runs without it.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.unwrap_or(Err(StoreError::Stopped))
}

impl App {
    pub(crate) async fn request_upgrade(
        self: &Arc<Self>,
        order: UpgradeOrder,
    ) -> Result<Result<Snapshot, RequestRefused>, StoreError> {
        let now = order.now;
        let store = self.store.clone();
        self.change(now, async move { store.request_upgrade(order).await }).await
    }

    /// Does what a person says about an upgrade.
    pub(crate) async fn steer(
        self: &Arc<Self>,
        steer: Steer,
    ) -> Result<Result<Snapshot, SteerRefused>, StoreError> {
        let now = steer.now;
        let store = self.store.clone();
        self.change(now, async move { store.steer(steer).await }).await
    }

    /// Says yes to somebody else's upgrade.
    pub(crate) async fn approve(
        self: &Arc<Self>,
        steer: Steer,
    ) -> Result<Result<Snapshot, SteerRefused>, StoreError> {
        let now = steer.now;
        let store = self.store.clone();
        self.change(now, async move { store.approve(steer).await }).await
    }

    /// Gives an executor labels, or takes back what people said of them.
    pub(crate) async fn label_executor(
        self: &Arc<Self>,
        order: Labelling,
    ) -> Result<Result<Snapshot, LabelsRefused>, StoreError> {
        let now = order.now;
        let store = self.store.clone();
        self.change(now, async move { store.label_executor(order).await }).await
    }

    async fn change<R: Send + 'static>(
        self: &Arc<Self>,
        now: Timestamp,
        work: impl Future<Output = Result<Result<Snapshot, R>, StoreError>> + Send + 'static,
    ) -> Result<Result<Snapshot, R>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let stored = work.await?;
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

    /// Asks several executors for checks, in portions, so that no upgrade waits behind a whole fleet.
    pub(crate) async fn ask_several_for_checks(
        self: &Arc<Self>,
        by: Person,
        asked: Vec<(Uuid, Vec<String>)>,
    ) -> Result<(), StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let now = app.clock.now();
            for portion in asked.chunks(ASKED_AT_ONCE) {
                let stored = app.store.ask_several_for_checks(by.clone(), portion.to_vec(), now).await?;
                stored.into_iter().for_each(|snapshot| app.fleet.absorb(snapshot, now));
            }
            Ok(())
        })
        .await
    }

    /// What happens by the clock alone, where it is the turn of this control plane.
    pub(crate) async fn tick_in_turn(&self) -> Result<(), StoreError> {
        match self.store.has_turn(Work::Tick, self.clock.now()).await? {
            true => self.tick().await,
            false => Ok(()),
        }
    }

    /// What happens by the clock alone.
    pub(crate) async fn tick(&self) -> Result<(), StoreError> {
        self.end_overdue().await?;
        self.open_gates().await?;
        self.advance_batches().await?;
        self.advance_plans().await
    }

    /// Takes every batch as far as it can go now.
    pub(crate) async fn advance_batches(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for (id, account_id, waiting) in self.store.batches_under_way().await? {
            let turn = |executor_id| {
                let known = self.fleet.executor(account_id, executor_id);
                let seen = known.as_ref().map(|it| it.executor.last_seen_at);
                let is_online = seen
                    .is_some_and(|seen| presence(seen, now, self.heartbeat_timeout_ms()) == Presence::Online);
                let calendar = known.and_then(|it| self.calendar_stop(&it, now));
                (executor_id, Turn { is_online, calendar, new_id: self.clock.new_id() })
            };
            let turns = waiting.into_iter().map(turn).collect();
            let ttl_ms = self.rules.pending_upgrade_ttl_ms;
            for snapshot in self.store.advance_batch(id, turns, ttl_ms, now).await? {
                self.fleet.absorb(snapshot, now);
            }
        }
        Ok(())
    }

    /// Ends what was not picked up in time, and what stands still for too long.
    pub(crate) async fn end_overdue(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for (before, ended) in self.fleet.overdue(self.rules.sync_interval_ms, now) {
            let (id, error) = (ended.shown.id.clone(), ended.shown.error.clone());
            if let Some(snapshot) = self.store.swap_upgrade(before, ended, now).await? {
                let (code, stage) = error.map(|error| (error.code, error.stage)).unzip();
                tracing::info!(upgrade = id, executor = snapshot.executor.name, code, ?stage, "given up");
                self.fleet.absorb(snapshot, now);
            }
        }
        Ok(())
    }

    /// Offers what nothing stands in the way of any more, and takes back what something does before it is picked up.
    pub(crate) async fn open_gates(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for snapshot in self.fleet.not_picked_up() {
            let Some(open) = snapshot.open_upgrade() else { continue };
            let calendar = self.calendar_stop(&snapshot, now);
            let changed = if open.is_waiting() {
                let known = Facts { calendar: calendar.clone(), ..Facts::default() };
                // What a look into the memory can tell costs no question to the store.
                if upgrade::gate(open, &known, now).is_some() {
                    continue;
                }
                let facts = self.store.facts(open.clone(), calendar.clone()).await?;
                let Ok(id) = open.shown.id.parse() else { continue };
                match upgrade::gate(open, &facts, now) {
                    Some(_) => None,
                    None => {
                        let ttl_ms = self.rules.pending_upgrade_ttl_ms;
                        self.store.offer_upgrade(id, calendar, ttl_ms, now).await?
                    }
                }
            } else if calendar.is_some() && !open.shown.forced {
                match upgrade::withdraw(open, now) {
                    Some(waiting) => self.store.swap_upgrade(open.clone(), waiting, now).await?,
                    None => None,
                }
            } else {
                None
            };
            changed.into_iter().for_each(|snapshot| self.fleet.absorb(snapshot, now));
        }
        Ok(())
    }

    /// The freeze or window that stops the upgrades of an executor now.
    pub(crate) fn calendar_stop(&self, snapshot: &Snapshot, now: Timestamp) -> Option<Wait> {
        let executor = &snapshot.executor;
        self.calendar.read().stops(executor.account_id, &executor.labels, now).as_ref().map(Wait::from)
    }

    /// Makes durable when executors were last heard, a few at a time, spread over so long.
    pub(crate) async fn keep_presence(&self, over: Duration) -> Result<(), StoreError> {
        let heard = self.fleet.begin_to_keep();
        // Only others want to know it.
        let at_work = if heard > 0 && self.store.is_shared() { self.fleet.at_work() } else { Vec::new() };
        let mut kept = self.store.keep_at_work(&at_work).await;
        let at_once = KEPT_AT_ONCE.max(heard / MOST_PIECES);
        let pieces = u32::try_from(heard.div_ceil(at_once)).unwrap_or(u32::MAX).max(1);
        while let Some(some) = self.fleet.next_to_keep(at_once) {
            // Whoever is not kept now is heard again soon.
            kept = kept.and(self.store.keep_presence(some).await);
            if !over.is_zero() {
                tokio::time::sleep(over / pieces).await;
            }
        }
        kept
    }

    pub(crate) async fn delete_executor(
        self: &Arc<Self>,
        by: Person,
        id: Uuid,
        reason: String,
    ) -> Result<Result<bool, Uuid>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let deleted = app.store.delete_executor(by, id, reason, app.clock.now()).await?;
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

    pub(crate) async fn revoke_key(
        self: &Arc<Self>,
        by: Person,
        id: Uuid,
        reason: String,
    ) -> Result<bool, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let is_known = app.store.revoke_key(by, id, reason, app.clock.now()).await?;
            if is_known {
                app.fleet.remove_key(id);
            }
            Ok(is_known)
        })
        .await
    }

    pub(crate) async fn rotate_key(
        self: &Arc<Self>,
        by: Person,
        id: Uuid,
        new: Rotation,
    ) -> Result<Result<ExecutorKey, RotationRefused>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let rotated = app.store.rotate_key(by, id, new, app.clock.now()).await?;
            if let Ok(key) = &rotated {
                app.fleet.add_key(key);
            }
            Ok(rotated)
        })
        .await
    }

    pub(crate) async fn set_suspended(
        self: &Arc<Self>,
        by: Person,
        id: Uuid,
        is_suspended: bool,
        reason: String,
    ) -> Result<Result<Account, PeopleRefused>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let set = app.store.set_suspended(by, id, is_suspended, reason, app.clock.now()).await?;
            if let Ok(account) = &set {
                app.suspended.note(id, account.suspended_at.is_some());
                app.fleet.long_polls().ring_account(id);
            }
            Ok(set)
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
