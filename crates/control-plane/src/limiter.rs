//! Pure: how often something may be tried, in memory that does not grow with those who try.

use std::collections::HashMap;
use std::hash::Hash;

/// So many at once, and after that one every so often.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// At once.
    pub burst: u32,
    /// After that one every so many milliseconds.
    pub every_ms: i64,
}

/// Counts the tries of each key: a generic cell rate algorithm, so one number a key is enough. When too many keys are
/// known, new ones share one count until old ones are forgotten.
#[derive(Debug)]
pub struct Limiter<K> {
    pace: Pace,
    most: usize,
    /// When each will have all its tries again, in milliseconds of the clock.
    whole_at: HashMap<Option<K>, i64>,
    tidied_at: i64,
}

impl<K: Eq + Hash> Limiter<K> {
    /// Nobody has tried anything; at most `most` keys are told apart.
    #[must_use]
    pub fn new(pace: Pace, most: usize) -> Self {
        Self { pace, most, whole_at: HashMap::new(), tidied_at: 0 }
    }

    /// Counts a try.
    ///
    /// # Errors
    /// How many milliseconds to wait when there were too many; this one is then not counted.
    pub fn take(&mut self, key: K, now: i64) -> Result<(), u64> {
        let key = self.counted_as(key, now);
        let most = i64::from(self.pace.burst) * self.pace.every_ms;
        // A clock that was put back must not lock anybody out for longer than a whole burst takes.
        let whole_at = self.whole_at.get(&key).map_or(now, |at| (*at).clamp(now, now + most));
        let next = whole_at + self.pace.every_ms;
        let wait = next - now - most;
        self.whole_at.insert(key, if wait > 0 { whole_at } else { next });
        if wait > 0 { Err(wait.unsigned_abs()) } else { Ok(()) }
    }

    /// A try that need not have been counted.
    pub fn give_back(&mut self, key: K) {
        let every_ms = self.pace.every_ms;
        if let Some(at) = self.whole_at.get_mut(&Some(key)) {
            *at -= every_ms;
        }
    }

    fn counted_as(&mut self, key: K, now: i64) -> Option<K> {
        let key = Some(key);
        if self.whole_at.len() < self.most || self.whole_at.contains_key(&key) {
            return key;
        }
        // At most once a second, because it looks at every key.
        if now.abs_diff(self.tidied_at) >= 1_000 {
            self.tidied_at = now;
            self.whole_at.retain(|_, whole_at| *whole_at > now);
        }
        if self.whole_at.len() < self.most { key } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { burst: 3, every_ms: 1_000 };

    #[test]
    fn a_burst_is_let_through_and_then_one_every_so_often() {
        let mut limiter = Limiter::new(PACE, 10);
        for (at, expected) in [
            (0, Ok(())),
            (0, Ok(())),
            (1, Ok(())),
            (1, Err(999)),
            (999, Err(1)),
            (1_000, Ok(())),
            (1_000, Err(1_000)),
            (9_000, Ok(())),
            (9_000, Ok(())),
            (9_000, Ok(())),
            (9_000, Err(1_000)),
        ] {
            assert_eq!(limiter.take("a", at), expected, "at {at}");
        }
        assert_eq!(limiter.take("b", 9_000), Ok(()), "each counts for itself");
        limiter.give_back("a");
        assert_eq!(limiter.take("a", 9_000), Ok(()));
        limiter.give_back("unknown");
    }

    #[test]
    fn a_clock_that_is_put_back_locks_nobody_out_for_long() {
        let mut limiter = Limiter::new(PACE, 10);
        assert_eq!(limiter.take("a", 1_000_000), Ok(()));
        assert_eq!(limiter.take("a", 0), Err(1_000));
        assert_eq!(limiter.take("a", 3_000), Ok(()));
    }

    #[test]
    fn however_many_try_the_memory_stays_bounded() {
        let mut limiter = Limiter::new(PACE, 10);
        let refused = (0..10_000).filter(|n| limiter.take(*n, 0).is_err()).count();
        assert_eq!(limiter.whole_at.len(), 11);
        assert_eq!(refused, 10_000 - 10 - 3, "those in excess share three tries");
        assert_eq!(limiter.take(5, 0), Ok(()), "one that is known is not in excess");
        assert_eq!(limiter.take(77_777, 60_000), Ok(()), "after a while all is forgotten");
        assert_eq!(limiter.whole_at.len(), 1);
    }
}
