//! A server of a given speed and a fleet that does as it is told one interval later, without failures and backoff: does
//! the interval come to rest? The herd after an outage is simulated in `tests/herd.rs`, with the agent's own pacing.

use super::*;

const SEED: u64 = 7;

/// What the server was told and felt, second by second.
struct Course {
    intervals: Vec<u64>,
    longest_late_ms: u64,
}

/// As agents do: within ten percent.
fn jittered(interval_ms: u64, dice: &mut u64) -> u64 {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    interval_ms * 9 / 10 + (*dice >> 33) % (interval_ms / 5 + 1)
}

/// `executors(second)` come to a server that answers `capacity(second)` a second.
fn simulated(seconds: u64, executors: impl Fn(u64) -> usize, capacity: impl Fn(u64) -> f64) -> Course {
    let limits = Limits { base_ms: 5_000, ceiling_ms: 60_000, heartbeat_timeout_ms: 30_000 };
    let (mut pace, mut backlog, mut refusals) = (Pace::new(limits), 0.0, 0);
    let mut dice = SEED;
    // Evenly spread over the first interval.
    let most = (0..seconds).map(&executors).max().unwrap_or_default();
    let mut due_ms: Vec<u64> = (0..most as u64).map(|n| n * 5_000 / most as u64).collect();
    let mut course = Course { intervals: Vec::new(), longest_late_ms: 0 };
    for second in 0..seconds {
        let (here, capacity) = (executors(second), capacity(second));
        let (mut taken, mut refused) = (0.0, 0.0);
        for due in due_ms.iter_mut().take(here).filter(|due| **due < second * 1_000 + 1_000) {
            *due = (*due).max(second * 1_000);
            // Taken in for as long as what waits is done in a second.
            if backlog + taken < 2.0 * capacity {
                taken += 1.0;
                *due += jittered(pace.interval_ms(), &mut dice);
            } else {
                refused += 1.0;
                refusals += 1;
                *due += 1_000 * (1 + refusals % (pace.interval_ms() / 500));
            }
        }
        let answered = capacity.min(backlog + taken);
        backlog += taken - answered;
        #[expect(clippy::cast_possible_truncation, reason = "two seconds at most")]
        let late_ms = (backlog / capacity * 1_000.0) as u64;
        course.longest_late_ms = course.longest_late_ms.max(late_ms);
        let load =
            Load { answered_a_second: answered, refused_a_second: refused, late_ms, ..Load::default() };
        pace.look(&load, second * 1_000 + 1_000);
        course.intervals.push(pace.interval_ms());
    }
    course
}

#[test]
fn a_fleet_that_fits_keeps_its_interval() {
    let course = simulated(1_800, |_| 4_000, |_| 1_000.0);
    assert!(course.intervals.iter().all(|told| *told == 5_000));
    assert_eq!(course.longest_late_ms, 0);
}

#[test]
fn a_fleet_that_is_too_large_is_slowed_down_quickly_and_comes_to_rest() {
    for (too_large_by, capacity) in [(1.2, 1_000.0), (2.0, 1_000.0), (4.0, 500.0), (9.0, 300.0)] {
        #[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
        let executors = (5.0 * capacity * too_large_by) as usize;
        let course = simulated(3_600, |_| executors, |_| capacity);
        let needed_ms = 5_000.0 * too_large_by;
        let at = |second: usize| course.intervals[second] as f64;
        assert!(at(120) >= needed_ms, "{too_large_by} times: {} after two minutes", at(120));
        // It tries now and then whether more can be done; that is a small step, and a rare one.
        let rest = &course.intervals[900..];
        let (least, most) = (*rest.iter().min().unwrap(), *rest.iter().max().unwrap());
        assert!(least as f64 >= needed_ms * 0.85, "{too_large_by} times: {least}");
        assert!(most as f64 <= (needed_ms * 2.0).min(60_000.0), "{too_large_by} times: {most}");
        let grew = rest.windows(2).filter(|pair| pair[1] > pair[0]).count();
        assert!(grew <= 15, "{too_large_by} times: it grew {grew} times in 45 minutes");
    }
}

#[test]
fn the_interval_falls_back_when_the_load_is_gone() {
    for (sentence, course) in [
        ("most have left", simulated(3_000, |s| if s < 600 { 20_000 } else { 4_000 }, |_| 1_000.0)),
        ("the neighbour is quiet", simulated(3_000, |_| 4_000, |s| if s < 300 { 100.0 } else { 4_000.0 })),
    ] {
        assert!(course.intervals[200] >= 20_000, "{sentence}: {}", course.intervals[200]);
        let back = course.intervals.iter().rposition(|told| *told > 5_000).unwrap() + 1;
        assert!(back < 2_400, "{sentence}: back after {back} s");
        let fall = course.intervals[600..].windows(2).all(|pair| pair[1] * 10 >= pair[0] * 8);
        assert!(fall, "{sentence}: slowly");
    }
}
