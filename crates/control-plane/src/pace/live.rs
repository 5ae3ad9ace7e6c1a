//! The pace of a control plane that runs: what it feels, and what it tells.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Limits, Load, Pace, come_again_s};
use crate::app::App;
use crate::clock::Stopwatch;
use crate::problem::ApiError;
use crate::store::StoreError;

const FEEL_EVERY: Duration = Duration::from_millis(100);
const FEELINGS: usize = 10;

/// Counts what comes, and knows what to tell it.
pub(crate) struct LivePace {
    base_ms: u64,
    pace: Mutex<Pace>,
    interval_ms: AtomicU64,
    heartbeat_timeout_ms: AtomicU64,
    begun: AtomicU64,
    over: AtomicU64,
    aside: AtomicU64,
    took_us: AtomicU64,
    shed: AtomicU64,
    late_ms: AtomicU64,
    /// The latest of those who serve, since that was looked at last.
    serving_late_ms: AtomicU64,
}

/// A sync that is under way, until it is dropped.
pub(crate) struct UnderWay<'a>(&'a LivePace);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.over.fetch_add(1, Relaxed);
    }
}

/// A sync under way that only waits and is no load, until it is dropped.
pub(crate) struct Aside<'a>(&'a LivePace);

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.aside.fetch_sub(1, Relaxed);
    }
}

/// What it feels, for who measures it.
pub(crate) struct Felt {
    pub interval_ms: u64,
    pub heartbeat_timeout_ms: u64,
    pub in_flight: u64,
    pub late_ms: u64,
    pub shed: u64,
}

impl LivePace {
    pub(crate) fn new(limits: Limits) -> Self {
        let pace = Pace::new(limits);
        Self {
            base_ms: limits.base_ms,
            interval_ms: AtomicU64::new(pace.interval_ms()),
            heartbeat_timeout_ms: AtomicU64::new(pace.heartbeat_timeout_ms()),
            pace: Mutex::new(pace),
            begun: AtomicU64::new(0),
            over: AtomicU64::new(0),
            aside: AtomicU64::new(0),
            took_us: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            late_ms: AtomicU64::new(0),
            serving_late_ms: AtomicU64::new(0),
        }
    }

    /// A sync begins.
    pub(crate) fn under_way(&self) -> UnderWay<'_> {
        self.begun.fetch_add(1, Relaxed);
        UnderWay(self)
    }

    /// A sync begins to wait for something to happen.
    pub(crate) fn set_aside(&self) -> Aside<'_> {
        self.aside.fetch_add(1, Relaxed);
        Aside(self)
    }

    /// So long an answer took.
    pub(crate) fn took(&self, took: Duration) {
        self.took_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// What an executor is told; one that was just asked for something shall come back soon.
    pub(crate) fn interval_ms(&self, is_asked_for_something: bool) -> u64 {
        if is_asked_for_something { self.base_ms } else { self.interval_ms.load(Relaxed) }
    }

    /// A sync can be answered without making all others wait.
    pub(crate) fn has_room(&self) -> bool {
        let load =
            Load { in_flight: self.in_flight(), late_ms: self.late_ms.load(Relaxed), ..Load::default() };
        !load.is_too_much()
    }

    /// The answer to a sync that there is no room for.
    pub(crate) fn refuse(&self) -> ApiError {
        let n = self.shed.fetch_add(1, Relaxed);
        let again_s = come_again_s(self.interval_ms.load(Relaxed), n);
        ApiError::overloaded(u32::try_from(again_s).unwrap_or(u32::MAX))
    }

    /// What an executor is told of the store: whose queue is full has no room.
    pub(crate) fn refuse_for(&self, error: StoreError) -> ApiError {
        match error {
            StoreError::Busy => self.refuse(),
            error => ApiError::to_executor(error),
        }
    }

    pub(crate) fn felt(&self) -> Felt {
        Felt {
            interval_ms: self.interval_ms.load(Relaxed),
            heartbeat_timeout_ms: self.heartbeat_timeout_ms.load(Relaxed),
            in_flight: self.in_flight(),
            late_ms: self.late_ms.load(Relaxed),
            shed: self.shed.load(Relaxed),
        }
    }

    #[cfg(test)]
    pub(crate) fn feel_late(&self, late_ms: u64) {
        self.late_ms.store(late_ms, Relaxed);
    }

    fn in_flight(&self) -> u64 {
        // Read first, so that what ends in between does not make it less than none.
        let gone = self.over.load(Relaxed) + self.aside.load(Relaxed);
        self.begun.load(Relaxed).saturating_sub(gone)
    }

    fn look(&self, load: &Load, now_ms: u64) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let before_ms = pace.interval_ms();
        pace.look(load, now_ms);
        let told_ms = pace.interval_ms();
        self.interval_ms.store(told_ms, Relaxed);
        self.heartbeat_timeout_ms.store(pace.heartbeat_timeout_ms(), Relaxed);
        if told_ms > before_ms {
            tracing::warn!(told_ms, ?load, "there is much to do, executors are told to come less often");
        } else if told_ms < before_ms {
            tracing::debug!(told_ms, "executors are told to come more often again");
        }
    }
}

impl App {
    /// How old the last sync of an online executor may be, given how seldom it may have been told to come.
    pub(crate) fn heartbeat_timeout_ms(&self) -> u64 {
        self.pace.heartbeat_timeout_ms.load(Relaxed)
    }
}

/// How late a timer is that would be on time with nothing to do, in ms.
async fn lateness_ms() -> u64 {
    let felt = Stopwatch::start();
    tokio::time::sleep(FEEL_EVERY).await;
    u64::try_from(felt.elapsed().saturating_sub(FEEL_EVERY).as_millis()).unwrap_or(u64::MAX)
}

/// Feels how late a thread is that serves, until it is dropped.
pub(crate) async fn feel(app: Arc<App>) {
    loop {
        app.pace.serving_late_ms.fetch_max(lateness_ms().await, Relaxed);
    }
}

/// Feels the load and says what executors are told, until it is dropped.
pub(crate) async fn run(app: Arc<App>) {
    let (pace, since) = (&app.pace, Stopwatch::start());
    let (mut over, mut took_us, mut shed) = (0, 0, 0);
    loop {
        let second = Stopwatch::start();
        let mut late = [0; FEELINGS];
        for late_ms in &mut late {
            *late_ms = lateness_ms().await.max(pace.serving_late_ms.swap(0, Relaxed));
            pace.late_ms.store(*late_ms, Relaxed);
        }
        // The middle one: a single late moment is none of a load.
        late.sort_unstable();
        let now = (pace.over.load(Relaxed), pace.took_us.load(Relaxed), pace.shed.load(Relaxed));
        #[expect(clippy::cast_precision_loss, reason = "what happens in a second")]
        let since_last = |now: u64, last: u64| now.wrapping_sub(last) as f64;
        let (refused, took_us_sum) = (since_last(now.2, shed), since_last(now.1, took_us));
        let answered = (since_last(now.0, over) - refused).max(0.0);
        (over, took_us, shed) = now;
        let seconds = second.elapsed().as_secs_f64();
        let load = Load {
            answered_a_second: answered / seconds,
            refused_a_second: refused / seconds,
            in_flight: pace.in_flight(),
            took_ms: took_us_sum / 1_000.0 / answered.max(1.0),
            late_ms: late[FEELINGS / 2],
            writes_waiting: app.store.writes_waiting(),
        };
        let now_ms = app.clock.passed(&since).as_millis();
        pace.look(&load, u64::try_from(now_ms).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::in_process::{ControlPlane, said};

    #[tokio::test]
    async fn under_load_the_idle_are_told_to_come_less_often_and_are_not_taken_for_dead() {
        let control_plane = ControlPlane::start().await;
        let (idle, idle_id) = control_plane.executor("idle", "1.0.0").await;
        let (at_work, id) = control_plane.executor("at-work", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        control_plane.request(&id, "1.1.0").await.ok();
        let overrun =
            Load { answered_a_second: 100.0, refused_a_second: 900.0, late_ms: 900, ..Load::default() };
        for second in 0..3 {
            control_plane.app.pace.look(&overrun, second * 1_000);
        }
        let told = async |key: &str, name: &str| {
            control_plane.sync(key, said(name, "1.0.0")).await.ok()["syncIntervalMs"].clone()
        };
        assert_eq!(told(&idle, "idle").await, json!(20_000));
        assert_eq!(told(&at_work, "at-work").await, json!(5_000), "its news is awaited");
        control_plane.wait_ms(119_000);
        let shown = async || control_plane.get(&format!("/api/v1/executors/{idle_id}")).await.ok();
        assert_eq!(shown().await["status"], "online");
        let text = String::from_utf8(control_plane.get("/metrics").await.bytes).unwrap();
        for line in [
            "novacula_sync_interval_seconds 20",
            "novacula_heartbeat_timeout_seconds 120",
            "novacula_syncs_in_flight 0",
            "novacula_timer_lateness_seconds 0",
            "novacula_store_writes_waiting 0",
            "novacula_executors{status=\"offline\"} 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        control_plane.wait_ms(1_000);
        assert_eq!(shown().await["status"], "offline", "six syncs were missed, as ever");
    }

    #[tokio::test]
    async fn what_is_felt_of_a_quiet_control_plane_changes_nothing() {
        let control_plane = ControlPlane::start().await;
        let running = tokio::spawn(run(Arc::clone(&control_plane.app)));
        let looked = || control_plane.app.pace.pace.lock().unwrap().told_before.len();
        let both = async {
            while looked() == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("it looks by itself");
        running.abort();
        let felt = control_plane.app.pace.felt();
        assert_eq!((felt.interval_ms, felt.heartbeat_timeout_ms, felt.shed), (5_000, 30_000, 0));
    }
}
