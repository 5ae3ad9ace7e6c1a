//! Several control planes on one database: what the others change is taken into the memory here, as the database tells
//! it. What may have been missed is read anew.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use crate::app::App;
use crate::ledger;
use crate::store::{News, StoreError};

const HEAR_OF_PRESENCE_EVERY: Duration = Duration::from_secs(5);
/// However fast the clock of a simulation is.
const NOT_BELOW: Duration = Duration::from_millis(250);
/// What was kept up to then may not have been seen at the last look.
const OVERLAP: SignedDuration = SignedDuration::from_secs(30);
const STORE_IN_TROUBLE: Duration = Duration::from_millis(200);
/// More single changes than this at once are read as if anything had changed.
const MANY: usize = 2_000;

/// What has to be read anew.
#[derive(Debug, Default)]
struct Changed {
    everything: bool,
    executors: HashSet<Uuid>,
    keys: HashSet<Uuid>,
    accounts: bool,
    calendar: bool,
    /// Something; whoever watches wants to look.
    commit: bool,
}

/// Runs until it is dropped; on a file there is nothing to do.
pub(crate) async fn run(app: Arc<App>) {
    let Some(mut news) = app.store.listen() else { return };
    let mut presence = interval(app.clock.wait(HEAR_OF_PRESENCE_EVERY, NOT_BELOW));
    presence.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut changed = Changed::default();
    loop {
        tokio::select! {
            first = news.recv() => {
                let Some(first) = first else { return };
                changed.note(first);
                while let Ok(more) = news.try_recv() {
                    changed.note(more);
                }
                while let Err(e) = app.take_over(&changed).await {
                    tracing::warn!("what other control planes have changed is not known yet: {e}");
                    sleep(STORE_IN_TROUBLE).await;
                }
                changed = Changed::default();
            }
            _ = presence.tick() => {
                if let Err(e) = app.hear_of_presence().await {
                    tracing::warn!("whom other control planes hear is not known for a moment: {e}");
                }
            }
        }
    }
}

impl Changed {
    fn note(&mut self, news: News) {
        let told = match news {
            News::Listening => {
                self.everything = true;
                return;
            }
            News::Told(told) => told,
        };
        // Behind the id it is said by whom.
        match told.split_once(' ').map(|(what, rest)| (what, rest.split(' ').next().unwrap_or_default())) {
            Some(("executors", ids)) => {
                self.executors.extend(ids.split(',').filter_map(|id| id.parse::<Uuid>().ok()));
                // A statement that is a transaction by itself says no more than that.
                self.commit = true;
            }
            Some(("executor_keys", id)) => self.keys.extend(id.parse::<Uuid>()),
            Some(("accounts", _)) => self.accounts = true,
            Some(("calendar", _)) => self.calendar = true,
            Some(("commit", _)) => self.commit = true,
            _ => tracing::debug!(told, "the database tells something that nobody here knows"),
        }
        self.everything |= self.executors.len() + self.keys.len() > MANY;
    }
}

impl App {
    async fn take_over(&self, changed: &Changed) -> Result<(), StoreError> {
        let now = self.clock.now();
        if changed.everything {
            ledger::remember_into(&self.store, &self.fleet, now).await?;
            let (executors, keys) = self.store.gone().await?;
            keys.into_iter().for_each(|id| self.fleet.remove_key(id));
            executors.into_iter().for_each(|id| self.fleet.forget(id));
        } else {
            // First the keys: an executor is known by its key.
            for key in self.store.keys_of(changed.keys.iter().copied().collect()).await? {
                match key.revoked_at {
                    Some(_) => self.fleet.remove_key(key.id),
                    None => self.fleet.add_key(&key),
                }
            }
            let mut snapshots = self.store.snapshots_of(changed.executors.iter().copied().collect()).await?;
            for id in &changed.executors {
                match snapshots.remove(id) {
                    Some(snapshot) => self.fleet.absorb(snapshot, now),
                    None => self.fleet.forget(*id),
                }
            }
        }
        if changed.everything || changed.accounts {
            self.suspended.replace(self.store.suspended_accounts().await?);
        }
        if changed.everything || changed.calendar {
            self.calendar.replace(self.store.calendar(now).await?, now);
        }
        // Last: whoever looks now sees all of it.
        if changed.everything || changed.commit {
            self.store.note_commit_elsewhere();
        }
        Ok(())
    }

    /// Whom the others have heard, and how far what they hear of is.
    pub(crate) async fn hear_of_presence(&self) -> Result<(), StoreError> {
        let since = self.clock.now().saturating_sub(OVERLAP).unwrap_or_default();
        let seen = self.store.heard_since(since).await?;
        self.fleet.heard_elsewhere(&seen, &self.store.at_work().await?);
        if !seen.is_empty() {
            self.store.note_commit_elsewhere();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
