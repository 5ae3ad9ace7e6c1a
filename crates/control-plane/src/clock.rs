//! The only reader of the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Tells the time, in whole milliseconds, because that is what the store keeps.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn of_the_system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that somebody else moves.
    pub fn told_by(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = (self.0)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
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
