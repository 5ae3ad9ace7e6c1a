//! Sends what is due: a few at once, one at a time to each webhook, outside the writer of the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{self, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::app::App;
use crate::store::{Due, StoreError, Work};
use crate::webhook::{Tried, call};

const AT_ONCE: usize = 4;
/// So many of them to webhooks whose last try failed: those that hang hold up no other.
const FAILING_AT_ONCE: usize = 2;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Until a store that cannot keep what came of a delivery is tried with another: nobody shall be stormed meanwhile.
const STORE_IN_TROUBLE: Duration = Duration::from_secs(30);
const DROP_OLD_EVERY: Duration = Duration::from_secs(3_600);

/// Runs until it is dropped. What was under way then is sent again, with the same id.
pub(crate) async fn run(app: Arc<App>) {
    let mut under_way = UnderWay::default();
    let mut look = interval(LOOK_EVERY);
    let mut tidy = interval(DROP_OLD_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let outcome = tokio::select! {
            _ = tidy.tick() => app.store.drop_old_deliveries(app.clock.now()).await,
            Some(()) = under_way.one_done() => under_way.launch(&app).await,
            _ = look.tick() => under_way.launch(&app).await,
        };
        if let Err(e) = outcome {
            tracing::error!("webhooks: {e}");
        }
    }
}

#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    to: HashMap<task::Id, To>,
}

struct To {
    webhook_id: Uuid,
    is_failing: bool,
}

impl UnderWay {
    async fn launch(&mut self, app: &Arc<App>) -> Result<(), StoreError> {
        let (free, mut failing) =
            (AT_ONCE - self.to.len(), self.to.values().filter(|to| to.is_failing).count());
        if free == 0 || !app.store.has_turn(Work::Webhooks, app.clock.now()).await? {
            return Ok(());
        }
        let busy = self.to.values().map(|to| to.webhook_id).collect();
        // Those that fail come last, so none that does not is left out for them.
        for due in app.store.due_deliveries(busy, app.clock.now(), free).await? {
            if due.is_failing {
                failing += 1;
                if failing > FAILING_AT_ONCE {
                    break;
                }
            }
            let to = To { webhook_id: due.webhook_id, is_failing: due.is_failing };
            let task = self.tasks.spawn(send(Arc::clone(app), due));
            self.to.insert(task.id(), to);
        }
        Ok(())
    }

    /// `None` when none is under way.
    async fn one_done(&mut self) -> Option<()> {
        let id = match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => id,
            Err(e) => e.id(),
        };
        self.to.remove(&id);
        Some(())
    }
}

async fn send(app: Arc<App>, due: Due) {
    let (client, asked, now) = (app.webhooks.clone(), due.clone(), app.clock.now());
    let sending = task::spawn_blocking(move || call::send(&client, &asked, now));
    let tried =
        sending.await.unwrap_or_else(|e| Tried { said: format!("the call failed: {e}"), ..Tried::default() });
    app.metrics.told(tried.is_taken());
    tracing::debug!(webhook = %due.webhook_id, delivery = %due.id, status = tried.status, "webhook called");
    if let Err(e) = app.store.note_try(due, tried, app.clock.now()).await {
        tracing::error!("what came of a delivery is not kept, so it is sent again: {e}");
        tokio::time::sleep(STORE_IN_TROUBLE).await;
    }
}

#[cfg(test)]
mod tests;
