//! The only reader of the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Tells the time, in whole milliseconds, because that is what the store keeps.
#[derive(Clone)]
pub struct Clock {
    tell: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    speed: u32,
}

/// A clock for simulations: it shows `since` when it is `since`, and goes `speed` times as fast from then on. Two of
/// the same kind show the same, so that a control plane that was killed goes on where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestClock {
    /// How many seconds it shows in one.
    pub speed: u32,
    /// When it was right.
    pub since: Timestamp,
}

impl TestClock {
    /// What it shows when it really is `real`; the end of time when it has got there.
    #[must_use]
    pub fn shows(self, real: Timestamp) -> Timestamp {
        let since = self.since.as_millisecond();
        let passed = real.as_millisecond().saturating_sub(since);
        let shown = since.saturating_add(passed.saturating_mul(i64::from(self.speed)));
        Timestamp::from_millisecond(shown).unwrap_or(if passed < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }
}

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn of_the_system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
        Self { tell: Arc::new(Timestamp::now), speed: 1 }
    }

    /// A clock for simulations, by that of this machine.
    #[must_use]
    pub fn of_a_simulation(clock: TestClock) -> Self {
        let real = Self::of_the_system();
        Self { tell: Arc::new(move || clock.shows(real.now())), speed: clock.speed }
    }

    /// A clock that somebody else moves.
    pub fn told_by(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell), speed: 1 }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = (self.tell)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// How long one waits here for so much time of this clock to pass; never shorter than `least`.
    pub(crate) fn wait(&self, length: Duration, least: Duration) -> Duration {
        (length / self.speed.max(1)).max(least)
    }

    /// How much time of this clock has passed since.
    pub(crate) fn passed(&self, since: &Stopwatch) -> Duration {
        since.elapsed().saturating_mul(self.speed.max(1))
    }

    /// A new id: in the order of creation, also inside one millisecond.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        #[expect(
            clippy::disallowed_methods,
            reason = "ids carry the time, and this is the home of the clock"
        )]
        Uuid::now_v7()
    }
}

/// Tells how long something took, whatever is done to the clock meanwhile.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// `from` plus so many milliseconds; `None` past the end of time.
#[must_use]
pub fn after_ms(from: Timestamp, ms: u64) -> Option<Timestamp> {
    from.checked_add(SignedDuration::from_millis(i64::try_from(ms).ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_for_simulations_runs_ahead_from_when_it_was_right() {
        let since: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        let clock = TestClock { speed: 60, since };
        for (sentence, real, shown) in [
            ("it is right once", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z"),
            ("a second is a minute", "2026-11-21T00:00:01Z", "2026-11-21T00:01:00Z"),
            ("milliseconds count", "2026-11-21T00:00:00.001Z", "2026-11-21T00:00:00.06Z"),
            ("a day is two months", "2026-11-22T00:00:00Z", "2027-01-20T00:00:00Z"),
            ("before, it is as far behind", "2026-11-20T23:59:59Z", "2026-11-20T23:59:00Z"),
        ] {
            assert_eq!(clock.shows(real.parse().unwrap()), shown.parse().unwrap(), "{sentence}");
        }
        assert_eq!(TestClock { speed: 10_000, since }.shows(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn one_waits_shorter_where_the_clock_is_faster_but_not_for_nothing() {
        let second = Duration::from_secs(1);
        let least = Duration::from_millis(20);
        let at = |speed| {
            let clock = TestClock { speed, since: Timestamp::UNIX_EPOCH };
            Clock::of_a_simulation(clock).wait(second, least)
        };
        assert_eq!(Clock::of_the_system().wait(second, least), second);
        assert_eq!((at(10), at(10_000)), (Duration::from_millis(100), least));
    }
}
