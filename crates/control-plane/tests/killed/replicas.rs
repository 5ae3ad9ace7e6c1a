//! Two control planes on one PostgreSQL database: one of them ends again and again in the middle of what both are told, and
//! another one takes its place, while the other answers every call as if nothing had happened.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use nix::sys::signal::Signal;
use novacula_lab::Postgresql;
use novacula_lab::dice::Dice;

use crate::host::Host;
use crate::ledger::Ledger;
use crate::server::{Fuse, Server};
use crate::traffic::{Talk, VERSIONS};
use crate::{introduced, number, settle};

const HOSTS: usize = 24;
const TALKERS: usize = 4;
const UPGRADES: usize = 60;

#[test]
fn of_two_on_one_database_one_is_killed_and_no_accepted_upgrade_is_lost_or_doubled() {
    one_after_the_other(8, Signal::SIGKILL);
}

#[test]
fn a_rolling_restart_loses_and_doubles_nothing_and_answers_what_was_under_way() {
    let ends = 6;
    let (unanswered, done) = one_after_the_other(ends, Signal::SIGTERM);
    assert_eq!(done, 0, "of {unanswered} without an answer");
    // What is still on its way when a connection is closed is heard by nobody; what was heard is answered.
    assert!(unanswered < ends, "{unanswered} without an answer");
}

/// Ends so many, and answers how many calls had no answer, and how many of those were done all the same.
fn one_after_the_other(ends: usize, how: Signal) -> (usize, usize) {
    let seed = number("NOVACULA_TEST_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let ends = number("NOVACULA_KILLS").map_or(ends, |ends| usize::try_from(ends).unwrap()).max(2);
    println!("NOVACULA_TEST_SEED={seed} NOVACULA_KILLS={ends}");
    let mut dice = Dice::of(seed);
    let folder = tempfile::tempdir().unwrap();
    let postgresql = Postgresql::start();
    postgresql.ask("postgres", "CREATE DATABASE novacula");
    let url = postgresql.url("novacula");
    let environment = [("DATABASE_URL", url.as_str())];
    let mut points: Vec<usize> = (1..ends).map(|_| dice.below(UPGRADES)).chain([UPGRADES]).collect();
    points.sort_unstable();
    let fuse = |accepted| {
        let (calls, delay) = (dice.below(20), Duration::from_micros(dice.below(20_000) as u64));
        Fuse { accepted, calls, delay, how }
    };
    let fuses: Vec<_> = points.into_iter().map(fuse).collect();
    let mut fuses = fuses.into_iter();

    let mut old = Server::start_with(folder.path(), fuses.next(), &environment);
    let owner = old.owner.clone().unwrap();
    old.publish(folder.path(), &owner, &VERSIONS);
    let mut hosts: Vec<Host> = (0..HOSTS).map(|n| introduced(&old, &owner, n, &mut dice)).collect();
    let everybody: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    let (accepted, marks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut ledger = Ledger::default();
    for round in 0..ends {
        let new = Server::start_with(folder.path(), fuses.next(), &environment);
        ledger.check(&new, &owner, &hosts);
        std::thread::scope(|scope| {
            let talkers: Vec<_> = hosts
                .chunks_mut(HOSTS / TALKERS)
                .enumerate()
                .map(|(n, own)| {
                    // Every executor is heard now by the one, now by the other.
                    let server = if (n + round) % 2 == 0 { &old } else { &new };
                    let (accepted, marks, owner, everybody) = (&accepted, &marks, owner.as_str(), &everybody);
                    let talk = Talk { server, killed: &old, owner, accepted, marks, everybody };
                    let mut dice = Dice::of(dice.any());
                    scope.spawn(move || talk.go_on(own, &mut dice))
                })
                .collect();
            for talker in talkers {
                ledger.said.extend(talker.join().unwrap());
            }
        });
        ledger.check(&new, &owner, &hosts);
        old = new;
    }
    settle(&old, &owner, &mut hosts, &mut dice);
    ledger.check(&old, &owner, &hosts);
    let chain = old.get("/activity/verify", &owner);
    assert_eq!(chain["intact"], true, "{chain}");
    let (lost, done) = ledger.unanswered();
    println!(
        "{how} to {ends} of two, {} words of people, {lost} without an answer, of which {done} were done",
        ledger.said.len()
    );
    (lost, done)
}
