//! Two control planes on one PostgreSQL database: one of them is killed again and again in the middle of what both are
//! told, and the other answers every call as if nothing had happened.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

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
    let seed = number("NOVACULA_TEST_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let kills = number("NOVACULA_KILLS").map_or(8, |kills| usize::try_from(kills).unwrap()).max(2);
    println!("NOVACULA_TEST_SEED={seed} NOVACULA_KILLS={kills}");
    let mut dice = Dice::of(seed);
    let folder = tempfile::tempdir().unwrap();
    let postgresql = Postgresql::start();
    postgresql.ask("postgres", "CREATE DATABASE novacula");
    let url = postgresql.url("novacula");
    let environment = [("DATABASE_URL", url.as_str())];

    let steady = Server::start_with(folder.path(), None, &environment);
    let owner = steady.owner.clone().unwrap();
    steady.publish(folder.path(), &owner, &VERSIONS);
    let mut hosts: Vec<Host> = (0..HOSTS).map(|n| introduced(&steady, &owner, n, &mut dice)).collect();
    let everybody: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    let mut points: Vec<usize> = (1..kills).map(|_| dice.below(UPGRADES)).chain([UPGRADES]).collect();
    points.sort_unstable();
    let (accepted, marks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut ledger = Ledger::default();
    for (round, point) in points.into_iter().enumerate() {
        let (calls, delay) = (dice.below(20), Duration::from_micros(dice.below(20_000) as u64));
        let fuse = Fuse { accepted: point, calls, delay };
        let killed = Server::start_with(folder.path(), Some(fuse), &environment);
        ledger.check(&killed, &owner, &hosts);
        std::thread::scope(|scope| {
            let talkers: Vec<_> = hosts
                .chunks_mut(HOSTS / TALKERS)
                .enumerate()
                .map(|(n, own)| {
                    // Every executor is heard now by the one, now by the other.
                    let server = if (n + round) % 2 == 0 { &killed } else { &steady };
                    let (accepted, marks, owner, everybody) = (&accepted, &marks, owner.as_str(), &everybody);
                    let talk = Talk { server, killed: &killed, owner, accepted, marks, everybody };
                    let mut dice = Dice::of(dice.any());
                    scope.spawn(move || talk.go_on(own, &mut dice))
                })
                .collect();
            for talker in talkers {
                ledger.said.extend(talker.join().unwrap());
            }
        });
        ledger.check(&steady, &owner, &hosts);
    }
    settle(&steady, &owner, &mut hosts, &mut dice);
    ledger.check(&steady, &owner, &hosts);
    let chain = steady.get("/activity/verify", &owner);
    assert_eq!(chain["intact"], true, "{chain}");
    let (lost, done) = ledger.unanswered();
    println!(
        "{kills} kills of one of two, {} words of people, {lost} without an answer, of which {done} were done",
        ledger.said.len()
    );
}
