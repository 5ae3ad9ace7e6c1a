//! What happens, counted: how often, how long, and which refusals. Only numbers and codes of ours: never a name of
//! somebody's, and never a secret.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Extensions;
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use novacula_protocol::Progress;
use novacula_protocol::people::PlanState;

use crate::app::App;
use crate::clock::Stopwatch;
use crate::long_poll::is_preferred;
use crate::pace::live::Felt;
use crate::problem::ProblemCode;
use crate::recount::Drift;
use crate::store::StoreError;

/// From a sync that is answered from memory to one that waits for a disk in trouble, in milliseconds.
const BUCKETS_MS: [u32; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000];

/// The counters since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    accepted: AtomicU64,
    refused: AtomicU64,
    /// By the first bucket a sync fits into; the last is for what fits into none.
    durations: [AtomicU64; BUCKETS_MS.len() + 1],
    total_us: AtomicU64,
    denied: Mutex<BTreeMap<&'static str, u64>>,
    webhooks_taken: AtomicU64,
    webhooks_failed: AtomicU64,
    pub drift: Drift,
}

/// What the memory of the fleet knows of it as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub online: u64,
    pub offline: u64,
    /// Since when the longest-waiting upgrade that is due has been waiting to be picked up.
    pub oldest_pending: Option<Timestamp>,
}

/// Times a sync.
pub(crate) async fn time_sync(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let stopwatch = Stopwatch::start();
    let under_way = app.pace.under_way();
    let may_wait = is_preferred(request.headers());
    let response = next.run(request).await;
    drop(under_way);
    // How long somebody wanted to wait says nothing of how quick we are.
    let took = (!may_wait).then(|| stopwatch.elapsed());
    app.pace.took(took.unwrap_or_default());
    app.metrics.synced(took, response.status().is_success());
    response
}

/// Counts the calls that are answered with a problem.
pub(crate) async fn count_denied(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    app.metrics.count_problem(response.extensions());
    response
}

impl Metrics {
    /// Counts a call of a webhook.
    pub(crate) fn told(&self, is_taken: bool) {
        let counter = if is_taken { &self.webhooks_taken } else { &self.webhooks_failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer that is a problem.
    pub(crate) fn count_problem(&self, extensions: &Extensions) {
        if let Some(ProblemCode(code)) = extensions.get() {
            *self.denied.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
        }
    }

    /// Counts a sync, and how long it took where that says anything.
    pub(crate) fn synced(&self, took: Option<Duration>, is_accepted: bool) {
        if let Some(took) = took {
            let bucket = BUCKETS_MS.iter().position(|most| took <= Duration::from_millis(u64::from(*most)));
            self.durations[bucket.unwrap_or(BUCKETS_MS.len())].fetch_add(1, Ordering::Relaxed);
            self.total_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        let counter = if is_accepted { &self.accepted } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl App {
    /// Everything there is to measure, in the text format of Prometheus.
    pub(crate) async fn measured(&self) -> Result<String, StoreError> {
        let now = self.clock.now();
        let census = self.fleet.census(now, self.heartbeat_timeout_ms());
        let mut upgrades = [Progress::Pending, Progress::Running, Progress::Completed, Progress::Error]
            .map(|state| (state, 0));
        let ended = self.store.ended_upgrades_by_stage().await?;
        for (stage, count) in self.fleet.open_by_stage().into_iter().chain(ended) {
            for (_, sum) in upgrades.iter_mut().filter(|(state, _)| *state == Progress::of(stage)) {
                *sum += count;
            }
        }
        let waiting = self.store.pending_deliveries().await?;
        let plans = self.store.plans_by_state().await?;
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self
            .metrics
            .write(&mut text)
            .and_then(|()| write_gauges(&mut text, &census, &upgrades, now))
            .and_then(|()| write_pace(&mut text, &self.pace.felt(), self.store.writes_waiting()))
            .and_then(|()| write_long_polls(&mut text, self.fleet.long_polls().count()))
            .and_then(|()| write_plans(&mut text, &plans))
            .and_then(|()| write_waiting(&mut text, waiting))
            .and_then(|()| self.metrics.drift.write(&mut text))
            .and_then(|()| write_bucket(&mut text, self.artifacts.health()));
        Ok(text)
    }
}

impl Metrics {
    fn write(&self, text: &mut String) -> fmt::Result {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let name = "novacula_syncs_total";
        head(text, name, "counter", "Syncs of executors since the start, by whether they were accepted.")?;
        writeln!(text, "{name}{{outcome=\"accepted\"}} {}", count(&self.accepted))?;
        writeln!(text, "{name}{{outcome=\"refused\"}} {}", count(&self.refused))?;

        let name = "novacula_sync_duration_seconds";
        head(text, name, "histogram", "How long it took to answer a sync.")?;
        let mut sum = 0;
        for (most, counter) in BUCKETS_MS.iter().zip(&self.durations) {
            sum += count(counter);
            writeln!(text, "{name}_bucket{{le=\"{}\"}} {sum}", f64::from(*most) / 1_000.0)?;
        }
        sum += count(&self.durations[BUCKETS_MS.len()]);
        writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {sum}")?;
        writeln!(text, "{name}_sum {}", Duration::from_micros(count(&self.total_us)).as_secs_f64())?;
        writeln!(text, "{name}_count {sum}")?;

        let name = "novacula_denied_calls_total";
        head(text, name, "counter", "Calls since the start that were answered with a problem, by its code.")?;
        for (code, count) in self.denied.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            writeln!(text, "{name}{{code=\"{code}\"}} {count}")?;
        }

        let name = "novacula_webhook_calls_total";
        head(
            text,
            name,
            "counter",
            "Calls of webhooks since the start, by whether they were answered with 2xx.",
        )?;
        writeln!(text, "{name}{{outcome=\"delivered\"}} {}", count(&self.webhooks_taken))?;
        writeln!(text, "{name}{{outcome=\"failed\"}} {}", count(&self.webhooks_failed))
    }
}

fn write_gauges(
    text: &mut String,
    census: &Census,
    upgrades: &[(Progress, u64)],
    now: Timestamp,
) -> fmt::Result {
    let name = "novacula_executors";
    head(text, name, "gauge", "Executors, by whether they were heard lately.")?;
    writeln!(text, "{name}{{status=\"online\"}} {}", census.online)?;
    writeln!(text, "{name}{{status=\"offline\"}} {}", census.offline)?;

    let name = "novacula_upgrades";
    head(text, name, "gauge", "Upgrades that were ever requested, by their state.")?;
    for (state, count) in upgrades {
        let state = match state {
            Progress::Pending => "pending",
            Progress::Running => "running",
            Progress::Completed => "completed",
            Progress::Error => "error",
        };
        writeln!(text, "{name}{{state=\"{state}\"}} {count}")?;
    }

    let name = "novacula_oldest_pending_upgrade_seconds";
    head(
        text,
        name,
        "gauge",
        "For how long the upgrade waits that is due and not picked up the longest, 0 if none.",
    )?;
    let age = census.oldest_pending.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0));
    writeln!(text, "{name} {age}")
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of hours at most")]
fn write_pace(text: &mut String, felt: &Felt, writes_waiting: u64) -> fmt::Result {
    let seconds = |ms: u64| ms as f64 / 1_000.0;
    let name = "novacula_sync_interval_seconds";
    head(text, name, "gauge", "What executors with nothing in hand are told to wait between two syncs.")?;
    writeln!(text, "{name} {}", seconds(felt.interval_ms))?;
    let name = "novacula_heartbeat_timeout_seconds";
    head(
        text,
        name,
        "gauge",
        "After how much silence an executor counts as offline, given what it was told.",
    )?;
    writeln!(text, "{name} {}", seconds(felt.heartbeat_timeout_ms))?;
    let name = "novacula_syncs_in_flight";
    head(text, name, "gauge", "Syncs that came and are not answered yet.")?;
    writeln!(text, "{name} {}", felt.in_flight)?;
    let name = "novacula_timer_lateness_seconds";
    head(
        text,
        name,
        "gauge",
        "How late a timer was just now: how long everything else waits for a processor.",
    )?;
    writeln!(text, "{name} {}", seconds(felt.late_ms))?;
    let name = "novacula_store_writes_waiting";
    head(text, name, "gauge", "What waits to be written by the store.")?;
    writeln!(text, "{name} {writes_waiting}")?;
    let name = "novacula_syncs_shed_total";
    head(text, name, "counter", "Syncs since the start that were told to come later, for want of room.")?;
    writeln!(text, "{name} {}", felt.shed)
}

fn write_long_polls(text: &mut String, waiting: u64) -> fmt::Result {
    let name = "novacula_long_polls";
    head(text, name, "gauge", "Syncs that wait for something to tell, because their executors prefer it.")?;
    writeln!(text, "{name} {waiting}")
}

fn write_plans(text: &mut String, plans: &[(PlanState, u64)]) -> fmt::Result {
    let name = "novacula_fleet_plans";
    head(text, name, "gauge", "Fleet plans that were ever applied and not deleted, by their state.")?;
    for (state, word) in [
        (PlanState::ApprovalWanted, "approvalWanted"),
        (PlanState::Running, "running"),
        (PlanState::Paused, "paused"),
        (PlanState::Halted, "halted"),
        (PlanState::RollingBack, "rollingBack"),
        (PlanState::RolledBack, "rolledBack"),
        (PlanState::Completed, "completed"),
    ] {
        let count = plans.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count);
        writeln!(text, "{name}{{state=\"{word}\"}} {count}")?;
    }
    Ok(())
}

fn write_waiting(text: &mut String, waiting: u64) -> fmt::Result {
    let name = "novacula_webhook_deliveries_pending";
    head(text, name, "gauge", "Deliveries that wait to be sent to their webhook, or sent again.")?;
    writeln!(text, "{name} {waiting}")
}

fn write_bucket(text: &mut String, health: Option<(bool, u64)>) -> fmt::Result {
    let Some((is_reachable, failures)) = health else { return Ok(()) };
    let name = "novacula_artifact_bucket_reachable";
    head(text, name, "gauge", "1 while the bucket of artifacts can be used, looked at every 15 s, else 0.")?;
    writeln!(text, "{name} {}", u8::from(is_reachable))?;
    let name = "novacula_artifact_bucket_failures_total";
    head(text, name, "counter", "Calls of the bucket of artifacts since the start that failed.")?;
    writeln!(text, "{name} {failures}")
}

/// What stands before the numbers of a metric.
pub(crate) fn head(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::in_process::{ControlPlane, reported, said};
    use crate::store::plan_bench::document;

    async fn scraped(control_plane: &ControlPlane) -> String {
        let answer = control_plane.get("/metrics").await;
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        String::from_utf8(answer.bytes).unwrap()
    }

    #[tokio::test]
    async fn the_metrics_count_syncs_executors_upgrades_and_refusals_and_hold_no_name_and_no_secret() {
        let control_plane = ControlPlane::start().await;
        let (key, id) = control_plane.executor("host-1", "1.0.0").await;
        control_plane.executor("host-2", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        let asked = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        control_plane.wait_ms(29_500);
        let text = scraped(&control_plane).await;
        for line in [
            "novacula_executors{status=\"online\"} 2",
            "novacula_upgrades{state=\"pending\"} 1",
            "novacula_oldest_pending_upgrade_seconds 29.5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        control_plane.sync(&key, reported("host-1", "1.0.0", &asked, "DOWNLOAD", "UNDERWAY")).await.ok();
        control_plane.wait_ms(500);
        control_plane.sync("nva_nobody's", said("host-3", "1.0.0")).await;
        control_plane.sync(&key, said("host-3", "1.0.0")).await;
        control_plane.get("/nowhere").await;
        control_plane.post("/api/v1/executor-keys", json!({"surprise": 1})).await;
        let text = scraped(&control_plane).await;
        for line in [
            "novacula_syncs_total{outcome=\"accepted\"} 3",
            "novacula_syncs_total{outcome=\"refused\"} 2",
            "novacula_sync_duration_seconds_bucket{le=\"+Inf\"} 5",
            "novacula_sync_duration_seconds_count 5",
            "novacula_denied_calls_total{code=\"invalid_api_key\"} 1",
            "novacula_denied_calls_total{code=\"key_bound\"} 1",
            "novacula_denied_calls_total{code=\"not_found\"} 1",
            "novacula_denied_calls_total{code=\"invalid_request\"} 1",
            "novacula_executors{status=\"online\"} 1",
            "novacula_executors{status=\"offline\"} 1",
            "novacula_upgrades{state=\"pending\"} 0",
            "novacula_upgrades{state=\"running\"} 1",
            "novacula_oldest_pending_upgrade_seconds 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        for secret in ["nva_", "nvu_", "nve_", "host-", &id, &asked] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }

    #[tokio::test]
    async fn plans_are_counted_where_they_stand() {
        let control_plane = ControlPlane::start().await;
        let (account, now) = (control_plane.account_id().await, control_plane.app.clock.now());
        let store = &control_plane.app.store;
        for name in ["one", "two", "three"] {
            let (id, waves) = (control_plane.app.clock.new_id(), json!([{"name": "canary"}]));
            store.put_plan(account, id, document(name, &waves), now).await;
            if name == "three" {
                store.put_plan_state(id, PlanState::Halted, "", now).await;
            }
        }
        store.put("UPDATE plans SET deleted_at = 1 WHERE name = 'two'").await;
        let text = scraped(&control_plane).await;
        for (state, count) in [("running", 1), ("halted", 1), ("completed", 0), ("approvalWanted", 0)] {
            let line = format!("novacula_fleet_plans{{state=\"{state}\"}} {count}");
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        for state in [PlanState::Paused, PlanState::RollingBack, PlanState::RolledBack] {
            let word = serde_json::to_string(&state).unwrap();
            assert!(text.contains(&format!("novacula_fleet_plans{{state={word}}} 0")), "{word} in {text}");
        }
    }

    #[test]
    fn a_sync_counts_in_its_bucket_and_in_all_above() {
        let metrics = Metrics::default();
        for ms in [1, 3, 20_000] {
            metrics.synced(Some(Duration::from_millis(ms)), true);
        }
        let mut text = String::new();
        metrics.write(&mut text).unwrap();
        for line in
            ["le=\"0.001\"} 1", "le=\"0.002\"} 1", "le=\"0.005\"} 2", "le=\"10\"} 2", "le=\"+Inf\"} 3"]
        {
            assert!(text.contains(&format!("novacula_sync_duration_seconds_bucket{{{line}\n")), "{text}");
        }
        assert!(text.contains("novacula_sync_duration_seconds_sum 20.004\n"), "{text}");
    }
}
