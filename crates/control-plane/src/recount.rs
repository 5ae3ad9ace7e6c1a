//! What is counted as it happens, counted anew now and then. Nothing should ever be off; what is all the same is put right, told
//! in the log, and counted.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;
use crate::metrics::head;
use crate::store::{StoreError, Work};

/// A turn at it is longer than this, see [`crate::store::Work`].
const EVERY: Duration = Duration::from_secs(600);
/// However fast the clock of a simulation is.
const NOT_BELOW: Duration = Duration::from_secs(5);
/// So many are named in the log.
const NAMED: usize = 8;

/// A counter that was off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Off {
    /// Of what.
    pub what: String,
    /// What it said.
    pub kept: i64,
    /// What is there.
    pub there: i64,
}

impl fmt::Display for Off {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} instead of {}", self.what, self.kept, self.there)
    }
}

/// What is counted as it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counter {
    /// How many executors of each wave of a plan are where.
    Waves,
    /// How many upgrades of an account have ended at each stage.
    Upgrades,
    /// How many executors of each kind run which version.
    Versions,
}

impl Counter {
    const ALL: [Self; 3] = [Self::Waves, Self::Upgrades, Self::Versions];

    fn as_str(self) -> &'static str {
        match self {
            Self::Waves => "waves",
            Self::Upgrades => "upgrades",
            Self::Versions => "versions",
        }
    }
}

/// How many counters were off since the start.
#[derive(Default)]
pub(crate) struct Drift([AtomicU64; Counter::ALL.len()]);

impl Drift {
    /// Tells of those that were off, if any were.
    fn note(&self, counter: Counter, off: &[Off]) {
        if off.is_empty() {
            return;
        }
        self.0[counter as usize].fetch_add(off.len() as u64, Ordering::Relaxed);
        tracing::warn!(counter = counter.as_str(), "counters were off and are put right: {}", named(off));
    }

    /// In the text format of Prometheus.
    pub(crate) fn write(&self, text: &mut String) -> fmt::Result {
        let name = "novacula_counter_drift_total";
        head(
            text,
            name,
            "counter",
            "Counters since the start that a recount found off and put right, by what they count.",
        )?;
        for (counter, drift) in Counter::ALL.iter().zip(&self.0) {
            let counter = counter.as_str();
            writeln!(text, "{name}{{counter=\"{counter}\"}} {}", drift.load(Ordering::Relaxed))?;
        }
        Ok(())
    }
}

/// The first of them in one line.
fn named(off: &[Off]) -> String {
    let mut named: Vec<_> = off.iter().take(NAMED).map(Off::to_string).collect();
    if off.len() > NAMED {
        named.push(format!("and {} more", off.len() - NAMED));
    }
    named.join("; ")
}

/// Runs until it is dropped.
pub(crate) async fn run(app: Arc<App>) {
    let mut turn = interval(app.clock.wait(EVERY, NOT_BELOW));
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        if let Err(e) = app.recount().await {
            tracing::error!("not everything was counted anew: {e}");
        }
    }
}

impl App {
    /// What is in memory is counted anew by everyone, what is durable by one of all that share it.
    pub(crate) async fn recount(&self) -> Result<(), StoreError> {
        let drift = &self.metrics.drift;
        drift.note(Counter::Versions, &self.fleet.recount_versions().await);
        if self.store.has_turn(Work::Recount, self.clock.now()).await? {
            drift.note(Counter::Waves, &self.store.recount_waves().await?);
            drift.note(Counter::Upgrades, &self.store.recount_upgrades().await?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
