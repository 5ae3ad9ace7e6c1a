//! How often to sync: as often as the control plane asks while it answers, by the backoff while it does not. Pure, so
//! that a simulated fleet keeps the very same time.

use novacula_protocol::sync::clamp_interval_ms;

use crate::backoff::Backoff;

/// The time of one executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// By its own config it comes no more often.
    least_ms: u64,
    interval_ms: u64,
    backoff: Backoff,
}

impl Pacing {
    /// Nothing was heard of a control plane yet.
    #[must_use]
    pub fn new(least_ms: u64) -> Self {
        Self { least_ms, interval_ms: least_ms, backoff: Backoff::default() }
    }

    /// An answer came; it asks for `interval_ms` between two syncs.
    pub fn answered(&mut self, interval_ms: u64) {
        self.backoff.succeeded();
        self.interval_ms = clamp_interval_ms(interval_ms).max(self.least_ms);
    }

    /// No answer came, or one that asks to wait `retry_after_ms`.
    pub fn failed(&mut self, retry_after_ms: Option<u64>) {
        self.backoff.failed(retry_after_ms);
    }

    /// How many syncs in a row went wrong.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// The wait until the next sync in ms. `dice` is any number; the same one gives the same wait.
    #[must_use]
    pub fn wait_ms(&self, on_trial: bool, dice: u64) -> u64 {
        self.backoff.wait_ms(self.interval_ms, on_trial, dice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_slows_an_executor_down_and_never_hurries_it() {
        for (sentence, told_ms, expected) in [
            ("as it asks", 20_000, 18_000..=22_000),
            ("no more often than its own config says", 1_000, 4_500..=5_500),
            ("no more seldom than every 15 minutes", u64::MAX, 810_000..=990_000),
        ] {
            let mut pacing = Pacing::new(5_000);
            pacing.answered(told_ms);
            for dice in [0, 7, 12_345, u64::MAX] {
                assert!(expected.contains(&pacing.wait_ms(false, dice)), "{sentence}");
            }
        }
    }
}
