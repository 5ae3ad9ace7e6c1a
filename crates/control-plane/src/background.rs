//! What happens by itself: overdue upgrades end, presence is kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;

const END_OVERDUE_EVERY: Duration = Duration::from_secs(1);
const KEEP_PRESENCE_EVERY: Duration = Duration::from_secs(5);

/// However fast the clock of a simulation is.
const NOT_BELOW: Duration = Duration::from_millis(20);
/// The same for what is written for the whole fleet.
const NOT_WRITTEN_BELOW: Duration = Duration::from_millis(250);

/// Runs until it is dropped.
pub(crate) async fn run(app: Arc<App>) {
    let mut overdue = interval(app.clock.wait(END_OVERDUE_EVERY, NOT_BELOW));
    let mut keep = interval(app.clock.wait(KEEP_PRESENCE_EVERY, NOT_WRITTEN_BELOW));
    overdue.set_missed_tick_behavior(MissedTickBehavior::Delay);
    keep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let outcome = tokio::select! {
            _ = overdue.tick() => app.tick_in_turn().await,
            _ = keep.tick() => app.keep_presence().await,
        };
        if let Err(e) = outcome {
            tracing::error!("in the background: {e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_process::{ControlPlane, said};

    #[tokio::test]
    async fn upgrades_lapse_and_presence_is_kept_by_themselves() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        control_plane.request(&id, "1.1.0").await.ok();
        control_plane.wait_ms(900_000);
        control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
        let heard = control_plane.app.clock.now();
        let running = tokio::spawn(run(Arc::clone(&control_plane.app)));
        let both = async {
            let mut look = interval(Duration::from_millis(5));
            loop {
                look.tick().await;
                let stored = control_plane.app.store.snapshots(uuid::Uuid::nil(), 1).await.unwrap().remove(0);
                if stored.open_upgrade().is_none() && stored.executor.last_seen_at == heard {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("it happens by itself");
        running.abort();
        control_plane.request(&id, "1.1.0").await.ok();
    }
}
