//! When to sync next: steady while answers come, ever slower while they do not. Pure; whoever calls brings the dice.

/// The longest wait after failures, in ms.
const CAP_MS: u64 = 60_000;
/// The longest wait during a trial, in ms: a good release must not be blamed for still backing off.
const TRIAL_CAP_MS: u64 = 10_000;

/// How long to wait, given how it went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    not_before_ms: u64,
}

impl Backoff {
    /// An answer came.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// No answer came, or one that asks to wait `retry_after_ms`.
    pub fn failed(&mut self, retry_after_ms: Option<u64>) {
        self.failures = self.failures.saturating_add(1);
        self.not_before_ms = retry_after_ms.unwrap_or(0).min(15 * 60_000);
    }

    /// How many syncs in a row went wrong.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The wait until the next sync in ms. `dice` is any number; the same one gives the same wait.
    #[must_use]
    pub fn wait_ms(&self, interval_ms: u64, on_trial: bool, dice: u64) -> u64 {
        if self.failures == 0 {
            let spread = interval_ms / 5;
            return interval_ms - spread / 2 + share(spread, dice);
        }
        // Whoever was told to come seldom does not come more often because nobody answers.
        let cap = if on_trial { TRIAL_CAP_MS } else { CAP_MS.max(interval_ms) };
        let doubled = interval_ms.saturating_mul(1 << self.failures.min(16)).min(cap);
        // The first failure is when a whole fleet notices at once: spread it over twice the time.
        let range = if self.failures == 1 && !on_trial { doubled * 2 } else { doubled };
        // A fleet that backs off in step comes back in step: the jitter covers the whole range after the cap.
        let wait = share(range, dice).max(500);
        // A whole fleet may have been asked for the same wait, so the jitter comes on top of it.
        let wait = wait.saturating_add(self.not_before_ms);
        if on_trial { wait.min(TRIAL_CAP_MS) } else { wait }
    }
}

fn share(range: u64, dice: u64) -> u64 {
    match range {
        0 => 0,
        _ => dice % (range + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DICE: [u64; 6] = [0, 1, 4_999, 123_456_789, u64::MAX / 2, u64::MAX];

    fn after(failures: u32) -> Backoff {
        let mut backoff = Backoff::default();
        (0..failures).for_each(|_| backoff.failed(None));
        backoff
    }

    #[test]
    fn while_answers_come_the_wait_stays_within_ten_percent() {
        for dice in DICE {
            assert!((4_500..=5_500).contains(&Backoff::default().wait_ms(5_000, false, dice)));
        }
    }

    #[test]
    fn the_wait_grows_to_a_minute_and_no_further() {
        let longest = |failures| after(failures).wait_ms(5_000, false, 60_000);
        assert_eq!(longest(4), 60_000);
        for failures in 1..100 {
            assert!(DICE.iter().all(|d| (500..=60_000).contains(&after(failures).wait_ms(5_000, false, *d))));
        }
    }

    #[test]
    fn during_a_trial_the_wait_stays_within_ten_seconds_whatever_is_asked() {
        let mut backoff = after(9);
        backoff.failed(Some(600_000));
        assert!(DICE.iter().all(|dice| backoff.wait_ms(5_000, true, *dice) <= 10_000));
        assert!(DICE.iter().all(|dice| backoff.wait_ms(5_000, false, *dice) >= 600_000));
    }

    #[test]
    fn whoever_is_asked_to_wait_does_not_come_back_in_step_with_the_others() {
        let mut backoff = Backoff::default();
        backoff.failed(Some(30_000));
        let waits = |dice| backoff.wait_ms(5_000, false, dice);
        assert!(DICE.iter().all(|dice| (30_500..=50_000).contains(&waits(*dice))));
        assert!(waits(10_000) - waits(1_000) == 9_000, "the jitter is whole");
    }

    #[test]
    fn whoever_was_told_to_come_seldom_does_not_come_more_often_because_nobody_answers() {
        for failures in 1..10 {
            assert!(after(failures).wait_ms(600_000, false, 600_000) >= 600_000);
        }
    }

    #[test]
    fn one_answer_ends_the_backoff() {
        let mut backoff = after(9);
        backoff.succeeded();
        assert_eq!(backoff, Backoff::default());
    }
}
