//! Fleet plans: the store decides and grants, the memory brings what only it knows and hears what was granted.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::Presence;
use uuid::Uuid;

use super::to_the_end;
use crate::app::App;
use crate::executor::Executor;
use crate::presence::presence;
use crate::store::{Person, Plan, PlanRefused, PlanSteer, Sight, Sights, StoreError};

impl App {
    /// Takes every plan as far as it can go now.
    pub(crate) async fn advance_plans(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut sights: HashMap<Uuid, Sights> = HashMap::new();
        for (id, account_id) in self.store.plans_under_way().await? {
            let sights = sights.entry(account_id).or_insert_with(|| self.sights(account_id, now));
            for snapshot in self.store.advance_plan((id, account_id), sights.clone(), now).await? {
                self.fleet.absorb(snapshot, now);
            }
        }
        Ok(())
    }

    /// Applies a plan that was checked; `false` where the very same lives already.
    pub(crate) async fn add_plan(
        self: &Arc<Self>,
        by: Person,
        plan: Plan,
    ) -> Result<Result<(Uuid, bool), PlanRefused>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let added = app.store.add_plan(by, plan).await?;
            if added.is_ok() {
                app.advance_plans().await?;
            }
            Ok(added)
        })
        .await
    }

    /// Does what a person says to a plan.
    pub(crate) async fn steer_plan(
        self: &Arc<Self>,
        steer: PlanSteer,
    ) -> Result<Result<(), PlanRefused>, StoreError> {
        let app = Arc::clone(self);
        to_the_end(async move {
            let now = steer.now;
            let sights = app.sights(steer.by.account_id, now);
            match app.store.steer_plan(steer, sights).await? {
                Ok(changed) => {
                    changed.into_iter().for_each(|snapshot| app.fleet.absorb(snapshot, now));
                    app.advance_plans().await?;
                    Ok(Ok(()))
                }
                Err(refused) => Ok(Err(refused)),
            }
        })
        .await
    }

    /// What the memory knows of the executors of an account.
    pub(crate) fn sights(&self, account_id: Uuid, now: Timestamp) -> Sights {
        let calendar = self.calendar.read();
        let sight = |executor: &Executor| {
            let stop = calendar.stops(executor.account_id, &executor.labels, now);
            let sight = Sight {
                presence: self.presence_if_known(executor.last_seen_at, now),
                name: executor.name.clone(),
                kind: executor.kind,
                labels: executor.labels.clone(),
                restarts: executor.restarts,
                calendar: stop.map(|stop| stop.to_string()),
            };
            (executor.id, sight)
        };
        Sights {
            by_id: Arc::new(self.fleet.map_all(account_id, sight).into_iter().collect()),
            ttl_ms: self.rules.pending_upgrade_ttl_ms,
            clock: self.clock.clone(),
        }
    }

    /// Who was not heard is offline, unless it is us who could not hear.
    pub(crate) fn presence_if_known(&self, last_seen_at: Timestamp, now: Timestamp) -> Option<Presence> {
        let timeout_ms = self.heartbeat_timeout_ms();
        let was_before_us = last_seen_at < self.started_at;
        // One that was told before our start to come seldom is not due yet, and that it was told we do not know.
        let blind_ms = timeout_ms.max(self.rules.sync_interval_max_ms * 11 / 10);
        let blind = SignedDuration::from_millis(i64::try_from(blind_ms).unwrap_or(i64::MAX));
        match presence(last_seen_at, now, timeout_ms) {
            Presence::Online => Some(Presence::Online),
            Presence::Offline if was_before_us && now.duration_since(self.started_at) < blind => None,
            Presence::Offline => Some(Presence::Offline),
        }
    }
}
