//! What is counted as it happens is what is there, whatever happens; and what was changed behind it is noticed.

use std::collections::{BTreeMap, HashMap};

use jiff::SignedDuration;
use novacula_protocol::Stage;
use novacula_protocol::people::{MemberOutcome, WaveCounts};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::in_process::dice::Dice;
use crate::in_process::{ControlPlane, said};
use crate::store::plan_bench::document;
use crate::store::{Listed, MembersListed};

const OUTCOMES: [MemberOutcome; 5] = [
    MemberOutcome::Waiting,
    MemberOutcome::Started,
    MemberOutcome::Completed,
    MemberOutcome::Failed,
    MemberOutcome::Gone,
];

/// A plan of two waves that has all executors there are.
struct Planned {
    control_plane: ControlPlane,
    account_id: Uuid,
    plan_id: Uuid,
}

impl Planned {
    async fn with(executors: usize) -> Self {
        let control_plane = ControlPlane::start().await;
        Self::at(control_plane, executors).await
    }

    async fn at(control_plane: ControlPlane, executors: usize) -> Self {
        for number in 0..executors {
            control_plane.executor(&format!("host-{number}"), "1.0.0").await;
        }
        let account_id = control_plane.account_id().await;
        let (plan_id, now) = (control_plane.app.clock.new_id(), control_plane.app.clock.now());
        let waves = document("plan", &json!([{"name": "one"}, {"name": "two"}]));
        control_plane.app.store.put_plan(account_id, plan_id, waves, now).await;
        let planned = Self { control_plane, account_id, plan_id };
        planned.behind(&planned.joining("TRUE"));
        planned
    }

    fn behind(&self, statements: &str) {
        self.control_plane.database().behind(statements).unwrap();
    }

    /// Somebody else says how many there are.
    fn tamper(&self, wave: u32, outcome: &str, count: i64) {
        self.behind(&format!(
            "DELETE FROM plan_wave_counts WHERE wave = {wave} AND outcome = '{outcome}';
             INSERT INTO plan_wave_counts VALUES ('{}', {wave}, '{outcome}', 0, {count})",
            self.plan_id
        ));
    }

    /// In one statement: everybody that fits and is not in it.
    fn joining(&self, fits: &str) -> String {
        format!(
            "INSERT INTO plan_members (plan_id, executor_id, executor_name, wave, position, canary, outcome, reason,
               from_version, restarts_before)
             SELECT '{}', id, name, CASE WHEN name < 'host-3' THEN 0 ELSE 1 END, 1, FALSE, 'waiting', '', '1.0.0', 0
             FROM executors WHERE {fits} ON CONFLICT DO NOTHING;",
            self.plan_id
        )
    }

    async fn counted(&self) -> HashMap<u32, WaveCounts> {
        let shown = self.control_plane.app.store.plan(self.account_id, self.plan_id).await.unwrap().unwrap();
        shown.counts.into_iter().filter(|(_, counts)| counts.total > 0).collect()
    }

    async fn there(&self) -> HashMap<u32, WaveCounts> {
        let listed = MembersListed { limit: 1_000, ..MembersListed::default() };
        let members = self.control_plane.app.store.plan_members(self.plan_id, listed).await.unwrap();
        let mut counts: HashMap<u32, WaveCounts> = HashMap::new();
        members.iter().for_each(|one| counts.entry(one.wave).or_default().add(one.outcome, 1));
        counts
    }
}

fn word(outcome: MemberOutcome) -> String {
    json!(outcome).as_str().unwrap().to_owned()
}

async fn drift(control_plane: &ControlPlane) -> [u64; 3] {
    let text = String::from_utf8(control_plane.get("/metrics").await.bytes).unwrap();
    ["waves", "upgrades", "versions"].map(|counter| {
        let name = format!("novacula_counter_drift_total{{counter=\"{counter}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
    })
}

#[tokio::test]
async fn waves_are_counted_right_after_whatever_happens_to_their_members() {
    let planned = Planned::with(6).await;
    let mut dice = Dice(0xc0ffee);
    for round in 0..40 {
        let mut statements = String::new();
        for _ in 0..=dice.below(4) {
            let (who, outcome, wave) = (dice.below(6), word(dice.one_of(&OUTCOMES)), dice.below(2));
            statements.push_str(&match dice.below(6) {
                0 => format!("UPDATE plan_members SET outcome = '{outcome}' WHERE executor_name = 'host-{who}';"),
                1 => format!("UPDATE plan_members SET outcome = '{outcome}' WHERE wave = {wave};"),
                2 => format!(
                    "UPDATE plan_members SET wave = {wave}, outcome = '{outcome}' WHERE executor_name <= 'host-{who}';"
                ),
                3 => format!("DELETE FROM plan_members WHERE executor_name >= 'host-{who}';"),
                4 => planned.joining(&format!("name <> 'host-{who}'")),
                _ => format!("UPDATE plan_members SET reason = '{round}';"),
            });
        }
        planned.behind(&statements);
        assert_eq!(planned.counted().await, planned.there().await, "round {round}: {statements}");
    }
    planned.control_plane.app.recount().await.unwrap();
    assert_eq!(drift(&planned.control_plane).await, [0; 3], "a recount finds the same");
}

#[tokio::test]
async fn a_tick_leaves_one_row_of_every_count_and_no_other_number() {
    let planned = Planned::at(ControlPlane::at_a_server().await, 5).await;
    let parts = "SELECT count(*) > 0 FROM plan_wave_counts WHERE part <> 0";
    for outcome in ["unreachable", "completed", "refused"] {
        planned.behind(&format!("UPDATE plan_members SET outcome = '{outcome}'"));
        assert_eq!(planned.control_plane.database().ask(parts), "t", "what changed is beside it");
        planned.control_plane.app.tick().await.unwrap();
        assert_eq!(planned.control_plane.database().ask(parts), "f");
        assert_eq!(planned.counted().await, planned.there().await);
    }
}

#[tokio::test]
async fn upgrades_are_counted_right_after_whatever_happens_to_them() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    let mut dice = Dice(0xbeef);
    for number in 0..4 {
        let (_, id) = control_plane.executor(&format!("host-{number}"), "1.0.0").await;
        control_plane.request(&id, "1.1.0").await.ok();
    }
    let (store, account_id) = (&control_plane.app.store, control_plane.account_id().await);
    for round in 0..30 {
        let mut statements = String::new();
        for _ in 0..=dice.below(4) {
            let (who, stage) = (dice.below(4), dice.one_of(&Stage::ALL));
            let ended = if stage.is_end() { "5" } else { "NULL" };
            statements.push_str(&match dice.below(4) {
                0 => format!("UPDATE upgrades SET bytes_done = {round};"),
                1 => format!("UPDATE upgrades SET status = 'UNDERWAY' WHERE executor_name <= 'host-{who}';"),
                _ => format!(
                    "UPDATE upgrades SET stage = '{stage}', ended_at = {ended} WHERE executor_name = 'host-{who}';"
                ),
            });
        }
        control_plane.database().behind(&statements).unwrap();
        let listed = Listed { stages: Stage::ALL.to_vec(), limit: 1_000, ..Listed::default() };
        let mut there: BTreeMap<Stage, u64> = BTreeMap::new();
        for upgrade in store.upgrades(account_id, listed).await.unwrap() {
            if !upgrade.is_open() {
                *there.entry(upgrade.shown.stage).or_default() += 1;
            }
        }
        let counted = BTreeMap::from_iter(store.ended_upgrades_by_stage().await.unwrap());
        assert_eq!(counted, there, "round {round}: {statements}");
    }
    let gone = "UPDATE upgrades SET stage = 'FAILED', ended_at = 5; DELETE FROM upgrade_log;
         DELETE FROM upgrades WHERE executor_name <= 'host-1'";
    control_plane.database().behind(gone).unwrap();
    assert_eq!(store.ended_upgrades_by_stage().await.unwrap(), [(Stage::Failed, 2)]);
    control_plane.app.recount().await.unwrap();
    assert_eq!(drift(&control_plane).await, [0; 3], "a recount finds the same");
}

#[tokio::test]
async fn versions_are_counted_right_after_whatever_executors_say_and_after_they_are_deleted() {
    let control_plane = ControlPlane::start().await;
    let mut dice = Dice(0xfee1);
    let mut known: Vec<(String, String, String)> = Vec::new();
    for round in 0..60 {
        let version = dice.one_of(&["1.0.0", "1.0.1", "1.1.0", "2.0.0-rc.1"]);
        match dice.below(5) {
            0 | 1 => {
                let name = format!("host-{round}");
                let (key, id) = control_plane.executor(&name, version).await;
                known.push((name, key, id));
            }
            2 if !known.is_empty() => {
                let (_, _, id) = known.swap_remove(dice.below(known.len()));
                let path = format!("/api/v1/executors/{id}?reason=gone");
                control_plane.delete(&path).await.ok();
            }
            _ if !known.is_empty() => {
                let (name, key, _) = &known[dice.below(known.len())];
                let mut now = said(name, version);
                now["channel"] = json!(dice.one_of(&["stable", "beta"]));
                control_plane.sync(key, now).await.ok();
            }
            _ => {}
        }
        let all = control_plane.get("/api/v1/executors?limit=200").await.ok();
        let mut there: BTreeMap<String, u64> = BTreeMap::new();
        for one in all["items"].as_array().unwrap() {
            *there.entry(one["currentVersion"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let counted = control_plane.get("/api/v1/releases/agent/versions").await.ok();
        assert_eq!(counted, json!(there), "round {round}");
    }
    control_plane.app.recount().await.unwrap();
    assert_eq!(drift(&control_plane).await, [0; 3], "a recount finds the same");
}

#[tokio::test]
async fn what_was_changed_behind_the_counters_is_put_right_by_itself_and_is_in_the_metrics() {
    let planned = Planned::with(5).await;
    let control_plane = &planned.control_plane;
    control_plane.publish("1.1.0").await;
    let first = control_plane.get("/api/v1/executors?name=host-0").await.ok();
    control_plane.request(first["items"][0]["id"].as_str().unwrap(), "1.1.0").await.ok();
    planned.behind("UPDATE upgrades SET stage = 'FAILED', ended_at = 5");
    let right = (planned.counted().await, control_plane.app.store.ended_upgrades_by_stage().await.unwrap());
    planned.tamper(0, "waiting", -3);
    planned.tamper(1, "failed", 7);
    planned.behind("DELETE FROM upgrade_counts");
    assert_eq!(planned.counted().await[&1].failed, 7, "whoever looks believes the counters");
    assert_eq!(drift(control_plane).await, [0; 3]);
    let running = tokio::spawn(run(Arc::clone(&control_plane.app)));
    let noticed = async {
        let mut look = interval(Duration::from_millis(5));
        while drift(control_plane).await != [2, 1, 0] {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noticed).await.expect("it is noticed by itself");
    running.abort();
    assert_eq!(
        (planned.counted().await, control_plane.app.store.ended_upgrades_by_stage().await.unwrap()),
        right
    );
    control_plane.app.recount().await.unwrap();
    assert_eq!(drift(control_plane).await, [2, 1, 0], "once it is right there is nothing more to find");
}

#[tokio::test]
async fn of_several_control_planes_one_counts_anew_and_another_when_that_one_is_gone() {
    let planned = Planned::at(ControlPlane::at_a_server().await, 2).await;
    let (one, other) = (&planned.control_plane, planned.control_plane.beside().await);
    one.app.recount().await.unwrap();
    for _ in 0..3 {
        one.wait_ms(600_000);
        planned.tamper(0, "waiting", 9);
        other.app.recount().await.unwrap();
        assert_eq!(planned.counted().await[&0].total, 9, "it is not its turn");
        one.app.recount().await.unwrap();
        assert_eq!(planned.counted().await[&0].total, 2);
    }
    assert_eq!((drift(one).await[0], drift(&other).await[0]), (3, 0));
    planned.tamper(0, "waiting", 9);
    one.wait_ms(SignedDuration::from_mins(16).as_millis().try_into().unwrap());
    other.app.recount().await.unwrap();
    assert_eq!((planned.counted().await[&0].total, drift(&other).await[0]), (2, 1));
}

#[test]
fn of_many_counters_that_were_off_the_log_names_some() {
    let off = |number: i64| Off { what: format!("counter {number}"), kept: number, there: 0 };
    let drift = Drift::default();
    drift.note(Counter::Waves, &[]);
    drift.note(Counter::Versions, &(1..=20).map(off).collect::<Vec<_>>());
    let mut text = String::new();
    drift.write(&mut text).unwrap();
    assert!(
        text.ends_with("{counter=\"upgrades\"} 0\nnovacula_counter_drift_total{counter=\"versions\"} 20\n")
    );
    assert_eq!(
        named(&(1..=2).map(off).collect::<Vec<_>>()),
        "counter 1: 1 instead of 0; counter 2: 2 instead of 0"
    );
    assert!(
        named(&(1..=20).map(off).collect::<Vec<_>>()).ends_with("counter 8: 8 instead of 0; and 12 more")
    );
}
