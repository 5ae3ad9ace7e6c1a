//! 50,000 executors after an outage of ten minutes: do they come back as a herd? Virtual time; the executors keep the
//! agent's own time and the server the control plane's own pace, only the network between them and the work is made up.
//!
//! A rate is compared with the steady one: the mean of the last five minutes, when all is as it was. The seed is printed;
//! `NOVACULA_CRASH_SEED` repeats it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and tells its figures")]

mod fleet;
mod server;

use fleet::{End, Fleet, MINUTE_MS};
use novacula_lab::dice::seed;
use server::Server;

const EXECUTORS: u32 = 50_000;
/// What they come to at the shortest interval, a second.
const WANTED: f64 = 10_000.0;
/// S12: the peak stays within so many times the mean.
const PROMISED: f64 = 3.0;

const OUTAGE_MS: u64 = 10 * MINUTE_MS;

struct Judged {
    /// The steady rate, a second.
    mean: f64,
    /// The highest rate from the first second of the outage on.
    peak: f64,
    /// The same of its first ten seconds.
    at_once: f64,
    /// What executors are told in the end.
    told_ms: u64,
}

/// Ten minutes of outage and as many after it.
fn after_the_outage(
    sentence: &str,
    mut fleet: Fleet,
    server: &mut Server,
    (end, failing_ms): (End, u64),
) -> Judged {
    let from = fleet.now_ms();
    fleet.lose(server.ends(), end, failing_ms);
    while fleet.now_ms() < from + OUTAGE_MS {
        fleet.fail_all_who_come(failing_ms);
    }
    while fleet.now_ms() < from + OUTAGE_MS + 12 * MINUTE_MS {
        fleet.meet(server);
    }
    let came = fleet.came_from(from);
    let last = &came[came.len() - 300..];
    let most = |seconds: &[u32]| f64::from(seconds.iter().copied().max().unwrap_or_default());
    let judged = Judged {
        mean: f64::from(last.iter().sum::<u32>()) / 300.0,
        peak: most(&came),
        at_once: most(&came[..10]),
        told_ms: server.told_ms(),
    };
    println!(
        "seed {}, {sentence}: at once {:.0}/s, steady {:.0}/s, peak {:.0}/s ({:.2} times), in the end told {} ms",
        seed(),
        judged.at_once,
        judged.mean,
        judged.peak,
        judged.peak / judged.mean,
        judged.told_ms
    );
    assert!(
        judged.peak <= PROMISED * judged.mean,
        "{sentence}: {} at most, {} on average",
        judged.peak,
        judged.mean
    );
    assert_eq!(fleet.heard_within(5 * MINUTE_MS), EXECUTORS, "{sentence}: everybody is back");
    judged
}

#[test]
fn after_ten_minutes_of_outage_the_peak_of_a_fleet_stays_within_three_times_its_mean() {
    for (sentence, failing_ms) in [("connections are refused", 1), ("nobody answers", 5_000)] {
        let mut server = Server::answering(2.0 * WANTED);
        let mut fleet = Fleet::spread(EXECUTORS, seed());
        while fleet.now_ms() < 2 * MINUTE_MS {
            fleet.meet(&mut server);
        }
        let judged = after_the_outage(sentence, fleet, &mut server, (End::Cuts, failing_ms));
        assert_eq!(judged.told_ms, 5_000, "{sentence}: there is room for all at the shortest interval");
        assert!((judged.mean / WANTED - 1.0).abs() < 0.05, "{sentence}: {}", judged.mean);
    }
}

#[test]
fn a_fleet_that_loses_its_control_plane_in_one_second_spreads_at_once() {
    let mut server = Server::answering(2.0 * WANTED);
    let fleet = Fleet::lost_together(EXECUTORS, seed());
    let judged = after_the_outage("all lose it together", fleet, &mut server, (End::Cuts, 1));
    assert!(judged.at_once < judged.mean / 2.0, "the first tries are spread over twice the time");
}

#[test]
fn a_fleet_that_waits_is_no_herd_when_its_control_plane_ends() {
    for (end, long_poll_ms) in
        [(End::LetsGo, 25_000), (End::Cuts, 25_000), (End::LetsGo, 60_000), (End::Cuts, 60_000)]
    {
        let mut server = Server::answering(2.0 * WANTED);
        let mut fleet = Fleet::patient(EXECUTORS, long_poll_ms, seed());
        while fleet.now_ms() < 5 * MINUTE_MS {
            fleet.meet(&mut server);
        }
        let sentence = format!("{end:?}, {long_poll_ms} ms");
        let judged = after_the_outage(&sentence, fleet, &mut server, (end, 1));
        let asked = f64::from(EXECUTORS) * 1_000.0 / long_poll_ms as f64;
        assert!(judged.mean < asked * 1.5, "{sentence}: {} instead of {WANTED}", judged.mean);
    }
}

#[test]
fn a_server_that_is_too_small_for_its_fleet_is_not_overrun_when_it_comes_back() {
    for capacity in [5_000.0, 2_500.0] {
        let mut server = Server::answering(capacity);
        let mut fleet = Fleet::spread(EXECUTORS, seed());
        while fleet.now_ms() < 15 * MINUTE_MS {
            fleet.meet(&mut server);
        }
        let sentence = format!("{capacity} a second can be answered");
        let judged = after_the_outage(&sentence, fleet, &mut server, (End::Cuts, 1));
        assert!(judged.told_ms as f64 >= 5_000.0 * 0.85 * WANTED / capacity, "{sentence}");
        assert!(judged.mean <= capacity, "{sentence}: {}", judged.mean);
    }
}

#[test]
fn a_fleet_is_told_to_come_often_again_once_there_is_room() {
    let mut server = Server::answering(2_500.0);
    let mut fleet = Fleet::spread(EXECUTORS, seed());
    while fleet.now_ms() < 10 * MINUTE_MS {
        fleet.meet(&mut server);
    }
    assert!(server.told_ms() > 15_000, "{}", server.told_ms());
    server.now_answers(2.0 * WANTED);
    while server.told_ms() > 5_000 {
        assert!(fleet.now_ms() < 60 * MINUTE_MS, "still {} ms", server.told_ms());
        fleet.meet(&mut server);
    }
}
