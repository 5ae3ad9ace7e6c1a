//! The time of a simulation, as the control plane's clock shows it, and how often executors sync in it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// So many syncs a second of real time are a quiet load for two processors.
const SYNCS_A_SECOND: u64 = 1_000;
/// Executors keep their interval within these, whatever they are told.
const INTERVALS_MS: (u64, u64) = (1_000, 900_000);
/// However few they are, in ms of real time: the answers of a busy machine may take as long.
const LEAST_INTERVAL_MS: u64 = 500;
/// A machine that stands still for less makes nobody offline, in ms of real time.
const LEAST_TIMEOUT_MS: u64 = 4_000;
/// Intervals until an executor is offline.
const SYNCS_MISSED: u64 = 4;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// How fast time goes, and how often executors sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Seconds of the simulation in one.
    pub speed: u32,
    /// When both clocks showed the same.
    pub since: Timestamp,
    /// Between two syncs of an executor, in simulated ms.
    pub sync_interval_ms: u64,
    /// Until it is offline, in simulated ms.
    pub heartbeat_timeout_ms: u64,
    /// Until an upgrade that is not picked up lapses, in simulated ms.
    pub pending_upgrade_ttl_ms: u64,
}

impl Pace {
    /// For so many executors.
    ///
    /// # Errors
    /// When so many cannot sync so fast.
    pub fn of(executors: u32, speed: u32, since: Timestamp) -> Result<Self, String> {
        let (least, most) = INTERVALS_MS;
        let busiest = u64::from(executors).saturating_mul(1_000) / SYNCS_A_SECOND;
        let interval = busiest.max(LEAST_INTERVAL_MS) * u64::from(speed);
        if interval > most {
            let fastest = most / busiest.max(LEAST_INTERVAL_MS);
            return Err(format!(
                "so many executors can be simulated {fastest} times as fast as time goes, asked for is {speed}: choose \
                 a lower --speed, or fewer --executors"
            ));
        }
        let sync_interval_ms = interval.max(least);
        let patience = LEAST_TIMEOUT_MS * u64::from(speed);
        let heartbeat_timeout_ms = (sync_interval_ms * SYNCS_MISSED).max(patience).min(DAY_MS);
        let pending_upgrade_ttl_ms = (heartbeat_timeout_ms * 2).max(900_000);
        Ok(Self { speed, since, sync_interval_ms, heartbeat_timeout_ms, pending_upgrade_ttl_ms })
    }

    /// What the control plane's clock shows.
    #[expect(clippy::disallowed_methods, reason = "the only home of the simulation's clock")]
    pub fn now(&self) -> Timestamp {
        let real = Timestamp::now().as_millisecond();
        let since = self.since.as_millisecond();
        let passed = real.saturating_sub(since).saturating_mul(i64::from(self.speed));
        Timestamp::from_millisecond(since.saturating_add(passed)).unwrap_or(Timestamp::MAX)
    }

    /// How long one waits for so much simulated time.
    pub fn real(&self, simulated_ms: u64) -> Duration {
        Duration::from_millis(simulated_ms) / self.speed.max(1)
    }

    /// What one ms of ours comes to: whatever is measured on both sides of the wire is known no better.
    pub fn grain_ms(&self) -> u64 {
        2 * u64::from(self.speed)
    }

    /// What the control plane is started with.
    pub fn test_clock(&self) -> String {
        format!("{}@{}", self.speed, self.since)
    }
}

/// So much later.
pub fn later(from: Timestamp, ms: u64) -> Timestamp {
    let ms = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    from.checked_add(ms).unwrap_or(Timestamp::MAX)
}

/// From one to the other; nothing where that is backwards.
pub fn between_ms(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond().saturating_sub(from.as_millisecond())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_syncs_as_often_as_two_processors_bear() {
        let at = |executors, speed| Pace::of(executors, speed, Timestamp::UNIX_EPOCH);
        let usual = at(1_000, 60).unwrap();
        assert_eq!((usual.sync_interval_ms, usual.heartbeat_timeout_ms), (60_000, 240_000));
        assert_eq!(usual.pending_upgrade_ttl_ms, 900_000);
        let few = at(10, 1).unwrap();
        assert_eq!((few.sync_interval_ms, few.heartbeat_timeout_ms), (1_000, 4_000));
        for (executors, speed) in [(1_000, 600), (150, 1_800), (5_000, 100)] {
            let pace = at(executors, speed).unwrap();
            let a_second = u64::from(executors) * u64::from(speed) * 1_000 / pace.sync_interval_ms;
            assert!(a_second <= SYNCS_A_SECOND, "{executors} at {speed}: {a_second}");
            assert!(pace.pending_upgrade_ttl_ms > pace.heartbeat_timeout_ms);
            assert!(pace.heartbeat_timeout_ms > pace.sync_interval_ms);
        }
        let refused = at(1_000, 10_000).unwrap_err();
        assert!(refused.contains("900 times"), "{refused}");
        assert!(at(1_000, 900).is_ok());
    }

    #[test]
    fn the_clock_runs_ahead_as_the_control_planes_does() {
        let pace = Pace::of(1, 60, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(pace.real(60_000), Duration::from_secs(1));
        assert_eq!(pace.test_clock(), "60@1970-01-01T00:00:00Z");
        assert_eq!(between_ms(later(pace.since, 5), pace.since), 0);
        assert_eq!(between_ms(pace.since, later(pace.since, 5)), 5);
    }
}
