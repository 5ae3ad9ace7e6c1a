//! How often to sync: as often as the control plane asks while it answers, by the backoff while it does not; and for how
//! long a sync may wait there, where the sysadmin wants that. Pure, so that a simulated fleet keeps the very same time.

use novacula_protocol::sync::clamp_interval_ms;

use crate::backoff::Backoff;

/// What takes less time has not waited.
const WAITED_MS: u64 = 1_000;

/// The time of one executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// By its own config it comes no more often.
    least_ms: u64,
    interval_ms: u64,
    backoff: Backoff,
    /// For how long the sysadmin lets a sync wait, in s; 0 where it does not.
    longest_s: u64,
    /// The same as far as the way to the control plane lets it: a proxy may end what is silent.
    wait_s: u64,
    /// For how long the sync under way may wait.
    asked_s: u64,
    last: Last,
}

/// How the last sync went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Plain,
    /// It was let wait, and took so long.
    Waited(u64),
    /// It waited and was let go before: whoever ended it ended all.
    LetGo,
    /// It waited and there was no answer.
    Cut,
}

impl Pacing {
    /// Nothing was heard of a control plane yet.
    #[must_use]
    pub fn new(least_ms: u64, long_poll_ms: u64) -> Self {
        let longest_s = long_poll_ms / 1_000;
        Self {
            least_ms,
            interval_ms: least_ms,
            backoff: Backoff::default(),
            longest_s,
            wait_s: longest_s,
            asked_s: 0,
            last: Last::Plain,
        }
    }

    /// A sync begins; gives for how long it may wait, in s. `is_idle`: nothing is in hand. Not all ask for the same, so
    /// that those who were let go at once do not stay together.
    pub fn begin(&mut self, is_idle: bool, dice: u64) -> u64 {
        let may_wait = is_idle && self.failures() == 0;
        self.asked_s = if may_wait { self.wait_s - dice % (self.wait_s / 5 + 1) } else { 0 };
        self.asked_s
    }

    /// An answer came after `took_ms`; it asks for `interval_ms` between two syncs. `was_let_wait`: if it had to.
    pub fn answered(&mut self, interval_ms: u64, was_let_wait: bool, took_ms: u64) {
        let is_back = self.failures() > 0 && self.longest_s > 0;
        self.backoff.succeeded();
        self.interval_ms = clamp_interval_ms(interval_ms).max(self.least_ms);
        self.last = Last::Plain;
        if is_back {
            // All come back, and each would come a second time before it waits.
            (self.asked_s, self.last) = (self.longest_s, Last::LetGo);
        } else if self.asked_s > 0 {
            self.wait_s = self.longest_s.min(self.wait_s + 1);
            self.last = match took_ms {
                _ if was_let_wait => Last::Waited(took_ms),
                WAITED_MS.. => Last::LetGo,
                _ => Last::Plain,
            };
        }
    }

    /// No answer came in `took_ms`, or one that asks to wait `retry_after_ms`. Gives whether that is a failure: a proxy
    /// that ends what is silent is none, the next sync waits less; but twice in a row it is no proxy.
    pub fn failed(&mut self, retry_after_ms: Option<u64>, took_ms: u64) -> bool {
        let was_cut = self.last == Last::Cut;
        self.last = Last::Plain;
        if self.asked_s > 0 && took_ms >= WAITED_MS {
            // Not much less at once: it may have been an end of the control plane, and then all come more often.
            self.wait_s = self.wait_s.min(took_ms * 3 / 4_000).max(self.wait_s / 2).max(1);
            if !was_cut {
                self.last = Last::Cut;
                return false;
            }
        }
        self.backoff.failed(retry_after_ms);
        true
    }

    /// How many syncs in a row went wrong.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// The wait until the next sync in ms. `dice` is any number; the same one gives the same wait.
    #[must_use]
    pub fn wait_ms(&self, on_trial: bool, dice: u64) -> u64 {
        // Who waits there comes seldom while all is well, and so shall it when nothing is.
        let least_ms = if self.failures() > 0 { self.longest_s * 500 } else { 0 };
        let wait_ms = self.backoff.wait_ms(self.interval_ms.max(least_ms), on_trial, dice);
        match self.last {
            _ if on_trial => wait_ms,
            Last::Plain => wait_ms,
            // Who waited there need not wait here.
            Last::Waited(took_ms) => wait_ms.saturating_sub(took_ms),
            // With all others: spread over the time that they would have waited.
            Last::LetGo | Last::Cut => dice % (self.asked_s * 1_000 + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(pacing: &Pacing) -> (u64, u64) {
        let waits = (0..1_000).map(|n| pacing.wait_ms(false, n * 7_919));
        waits.fold((u64::MAX, 0), |(least, most), it| (least.min(it), most.max(it)))
    }

    #[test]
    fn a_control_plane_slows_an_executor_down_and_never_hurries_it() {
        for (sentence, told_ms, expected) in [
            ("as it asks", 20_000, (18_000, 22_000)),
            ("no more often than its own config says", 1_000, (4_500, 5_500)),
            ("no more seldom than every 15 minutes", u64::MAX, (810_000, 990_000)),
        ] {
            let mut pacing = Pacing::new(5_000, 0);
            assert_eq!(pacing.begin(true, 7), 0, "without a word of the sysadmin nothing waits");
            pacing.answered(told_ms, false, 9_000);
            let (least, most) = waits(&pacing);
            assert!(expected.0 <= least && most <= expected.1, "{sentence}: {least} to {most}");
        }
    }

    #[test]
    fn who_waited_comes_back_at_once_and_never_more_often_than_the_interval() {
        for (sentence, was_let_wait, took_ms, expected) in [
            ("it waited to the end", true, 25_000, (0, 0)),
            ("there was something after a while", true, 1_000, (3_500, 4_500)),
            ("there was something at once", true, 0, (4_500, 5_500)),
            ("the control plane knows no waiting", false, 3, (4_500, 5_500)),
            ("all were let go", false, 9_000, (0, 25_000)),
        ] {
            let mut pacing = Pacing::new(5_000, 25_000);
            assert!((0..99).all(|dice| (20..=25).contains(&pacing.begin(true, dice))));
            pacing.answered(5_000, was_let_wait, took_ms);
            let (least, most) = waits(&pacing);
            assert!(expected.0 <= least && most <= expected.1, "{sentence}: {least} to {most}");
            assert!(most - least >= (expected.1 - expected.0) * 9 / 10, "{sentence}: {least} to {most}");
        }
    }

    #[test]
    fn a_proxy_that_ends_what_is_silent_is_no_failure_and_the_next_sync_waits_less() {
        let mut pacing = Pacing::new(5_000, 25_000);
        assert_eq!(pacing.begin(true, 0), 25);
        assert!(!pacing.failed(None, 20_000));
        assert!((24_000..=25_000).contains(&waits(&pacing).1), "all may have been cut off at once");
        for asked_s in [15, 16, 17, 18, 19, 20] {
            assert_eq!(pacing.begin(true, 0), asked_s);
            pacing.answered(5_000, true, asked_s * 1_000);
        }
        pacing.begin(true, 0);
        assert!(!pacing.failed(None, 20_000), "it was tried again, some syncs later");
        pacing.begin(true, 0);
        assert!(pacing.failed(None, 9_000), "twice in a row is a failure");
        pacing.answered(5_000, false, 0);
        assert_eq!(pacing.begin(true, 0), 7, "half as long as before");
        pacing.failed(None, 0);
        assert_eq!((pacing.failures(), pacing.begin(true, 0)), (1, 0), "who has lost it does not wait");
        let mut refused = Pacing::new(5_000, 25_000);
        refused.begin(true, 0);
        assert!(refused.failed(Some(1_000), 5), "who is refused has not waited");
        let mut busy = Pacing::new(5_000, 25_000);
        assert_eq!(busy.begin(false, 0), 0, "who has something in hand does not wait");
        assert!(busy.failed(None, 15_000));
    }
}
