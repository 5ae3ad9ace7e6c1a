//! What was counted.

use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::{Value, json};

use crate::command_line::Asked;

/// A latency beyond it counts as so long.
const LONGEST_US: u64 = 60_000_000;

/// Of one thread, or of all.
pub struct Figures {
    /// Answered well.
    pub requests: u64,
    /// Answered well by nobody, however often they were tried.
    pub errors: u64,
    /// Requests that got no answer on their connection, and were sent again.
    pub lost_on_the_wire: u64,
    /// Answers that were no good, and their requests sent again where there is another target.
    pub bad_answers: u64,
    /// Requests that there was no room for; they come again, as those of an agent do.
    pub shed: u64,
    /// Status of the last bad answer.
    pub last_bad_status: u16,
    /// Connections opened, the first ones counted.
    pub connected: u64,
    /// Due, and not even sent when the time was over.
    pub unsent: u64,
    last: Option<Instant>,
    latencies: Histogram<u64>,
    a_second: Vec<u64>,
}

impl Figures {
    pub fn new() -> Self {
        Self {
            requests: 0,
            errors: 0,
            lost_on_the_wire: 0,
            bad_answers: 0,
            shed: 0,
            last_bad_status: 0,
            connected: 0,
            unsent: 0,
            last: None,
            latencies: Histogram::new_with_bounds(1, LONGEST_US, 3).expect("these bounds are possible"),
            a_second: Vec::new(),
        }
    }

    /// A request was answered well.
    pub fn answered(&mut self, since: Instant, now: Instant, started: Instant) {
        self.requests += 1;
        self.last = Some(now);
        let us = u64::try_from((now - since).as_micros()).unwrap_or(LONGEST_US);
        self.latencies.saturating_record(us.clamp(1, LONGEST_US));
        let second = usize::try_from((now - started).as_secs()).unwrap_or(0);
        if second >= self.a_second.len() {
            self.a_second.resize(second + 1, 0);
        }
        self.a_second[second] += 1;
    }

    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.lost_on_the_wire += other.lost_on_the_wire;
        self.bad_answers += other.bad_answers;
        self.shed += other.shed;
        self.last_bad_status = self.last_bad_status.max(other.last_bad_status);
        self.connected += other.connected;
        self.unsent += other.unsent;
        self.last = self.last.max(other.last);
        self.latencies.add(&other.latencies).expect("both have the same bounds");
        self.a_second.resize(self.a_second.len().max(other.a_second.len()), 0);
        for (all, one) in self.a_second.iter_mut().zip(&other.a_second) {
            *all += one;
        }
    }

    pub fn json(&self, started: Instant, said: u32, asked: &Asked) -> Result<Value> {
        let seconds = self.last.map_or(Duration::ZERO, |last| last - started).as_secs_f64();
        let quantile = |q| ms(self.latencies.value_at_quantile(q));
        let own = getrusage(UsageWho::RUSAGE_SELF)?;
        let own_us = own.user_time().num_microseconds() + own.system_time().num_microseconds();
        #[expect(clippy::cast_precision_loss, reason = "no run has so many requests")]
        let rate = if seconds > 0.0 { self.requests as f64 / seconds } else { 0.0 };
        Ok(json!({
            "requests": self.requests,
            "errors": self.errors,
            "seconds": seconds,
            "rate": rate,
            "askedRate": asked.rate,
            "p50Ms": quantile(0.5),
            "p90Ms": quantile(0.9),
            "p99Ms": quantile(0.99),
            "p999Ms": quantile(0.999),
            "maxMs": ms(self.latencies.max()),
            "lostOnTheWire": self.lost_on_the_wire,
            "badAnswers": self.bad_answers,
            "shed": self.shed,
            "lastBadStatus": self.last_bad_status,
            "connected": self.connected,
            "unsent": self.unsent,
            "said": said,
            "ownCpuUs": own_us,
            "aSecond": self.a_second,
            "executors": asked.executors,
            "connections": asked.connections,
            "threads": asked.threads,
        }))
    }
}

fn ms(us: u64) -> f64 {
    f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1_000.0
}
