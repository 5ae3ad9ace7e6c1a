//! The control plane is killed at random points of two hundred upgrades, and started again on what it has kept.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]
#![expect(clippy::print_stdout, reason = "it says which seed it drew and how much it tried")]

mod host;
mod ledger;
mod replicas;
mod server;
mod traffic;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use novacula_lab::dice::Dice;
use serde_json::{Value, json};

use crate::host::Host;
use crate::ledger::Ledger;
use crate::server::{Answer, Fuse, Server};
use crate::traffic::{Talk, VERSIONS};

const HOSTS: usize = 40;
const TALKERS: usize = 4;
const UPGRADES: usize = 200;

#[test]
fn no_accepted_upgrade_is_lost_or_doubled_however_often_the_server_is_killed() {
    let seed = number("NOVACULA_TEST_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let kills = number("NOVACULA_KILLS").map_or(40, |kills| usize::try_from(kills).unwrap()).max(2);
    println!("NOVACULA_TEST_SEED={seed} NOVACULA_KILLS={kills}");
    let mut dice = Dice::of(seed);
    let began = Instant::now();
    let folder = tempfile::tempdir().unwrap();

    let mut server = Server::start(folder.path(), None);
    let owner = server.owner.clone().unwrap();
    server.publish(folder.path(), &owner, &VERSIONS);
    let mut hosts: Vec<Host> = (0..HOSTS).map(|n| introduced(&server, &owner, n, &mut dice)).collect();
    let everybody: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();

    let mut points: Vec<usize> = (2..kills).map(|_| dice.below(UPGRADES)).chain([UPGRADES]).collect();
    points.sort_unstable();
    let (accepted, marks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut ledger = Ledger::default();
    server.kill();
    for point in points {
        // Half of the ends follow an answer at once, when what was answered is as young as can be.
        let delay = if dice.heads() { 0 } else { dice.below(20_000) as u64 };
        let (calls, delay) = (dice.below(20), Duration::from_micros(delay));
        let how = Signal::SIGKILL;
        server = Server::start(folder.path(), Some(Fuse { accepted: point, calls, delay, how }));
        ledger.check(&server, &owner, &hosts);
        let (accepted, marks, owner, everybody) = (&accepted, &marks, owner.as_str(), &everybody);
        let talk = Talk { server: &server, killed: &server, owner, accepted, marks, everybody };
        std::thread::scope(|scope| {
            let talkers: Vec<_> = hosts
                .chunks_mut(HOSTS / TALKERS)
                .map(|own| {
                    let (talk, mut dice) = (&talk, Dice::of(dice.any()));
                    scope.spawn(move || talk.go_on(own, &mut dice))
                })
                .collect();
            for talker in talkers {
                ledger.said.extend(talker.join().unwrap());
            }
        });
    }
    server = Server::start(folder.path(), None);
    ledger.check(&server, &owner, &hosts);
    settle(&server, &owner, &mut hosts, &mut dice);
    ledger.check(&server, &owner, &hosts);

    let mut stand: BTreeMap<String, usize> = BTreeMap::new();
    for upgrade in server.list("/upgrades", &owner, |_| false) {
        *stand.entry(upgrade["stage"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let (lost, done) = ledger.unanswered();
    println!(
        "{kills} kills and restarts, {} upgrades accepted, {} words of people, {lost} of them without an \
         answer, of which {done} were done, in {} s; \
         the upgrades stand at {stand:?}",
        accepted.load(Ordering::SeqCst),
        ledger.said.len(),
        began.elapsed().as_secs(),
    );
}

/// What memory and store disagree about would stay open for ever: all of it comes to its end.
fn settle(server: &Server, owner: &str, hosts: &mut [Host], dice: &mut Dice) {
    let id = |it: &Value| it["id"].as_str().unwrap().to_owned();
    for batch in server.list("/batches", owner, |_| false).iter().filter(|it| it["endedAt"].is_null()) {
        let path = format!("/batches/{}/abandon", id(batch));
        server.call("POST", &path, owner, &json!({"reason": "the end"}));
    }
    let began = Instant::now();
    loop {
        let mut open = server.list("/upgrades", owner, |_| false);
        open.retain(|it| it["endedAt"].is_null());
        if open.is_empty() {
            return;
        }
        if began.elapsed() > Duration::from_secs(60) {
            let stuck = |host: &&Host| open.iter().any(|upgrade| upgrade["executorId"] == *host.id);
            let hosts: Vec<_> = hosts.iter().filter(stuck).collect();
            let events = |it| server.get(&format!("/upgrades/{}/events/stages", id(it)), owner);
            let events: Vec<_> = open.iter().map(events).collect();
            panic!("they do not come to an end: {open:#?} of {hosts:#?} with {events:#?}");
        }
        for upgrade in &open {
            for word in ["continue", "complete"] {
                let path = format!("/upgrades/{}/{word}", id(upgrade));
                server.call("POST", &path, owner, &json!({"reason": "the end"}));
            }
        }
        for host in hosts.iter_mut() {
            host.sync(server, dice);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn introduced(server: &Server, owner: &str, n: usize, dice: &mut Dice) -> Host {
    let Answer::Accepted(key) = server.call("POST", "/executor-keys", owner, &json!({})) else {
        panic!("no key")
    };
    let mut host = Host::of(format!("host-{n}"), key["secret"].as_str().unwrap().to_owned());
    let heard = host.sync(server, dice);
    assert!(matches!(heard, Answer::Accepted(_)), "{heard:?}");
    let found = server.get(&format!("/executors?name={}", host.name), owner);
    host.id = found["items"][0]["id"].as_str().unwrap().to_owned();
    host
}
