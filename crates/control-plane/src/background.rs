//! What happens by itself: upgrades lapse, presence is kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;

const LAPSE_EVERY: Duration = Duration::from_secs(1);
const KEEP_PRESENCE_EVERY: Duration = Duration::from_secs(5);

/// Runs until it is dropped.
pub(crate) async fn run(app: Arc<App>) {
    let mut lapse = interval(LAPSE_EVERY);
    let mut keep = interval(KEEP_PRESENCE_EVERY);
    lapse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    keep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let outcome = tokio::select! {
            _ = lapse.tick() => app.lapse_overdue().await,
            _ = keep.tick() => app.keep_presence().await,
        };
        if let Err(e) = outcome {
            tracing::error!("in the background: {e}");
        }
    }
}
