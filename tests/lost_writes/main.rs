//! Lost writes: the real agent lives on a disk that forgets whatever was not synced. The power is cut after every single
//! operation that changes the disk; then the agent is started again on what is left, and whatever it promised still
//! holds.
//!
//! At the path there is a complete agent, the old one or the new one, that runs; a good release ends committed and one
//! that is wanted back ends rolled back; a verdict that is on disk is final, whatever the control plane wants since; an
//! end that was told stays the end, and its attempt is never swapped in again; nothing is left over.
//!
//! At each point everything is lost that was not synced, and then, on disks of their own, a part of it that is drawn.
//!
//! `make test` tries a sample, drawn with a seed that is printed (`NOVACULA_CRASH_SEED` repeats it);
//! `make test-crash-points` tries every point.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test: its files and programs are its own, what it cannot have fails it, and it says what it tried"
)]

#[path = "../one_agent/journey.rs"]
mod journey;
mod plan;
#[path = "../one_agent/site.rs"]
mod site;
mod trip;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use journey::Journey;
use plan::Plan;
use site::Releases;
use trip::{Beginnings, Trip};

/// Agents of one journey at once: they mostly wait.
const AT_ONCE: usize = 20;

#[test]
fn an_upgrade_survives_a_power_cut_after_any_operation() {
    survives(Journey::Upgrade);
}

#[test]
fn a_commit_survives_a_power_cut_after_any_operation() {
    survives(Journey::Commit);
}

#[test]
fn a_rollback_survives_a_power_cut_after_any_operation() {
    survives(Journey::RollBack);
}

#[test]
fn a_rollback_by_hand_survives_a_power_cut_after_any_operation_once_it_is_decided() {
    survives(Journey::RollBackByHand);
}

#[test]
fn a_rollback_by_hand_after_the_commit_can_be_given_again_after_a_power_cut() {
    survives(Journey::RollBackLater);
}

fn survives(journey: Journey) {
    static BEGINNINGS: OnceLock<Beginnings> = OnceLock::new();
    let beginnings = BEGINNINGS.get_or_init(|| Beginnings::make(Releases::build()));
    let plan = Mutex::new(Plan::of(&Trip::prepare(journey, beginnings).census()));
    let lost = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // Not held while the trip lasts.
                let next = || lock(&plan).next();
                while let Some((moment, losses)) = next() {
                    let before = lock(&plan).before(moment);
                    let name = |what: &str| format!("{what} at {moment:?}, after {before}");
                    let check = |loss, go: &mut dyn FnMut()| {
                        if catch_unwind(AssertUnwindSafe(go)).is_err() {
                            lock(&lost).push(name(&format!("{loss:?}")));
                        }
                    };
                    let trip = Trip::prepare(journey, beginnings);
                    match catch_unwind(AssertUnwindSafe(|| trip.goes_until(moment, &losses, check))) {
                        Ok(was_cut_at) => lock(&plan).note(moment, was_cut_at, losses.len()),
                        Err(_) => lock(&lost).push(name("nothing")),
                    }
                }
            });
        }
    });
    let (plan, lost) = (lock(&plan), lock(&lost));
    println!("{journey:?}: {plan}: {} hosts lost", lost.len());
    assert!(plan.moments_met() > 0, "a plan without moments proves nothing");
    assert!(
        lost.is_empty(),
        "{journey:?} does not survive, with seed {}: {lost:#?}",
        novacula_lab::dice::seed()
    );
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
