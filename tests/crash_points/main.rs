//! Crash points: the real agent is killed, or its disk fails, at every single call by which it changes the disk; then
//! it is started again, and whatever it promised still holds.
//!
//! A good release ends committed, or its attempt ends told as failed with the old binary in place; an end stays the
//! end when the same attempt is offered again; at the path there is always a complete agent; nothing is left over.
//!
//! `make test` tries a sample, drawn with a seed that is printed (`NOVACULA_CRASH_SEED` repeats it);
//! `make test-crash-points` tries them all.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test: its files and programs are its own, what it cannot have fails it, and it says what it tried"
)]

#[path = "../one_agent/journey.rs"]
mod journey;
mod order;
mod plan;
#[path = "../one_agent/site.rs"]
mod site;
mod strace;
mod trip;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use journey::Journey;
use order::Order;
use plan::Plan;
use site::Releases;
use trip::{Beginnings, Trip};

/// Agents of one journey at once: they mostly wait.
const AT_ONCE: usize = 5;

#[test]
fn an_upgrade_cut_short_at_any_point_ends_committed_or_told_as_failed() {
    survives(Journey::Upgrade);
}

#[test]
fn a_commit_cut_short_at_any_point_ends_committed() {
    survives(Journey::Commit);
}

#[test]
fn a_rollback_cut_short_at_any_point_ends_rolled_back() {
    survives(Journey::RollBack);
}

#[test]
fn a_rollback_by_hand_cut_short_at_any_point_is_carried_out_once_it_is_decided() {
    survives(Journey::RollBackByHand);
}

#[test]
fn a_rollback_by_hand_after_the_commit_can_be_given_again_wherever_it_was_cut_short() {
    survives(Journey::RollBackLater);
}

/// What a kill cannot show: it loses nothing that the kernel has, a power cut does.
#[test]
fn an_upgrade_has_on_disk_what_the_next_step_relies_on() {
    order(Journey::Upgrade, &Beginnings::make(releases())).is(&[
        (
            "data/download.json",
            "a download that is cut short goes on only if the server has the same bytes still",
        ),
        ("data/trial.json", "the trial is on record before the binary is touched"),
        ("bin/novacula-agent.prev", "the old binary has its second name before the first one goes"),
        ("bin/novacula-agent", "the new binary is put in place, and at no instant was there none"),
        ("data/trial.json", "that it was seen there"),
        ("data/starts.json", "it is started"),
        ("data/trial.json", "a sync was accepted"),
        ("data/trial.json", "the verdict comes before what follows from it"),
        ("data/committed.json", "the binary belongs here"),
        ("data/attempts.json", "the end is remembered before the record goes"),
        ("-data/trial.json", "the trial is closed, which is the last step"),
        ("data/attempts.json", "the end was told"),
        ("-data/download.json", "nobody goes on with the download"),
    ]);
}

#[test]
fn a_commit_has_on_disk_what_the_next_step_relies_on() {
    order(Journey::Commit, &Beginnings::make(releases())).is(&[
        ("data/starts.json", "the new binary is started"),
        ("data/trial.json", "a sync was accepted"),
        ("data/trial.json", "the verdict comes before what follows from it"),
        ("data/committed.json", "the binary belongs here"),
        ("data/attempts.json", "the end is remembered before the record goes"),
        ("-data/trial.json", "the trial is closed, which is the last step"),
        ("data/attempts.json", "the end was told"),
        ("-data/download.json", "nobody goes on with the download"),
    ]);
}

#[test]
fn a_rollback_has_on_disk_what_the_next_step_relies_on() {
    order(Journey::RollBack, &Beginnings::make(releases())).is(&[
        ("data/starts.json", "the new binary is started"),
        ("data/trial.json", "a sync was accepted"),
        ("data/trial.json", "the verdict comes before what follows from it"),
        ("data/attempts.json", "the attempt is refused before the old binary, which could take it, is back"),
        (
            "bin/novacula-agent",
            "the old binary is back before the record goes, and at no instant was there none",
        ),
        ("-data/trial.json", "the trial is closed, which is the last step"),
        ("data/starts.json", "the old binary is started"),
        ("data/attempts.json", "the end was told"),
        ("-data/download.json", "nobody goes on with the download"),
    ]);
}

#[test]
fn a_rollback_by_hand_has_on_disk_what_the_next_step_relies_on() {
    let beginnings = Beginnings::make(releases());
    order(Journey::RollBackByHand, &beginnings).is(&[
        ("data/trial.json", "the verdict comes before what follows from it"),
        ("data/attempts.json", "the attempt is refused before the old binary, which could take it, is back"),
        (
            "bin/novacula-agent",
            "the old binary is back before the record goes, and at no instant was there none",
        ),
        ("-data/trial.json", "the trial is closed, which is the last step"),
    ]);
    order(Journey::RollBackLater, &beginnings).is(&[
        ("bin/novacula-agent", "the previous binary is back, and at no instant was there none"),
        ("data/committed.json", "it belongs here"),
    ]);
}

fn order(journey: Journey, beginnings: &Beginnings<'_>) -> Order {
    Order::of(&Trip::prepare(journey, beginnings).census())
}

fn releases() -> &'static Releases {
    static RELEASES: OnceLock<Releases> = OnceLock::new();
    RELEASES.get_or_init(Releases::build)
}

fn survives(journey: Journey) {
    let beginnings = Beginnings::make(releases());
    let plan = Mutex::new(Plan::of(&Trip::prepare(journey, &beginnings).census()));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // Not held while the trip lasts.
                let next = || lock(&plan).next();
                while let Some(point) = next() {
                    let trip = Trip::prepare(journey, &beginnings);
                    match catch_unwind(AssertUnwindSafe(|| trip.meets(&point))) {
                        Ok(was_met) => lock(&plan).note(&point, was_met),
                        Err(_) => lock(&failures).push(point.to_string()),
                    }
                }
            });
        }
    });
    let plan = lock(&plan);
    println!("{journey:?}: {plan}");
    assert!(plan.points_met() > 0, "a plan without points proves nothing");
    let failures = lock(&failures);
    assert!(failures.is_empty(), "{journey:?} does not survive {failures:#?}");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
