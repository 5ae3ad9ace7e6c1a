//! The counters of versions in the memory of the fleet.

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::executor::{Executor, Snapshot};
use crate::in_process::ControlPlane;
use crate::in_process::dice::Dice;

const ACCOUNTS: [Uuid; 2] = [Uuid::from_u128(1), Uuid::from_u128(2)];
const VERSIONS: [&str; 4] = ["1.0.0", "1.0.1", "1.1.0", "2.0.0"];
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn snapshot(number: usize, version: &str, revision: u64) -> Snapshot {
    let kind = if number.is_multiple_of(3) { "operator" } else { "agent" };
    let said =
        json!({"name": format!("host-{number}"), "kind": kind, "currentVersion": version, "target": "t"});
    let (id, account_id) = (Uuid::from_u128(number as u128 + 1_000), ACCOUNTS[number % 2]);
    let said = serde_json::from_value(said).unwrap();
    let executor = Executor::introduced(id, account_id, Uuid::nil(), &said, NOW);
    Snapshot { executor: Executor { revision, ..executor }, upgrade: None }
}

/// Something happens to some executor.
fn happens(fleet: &Fleet, dice: &mut Dice, many: usize, revision: u64) {
    let number = dice.below(many);
    let late = if dice.below(4) == 0 { 1 } else { revision };
    match dice.below(6) {
        0 => fleet.forget(Uuid::from_u128(number as u128 + 1_000)),
        _ => fleet.absorb(snapshot(number, dice.one_of(&VERSIONS), late), NOW),
    }
}

/// Whoever is there, looked at one by one.
fn there(fleet: &Fleet, account_id: Uuid, kind: Kind) -> BTreeMap<Version, u64> {
    let mut there = BTreeMap::new();
    fleet.visit(account_id, |one| {
        if one.kind == kind {
            *there.entry(one.current_version.clone()).or_default() += 1;
        }
    });
    there
}

#[track_caller]
fn assert_right(fleet: &Fleet) {
    for account_id in ACCOUNTS {
        for kind in [Kind::Agent, Kind::Operator] {
            assert_eq!(fleet.versions(account_id, kind), there(fleet, account_id, kind));
        }
    }
}

#[test]
fn versions_are_right_after_whatever_happens_to_executors() {
    let (fleet, mut dice) = (Fleet::default(), Dice(0x5eed));
    for revision in 2..400 {
        happens(&fleet, &mut dice, 60, revision);
        assert_right(&fleet);
    }
    assert_eq!(fleet.memory().recount_some(), Some(Vec::new()));
}

#[test]
fn what_happens_while_a_fleet_is_counted_anew_is_counted_once() {
    let (fleet, mut dice) = (Fleet::default(), Dice(0xd1ce));
    let many = 3 * GLANCE;
    for number in 0..many {
        fleet.absorb(snapshot(number, "1.0.0", 1), NOW);
    }
    for revision in 2..5 {
        let mut portions = 0;
        let off = loop {
            if let Some(off) = fleet.memory().recount_some() {
                break off;
            }
            portions += 1;
            (0..2_000).for_each(|_| happens(&fleet, &mut dice, many, revision));
        };
        assert_eq!((off, portions), (Vec::new(), 2));
        assert_right(&fleet);
    }
}

#[tokio::test]
async fn versions_that_were_counted_wrong_are_put_right_and_the_drift_is_told() {
    let control_plane = ControlPlane::start().await;
    control_plane.executor("host-1", "1.0.0").await;
    control_plane.executor("host-2", "1.1.0").await;
    let (account_id, fleet) = (control_plane.account_id().await, &control_plane.app.fleet);
    let wrong = [("1.0.0", 5), ("3.0.0", 1)].map(|(version, count)| (version.parse().unwrap(), count));
    fleet.memory().versions.kept.insert((account_id, Kind::Agent), BTreeMap::from(wrong));
    control_plane.app.recount().await.unwrap();
    let counts = control_plane.get("/api/v1/releases/agent/versions").await.ok();
    assert_eq!(counts, json!({"1.0.0": 1, "1.1.0": 1}));
    let text = String::from_utf8(control_plane.get("/metrics").await.bytes).unwrap();
    assert!(text.contains("novacula_counter_drift_total{counter=\"versions\"} 3\n"), "{text}");
}
