//! What happens by itself: overdue upgrades end, presence is kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;
use crate::store::StoreError;

const END_OVERDUE_EVERY: Duration = Duration::from_secs(1);
const KEEP_PRESENCE_EVERY: Duration = Duration::from_secs(5);

/// However fast the clock of a simulation is.
const NOT_BELOW: Duration = Duration::from_millis(20);
/// The same for what is written for the whole fleet.
const NOT_WRITTEN_BELOW: Duration = Duration::from_millis(250);

/// Runs until it is dropped.
pub(crate) async fn run(app: Arc<App>) {
    let every = app.clock.wait(KEEP_PRESENCE_EVERY, NOT_WRITTEN_BELOW);
    tokio::join!(
        again(app.clock.wait(END_OVERDUE_EVERY, NOT_BELOW), || app.tick_in_turn()),
        // Spread, so that whoever has something to keep meanwhile waits for a few rows only.
        again(every, || app.keep_presence(every / 2)),
    );
}

/// Never ends.
async fn again<F: Future<Output = Result<(), StoreError>>>(every: Duration, work: impl Fn() -> F) {
    let mut due = interval(every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        if let Err(e) = work().await {
            tracing::error!("in the background: {e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_process::database::all;
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
                let stored = all(&control_plane.app.store).await.remove(0);
                if stored.open_upgrade().is_none() && stored.executor.last_seen_at == heard {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("it happens by itself");
        running.abort();
        control_plane.request(&id, "1.1.0").await.ok();
    }

    #[tokio::test]
    async fn whose_presence_was_not_kept_when_that_was_cut_short_is_kept_the_next_time() {
        let control_plane = ControlPlane::start().await;
        let fleet = &control_plane.app.fleet;
        let mut keys = Vec::new();
        for name in ["host-1", "host-2", "host-3"] {
            keys.push((name, control_plane.executor(name, "1.0.0").await.0));
        }
        control_plane.app.keep_presence(Duration::ZERO).await.unwrap();
        for (name, key) in &keys {
            control_plane.sync(key, said(name, "1.0.0")).await.ok();
        }
        assert_eq!(fleet.begin_to_keep(), 3);
        let mut kept = fleet.next_to_keep(2).unwrap();
        assert_eq!(kept.len(), 2);

        // Whoever has to be kept is not noted twice.
        for (name, key) in &keys {
            control_plane.sync(key, said(name, "1.0.0")).await.ok();
        }
        assert_eq!(fleet.begin_to_keep(), 3);
        while let Some(some) = fleet.next_to_keep(1) {
            kept.extend(some);
        }
        let mut each: Vec<_> = kept.iter().map(|seen| seen.executor_id).collect();
        each.sort_unstable();
        let twice = each.chunk_by(PartialEq::eq).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!((each.len(), twice.iter().max()), (5, Some(&2)), "{kept:?}");
        assert!(fleet.begin_to_keep() == 0 && fleet.next_to_keep(1).is_none());
    }
}
