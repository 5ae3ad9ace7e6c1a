//! Pure: how many of a wave are where, and how many may be.

use novacula_protocol::people::{CountOrPercent, MemberOutcome, WaveSpec};

use super::member::Member;

/// How many may be out of reach, where a plan does not say.
const MAX_UNREACHABLE: CountOrPercent = CountOrPercent::Percent(20);

/// From how many on a percentage means something, where a plan does not say.
const MIN_SAMPLE: u32 = 10;

/// How many are where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Everybody who counts: not on hold, not refused, not another plan's, not deleted.
    pub total: u32,
    /// Their turn comes.
    pub waiting: u32,
    /// They are at it.
    pub started: u32,
    /// They run the target, by the plan or before.
    pub on_target: u32,
    /// Of those, by the plan.
    pub completed: u32,
    /// They run the target, and do not sync any more.
    pub lost: u32,
    /// They failed or went back.
    pub failed: u32,
    /// They stood still until they were given up.
    pub slow: u32,
    /// They do not sync.
    pub unreachable: u32,
    /// They count for nothing.
    pub aside: u32,
}

impl Counted {
    /// Counts.
    #[must_use]
    pub fn of(members: &[&Member]) -> Self {
        use MemberOutcome as O;
        let mut counted = Self::default();
        for member in members {
            counted.total += 1;
            match member.outcome {
                O::Waiting => counted.waiting += 1,
                O::Started => counted.started += 1,
                O::Completed | O::AlreadyThere => {
                    counted.on_target += 1;
                    counted.completed += u32::from(member.outcome == O::Completed);
                    counted.lost += u32::from(member.seen.is_offline());
                }
                O::Failed => counted.failed += 1,
                O::Slow => counted.slow += 1,
                O::Unreachable => counted.unreachable += 1,
                O::Held
                | O::Refused
                | O::Yielded
                | O::Gone
                | O::RollingBack
                | O::RolledBack
                | O::NotRolledBack => {
                    counted.total -= 1;
                    counted.aside += 1;
                }
            }
        }
        counted
    }

    /// Who is left to do, as one sentence.
    #[must_use]
    pub fn under_way(&self, members: &[&Member], max_in_flight: u32) -> String {
        let Self { started, waiting, .. } = self;
        let waiting_for = members
            .iter()
            .filter(|member| member.outcome == MemberOutcome::Waiting)
            .find_map(|member| Some(format!("; `{}` waits: {}", member.name, member.seen.obstacle()?)));
        let cap = if *started >= max_in_flight && *waiting > 0 {
            format!("; at most {max_in_flight} go at once")
        } else {
            waiting_for.unwrap_or_default()
        };
        format!("{started} under way, {waiting} waiting{cap}")
    }

    /// More failed than may.
    #[must_use]
    pub fn has_too_many_failed(&self, spec: &WaveSpec) -> Option<CountOrPercent> {
        let limit = spec.max_failed.unwrap_or(CountOrPercent::Count(0));
        self.exceeds(self.failed, limit, spec).then_some(limit)
    }

    /// More are slow than may be.
    #[must_use]
    pub fn has_too_many_slow(&self, spec: &WaveSpec) -> Option<CountOrPercent> {
        let limit = spec.max_slow.unwrap_or(CountOrPercent::Count(0));
        self.exceeds(self.slow, limit, spec).then_some(limit)
    }

    /// More are out of reach than may be. That is known of everybody at any time, so its percentage is one of the wave.
    #[must_use]
    pub fn has_too_many_unreachable(&self, spec: &WaveSpec) -> Option<CountOrPercent> {
        let limit = spec.max_unreachable.unwrap_or(MAX_UNREACHABLE);
        let silent = self.unreachable + self.lost;
        let is_too_many = match limit {
            CountOrPercent::Count(most) => silent > most,
            CountOrPercent::Percent(percent) => is_above(silent, percent, self.total),
        };
        is_too_many.then_some(limit)
    }

    fn exceeds(&self, bad: u32, limit: CountOrPercent, spec: &WaveSpec) -> bool {
        match limit {
            CountOrPercent::Count(most) => bad > most,
            CountOrPercent::Percent(percent) => {
                let had_their_turn = self.completed + self.failed + self.slow;
                let is_over = self.waiting + self.started == 0;
                let enough = spec.min_sample.unwrap_or(MIN_SAMPLE).min(self.total);
                (is_over || had_their_turn >= enough) && is_above(bad, percent, had_their_turn)
            }
        }
    }
}

fn is_above(part: u32, percent: u8, whole: u32) -> bool {
    u64::from(part) * 100 > u64::from(percent) * u64::from(whole)
}
