//! How often executors are told to come, by how much there is to do.
//!
//! Everybody is told the same, but for executors with something in hand, which keep the shortest interval. Whoever is
//! told something acts on it when it comes the next time, so after each change we wait for as long as the interval was
//! before: who judges a change before the fleet has heard of it swings.

pub(crate) mod live;
mod room;

#[cfg(test)]
mod simulated;

use std::collections::VecDeque;

pub(crate) use room::Room;

/// The timer of the runtime may be so late, in ms, before that is a strain.
const LATE_MS: f64 = 100.0;
/// An answer may take so long on average, in ms.
const TOOK_MS: f64 = 500.0;
/// So many syncs may be under way at once.
const IN_FLIGHT: f64 = 2_048.0;
/// So much may wait for the store's writer.
const WRITES: f64 = 1_024.0;
/// Below this rate it is not the executors that are the load, and telling them to come less often helps nobody.
const FEW_A_SECOND: f64 = 50.0;
/// A strain of one second is a hiccup.
const LOOKS: u32 = 2;

/// By which the interval grows at once, unless it is known that so many more came than could be answered.
const GROWTH: f64 = 1.25;
/// However many they were.
const MOST_GROWTH: f64 = 4.0;
/// By which it falls.
const FALL: f64 = 0.9;
/// It falls while that leaves the rate below this part of the last one that was too much.
const SHARE: f64 = 0.8;
/// After so long without strain the rate that was too much counts twice, then faster and faster: the next strain may
/// have had another reason, such as a neighbour on the same machine.
const FORGIVEN_MS: f64 = 600_000.0;

/// Strained moments so close together are one.
const TOGETHER_MS: u64 = 10_000;

/// Beyond these there is no room for syncs that can as well come later.
const NO_ROOM_LATE_MS: u64 = 1_000;
const NO_ROOM_IN_FLIGHT: u64 = 4_096;

/// What may be told, and what silence means while the shortest interval is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The shortest interval: while there is nothing to worry about, and always for executors with something in hand.
    pub base_ms: u64,
    /// The longest.
    pub ceiling_ms: u64,
    /// An executor that was told the shortest interval counts as silent after this.
    pub heartbeat_timeout_ms: u64,
}

/// What is felt of the load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Syncs that were answered, a second.
    pub answered_a_second: f64,
    /// Syncs that there was no room for, a second.
    pub refused_a_second: f64,
    /// Syncs that came and are not answered yet.
    pub in_flight: u64,
    /// How long an answer took on average.
    pub took_ms: f64,
    /// How late the runtime's own timer was.
    pub late_ms: u64,
    /// How much waits for the store's writer.
    pub writes_waiting: u64,
}

impl Load {
    /// 1 is as much as is good.
    #[must_use]
    pub fn strain(&self) -> f64 {
        if self.answered_a_second + self.refused_a_second < FEW_A_SECOND {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share of a limit")]
        let of = |count: u64, limit: f64| count as f64 / limit;
        of(self.late_ms, LATE_MS)
            .max(self.took_ms / TOOK_MS)
            .max(of(self.in_flight, IN_FLIGHT))
            .max(of(self.writes_waiting, WRITES))
    }

    /// By how much the interval has to grow.
    fn growth(&self) -> f64 {
        let came = self.answered_a_second + self.refused_a_second;
        let too_many = came / self.answered_a_second.max(1.0);
        GROWTH.max(too_many / SHARE).min(MOST_GROWTH)
    }

    /// Whoever comes now and has nothing in hand had better come later.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        self.late_ms >= NO_ROOM_LATE_MS || self.in_flight >= NO_ROOM_IN_FLIGHT
    }
}

/// The interval, and how it came about. Times are milliseconds that only ever grow.
#[derive(Clone, Debug)]
pub struct Pace {
    limits: Limits,
    told_ms: u64,
    strained_looks: u32,
    /// Until then the fleet has not heard of the last change.
    settles_at: u64,
    /// The rate that was too much, and when.
    too_much: Option<(f64, u64)>,
    /// What was answered since the fleet has heard, and in how many looks.
    answered: (f64, u32),
    /// What was told before and somebody may still go by, the longest first, each until it is no excuse any more.
    told_before: VecDeque<(u64, u64)>,
}

impl Pace {
    /// Nothing to worry about.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            told_ms: limits.base_ms,
            strained_looks: 0,
            settles_at: 0,
            too_much: None,
            answered: (0.0, 0),
            told_before: VecDeque::new(),
        }
    }

    /// What executors without anything in hand are told now.
    #[must_use]
    pub fn interval_ms(&self) -> u64 {
        self.told_ms
    }

    /// How many seconds the `n`th executor shall stay away that there was no room for. Each is told another time within
    /// two intervals, so that they do not come back together.
    #[must_use]
    pub fn come_again_s(&self, n: u64) -> u64 {
        come_again_s(self.told_ms, n)
    }

    /// Takes in what the last second was like.
    pub fn look(&mut self, load: &Load, now: u64) {
        let strain = load.strain();
        self.strained_looks = if strain >= 1.0 { self.strained_looks.saturating_add(1) } else { 0 };
        if self.strained_looks > 0 {
            let just_now = self.too_much.filter(|(_, at)| now.saturating_sub(*at) <= TOGETHER_MS);
            let rate = just_now.map_or(0.0, |(rate, _)| rate).max(load.answered_a_second);
            self.too_much = Some((rate, now));
        }
        if now >= self.settles_at {
            self.answered = (self.answered.0 + load.answered_a_second, self.answered.1 + 1);
            let next_ms = if self.strained_looks >= LOOKS {
                scaled(self.told_ms, load.growth()).min(self.limits.ceiling_ms)
            } else if self.strained_looks == 0 && now >= self.settles_at.saturating_add(self.told_ms) {
                self.fallen(now)
            } else {
                self.told_ms
            };
            if next_ms != self.told_ms {
                // With the jitter of the executors, and with what has piled up until they have heard.
                let heard_ms = scaled(self.told_ms.min(next_ms), 1.1);
                self.settles_at = now.saturating_add(heard_ms).saturating_add(load.late_ms.max(heard_ms / 2));
                self.told_ms = next_ms;
                self.answered = (0.0, 0);
            }
        }
        self.remember_told(now);
    }

    /// One step down, where the rate that comes of it is known to be no strain.
    fn fallen(&self, now: u64) -> u64 {
        let lower_ms = scaled(self.told_ms, FALL).max(self.limits.base_ms);
        let Some((rate, at)) = self.too_much else { return lower_ms };
        #[expect(clippy::cast_precision_loss, reason = "a ratio and a share of ten minutes")]
        let (faster, calm) =
            (self.told_ms as f64 / lower_ms as f64, now.saturating_sub(at) as f64 / FORGIVEN_MS);
        let bearable = SHARE * rate * (1.0 + calm.powi(3));
        if self.answered.0 / f64::from(self.answered.1) * faster <= bearable {
            lower_ms
        } else {
            self.told_ms
        }
    }

    fn remember_told(&mut self, now: u64) {
        let until = now.saturating_add(self.silence_ms(self.told_ms));
        while self.told_before.back().is_some_and(|(told_ms, _)| *told_ms <= self.told_ms) {
            self.told_before.pop_back();
        }
        self.told_before.push_back((self.told_ms, until));
        while self.told_before.front().is_some_and(|(_, until)| *until < now) {
            self.told_before.pop_front();
        }
    }

    /// How old the last sync of an online executor may be: as many intervals of the longest that somebody still goes by
    /// as there are in the setting for the shortest.
    #[must_use]
    pub fn heartbeat_timeout_ms(&self) -> u64 {
        let longest_ms = self.told_before.front().map_or(self.told_ms, |(told_ms, _)| *told_ms);
        self.silence_ms(longest_ms.max(self.told_ms))
    }

    fn silence_ms(&self, told_ms: u64) -> u64 {
        let Limits { base_ms, heartbeat_timeout_ms, .. } = self.limits;
        let scaled = u128::from(heartbeat_timeout_ms) * u128::from(told_ms) / u128::from(base_ms.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

fn come_again_s(interval_ms: u64, n: u64) -> u64 {
    1 + n % (interval_ms / 500).max(1)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an interval of minutes at most, to the millisecond"
)]
fn scaled(ms: u64, by: f64) -> u64 {
    (ms as f64 * by).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { base_ms: 5_000, ceiling_ms: 60_000, heartbeat_timeout_ms: 30_000 };

    fn calm(answered_a_second: f64) -> Load {
        Load { answered_a_second, took_ms: 1.0, ..Load::default() }
    }

    #[test]
    fn a_strain_is_the_worst_of_what_is_felt_and_only_under_many_syncs() {
        let many = calm(1_000.0);
        for (sentence, load, expected) in [
            ("all is well", many, 0.002),
            ("the timer is late", Load { late_ms: 250, ..many }, 2.5),
            ("answers take long", Load { took_ms: 1_500.0, ..many }, 3.0),
            ("many are under way", Load { in_flight: 4_096, ..many }, 2.0),
            ("the writer is behind", Load { writes_waiting: 2_048, late_ms: 10, ..many }, 2.0),
            ("a slow disk under few executors", Load { took_ms: 9_000.0, ..calm(49.0) }, 0.0),
        ] {
            assert!((load.strain() - expected).abs() < 1e-9, "{sentence}: {}", load.strain());
        }
        assert!(Load { late_ms: 1_000, ..Load::default() }.is_too_much());
        assert!(Load { in_flight: 4_096, ..Load::default() }.is_too_much());
        assert!(!Load { late_ms: 999, in_flight: 4_095, took_ms: 1e9, ..many }.is_too_much());
    }

    #[test]
    fn the_interval_grows_by_as_much_as_is_known_once_the_fleet_has_heard_and_stops_at_the_ceiling() {
        let late = Load { late_ms: 200, ..calm(1_000.0) };
        for (sentence, load, expected) in [
            ("slowly, while nobody is refused", late, [(1, 6_250), (10, 7_813), (21, 9_766)]),
            (
                "by as many as were refused",
                Load { refused_a_second: 600.0, ..late },
                [(1, 10_000), (10, 20_000), (27, 40_000)],
            ),
            (
                "not by more than four times, and not beyond the ceiling",
                Load { refused_a_second: 90_000.0, ..late },
                [(1, 20_000), (10, 60_000), (599, 60_000)],
            ),
        ] {
            let mut pace = Pace::new(LIMITS);
            let mut grown = Vec::new();
            for second in 0..600 {
                let before = pace.interval_ms();
                pace.look(&load, second * 1_000);
                if pace.interval_ms() != before || second == 599 {
                    grown.push((second, pace.interval_ms()));
                }
            }
            assert_eq!(grown[..3], expected, "{sentence}");
        }
    }

    #[test]
    fn one_strained_second_is_a_hiccup() {
        let mut pace = Pace::new(LIMITS);
        for second in 0..600 {
            let late_ms = if second % 2 == 0 { 5_000 } else { 0 };
            pace.look(&Load { late_ms, ..calm(1_000.0) }, second * 1_000);
            assert_eq!(pace.interval_ms(), 5_000, "{second}");
        }
    }

    #[test]
    fn an_executor_that_comes_as_it_was_told_is_never_offline() {
        let mut pace = Pace::new(LIMITS);
        // One was told each of the intervals in the last second in which it was told, and misses four syncs.
        let mut told_at: Vec<(u64, u64)> = Vec::new();
        for second in 0..3_600 {
            let now = second * 1_000;
            let load = if second < 30 { Load { late_ms: 400, ..calm(9_000.0) } } else { calm(50.0) };
            pace.look(&load, now);
            told_at.retain(|(told_ms, at)| now - at <= told_ms * 5);
            let timeout_ms = pace.heartbeat_timeout_ms();
            assert!(told_at.iter().all(|(_, at)| now - at < timeout_ms), "at {second} s: {timeout_ms}");
            told_at.push((pace.interval_ms(), now));
        }
        assert_eq!((pace.interval_ms(), pace.heartbeat_timeout_ms()), (5_000, 30_000));
    }

    #[test]
    fn a_ceiling_at_the_base_is_no_steering() {
        let mut pace = Pace::new(Limits { ceiling_ms: 5_000, ..LIMITS });
        for second in 0..60 {
            pace.look(&Load { late_ms: 9_000, ..calm(9_000.0) }, second * 1_000);
            assert_eq!((pace.interval_ms(), pace.heartbeat_timeout_ms()), (5_000, 30_000));
        }
    }
}
