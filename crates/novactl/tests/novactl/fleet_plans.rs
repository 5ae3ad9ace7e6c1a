//! `novactl fleet …` against the real control plane; the executors are raw syncs.

use std::path::PathBuf;
use std::time::Duration;

use novacula_lab::wait_for;
use serde_json::{Value, json};

use crate::control_plane::{Executor, Way};
use crate::novactl::Run;

const LIMIT: Duration = Duration::from_secs(30);
const WHY: [&str; 2] = ["--reason", "as it is written"];

const PLAN: &str = "\
apiVersion: novacula/v1
kind: FleetUpgradePlan
metadata:
  name: monthly
spec:
  targetVersion: \"1.1\"
  waves:
    - name: first
      clusterSelector:
        matchLabels:
          ring: canary
      validation:
        healthCheckDuration: 0s
        automated: true
    - name: rest
      group: everybody-else
      maxFailed: 0
      validation:
        automated: false # a person says yes
";

/// A canary and one more, two releases, and the plan in a file.
struct Fleet {
    way: Way,
    canary: Executor,
    other: Executor,
    plan: PathBuf,
}

impl Fleet {
    fn new() -> Self {
        let way = Way::new();
        let (canary, other) = (way.enrol("canary", "1.0.0"), way.enrol("other", "1.0.0"));
        for version in ["1.0.0", "1.1.0"] {
            assert_eq!(way.publish(version, &way.artifact(version), &[]).code, 0);
        }
        for (name, label) in [("canary", "ring=canary"), ("other", "ring=prod")] {
            assert_eq!(way.novactl(&["executor", "label", name, label]).code, 0);
        }
        let group = ["fleet", "group", "create", "everybody-else", "--selector", "ring!=canary"];
        assert_eq!(way.novactl(&group).code, 0);
        let plan = way.dir.path().join("plan.yaml");
        std::fs::write(&plan, PLAN).unwrap();
        Self { way, canary, other, plan }
    }

    fn novactl(&self, arguments: &[&str]) -> Run {
        self.way.novactl(&[&["fleet"], arguments].concat())
    }

    fn apply(&self) -> Run {
        self.novactl(&["apply", self.plan.to_str().unwrap()])
    }

    /// Waits until the plan is as asked; its executors sync while they wait.
    fn wait(&self, what: &str, versions: [&str; 2], is_so: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, LIMIT, || {
            self.canary.sync(versions[0], &Value::Null);
            self.other.sync(versions[1], &Value::Null);
            Some(self.novactl(&["status", "monthly", "--json"]).json()).filter(|plan| is_so(plan))
        })
    }
}

fn done() -> [(&'static str, &'static str, Value); 2] {
    [("CHECK_HEALTH", "UNDERWAY", Value::Null), ("COMPLETED", "COMPLETED", Value::Null)]
}

#[test]
fn a_plan_is_applied_halted_resumed_and_rolled_back_and_undoes_only_what_it_did() {
    let fleet = Fleet::new();
    let applied = fleet.apply();
    assert!(applied.code == 0 && applied.stdout.starts_with("monthly: agent to 1.1.0"), "{applied:?}");
    let again = fleet.apply();
    assert!(again.code == 0 && again.stderr.contains("nothing was changed"), "{again:?}");
    fleet.canary.carry_out("1.0.0", &done(), "1.1.0");
    let is_at_rest =
        |plan: &Value| plan["waves"][0]["state"] == "passed" && plan["waves"][1]["state"] == "running";
    fleet.wait("the first wave passes", ["1.1.0", "1.0.0"], is_at_rest);

    let halted = fleet.novactl(&[&["halt", "monthly"][..], &WHY].concat());
    assert!(halted.code == 0 && halted.stdout.contains("novactl fleet resume monthly"), "{halted:?}");
    let used = fleet.way.novactl(&["fleet", "list", "--living", "--json"]).json();
    assert_eq!(used["items"][0]["state"], "halted");
    let resumed = fleet.novactl(&[&["resume", "monthly"][..], &WHY].concat());
    assert_eq!(resumed.code, 0, "{resumed:?}");
    let refused = fleet.novactl(&[&["resume", "monthly", "--json"][..], &WHY].concat());
    assert_eq!(
        (refused.code, refused.problem()["code"].as_str()),
        (4, Some("plan_not_halted")),
        "{refused:?}"
    );

    // It goes back by itself: that is a failure, and none is allowed.
    let error = json!({
        "code": "crash_loop", "stage": "CHECK_HEALTH", "message": "it ended three times",
        "timestamp": "2026-11-21T08:00:00Z"
    });
    let stages = [("CHECK_HEALTH", "UNDERWAY", Value::Null), ("ROLLEDBACK", "ROLLEDBACK", error)];
    let watched = std::thread::scope(|scope| {
        let watch = scope.spawn(|| fleet.novactl(&["watch", "monthly"]));
        fleet.other.carry_out("1.0.0", &stages, "1.0.0");
        watch.join().unwrap()
    });
    assert_eq!(watched.code, 1, "{watched:?}");
    for expected in ["owner applied the plan", "rest, other", "halted: rest halted", "owner halted the plan"]
    {
        assert!(watched.stdout.contains(expected), "{expected}: {}", watched.stdout);
    }
    let status = fleet.novactl(&["status", "monthly"]);
    for expected in
        ["it ended three times", "novactl fleet rollback monthly --reason …", "1 failed", "reconciled"]
    {
        assert!(status.stdout.contains(expected), "{expected}: {}", status.stdout);
    }
    let failed = fleet.novactl(&["executors", "monthly", "--wave", "rest", "--outcome", "failed"]);
    assert!(failed.stdout.contains("other") && !failed.stdout.contains("canary"), "{failed:?}");

    let upgrades_of_other = || {
        let listed = fleet.way.novactl(&["upgrade", "list", "--executor", "other", "--json"]);
        listed.json()["items"].as_array().unwrap().len()
    };
    let before = upgrades_of_other();
    let back = fleet.novactl(&[&["rollback", "monthly"][..], &WHY].concat());
    assert_eq!(back.code, 0, "{back:?}");
    fleet.canary.carry_out("1.1.0", &done(), "1.0.0");
    fleet.wait("all is undone", ["1.0.0", "1.0.0"], |plan| plan["state"] == "rolledBack");
    assert_eq!(fleet.novactl(&["watch", "monthly"]).code, 0, "it is undone");
    let members = fleet.novactl(&["executors", "monthly", "--json"]).json();
    let outcomes: Vec<_> =
        members["items"].as_array().unwrap().iter().map(|it| it["outcome"].clone()).collect();
    assert_eq!(outcomes, ["rolledBack", "failed"], "{members}");
    assert_eq!(upgrades_of_other(), before, "who did not move is not moved back");
    let deleted = fleet.novactl(&[&["delete", "monthly"][..], &WHY].concat());
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert_eq!(fleet.novactl(&["status", "monthly"]).code, 1);
}

#[test]
fn a_wave_waits_for_a_person_and_its_executors_stay_whatever_their_labels_become() {
    let fleet = Fleet::new();
    let in_use = ["fleet", "group", "delete", "everybody-else", "--json"];
    assert_eq!(fleet.apply().code, 0);
    let refused = fleet.way.novactl(&in_use);
    assert_eq!((refused.code, refused.problem()["code"].as_str()), (4, Some("group_in_use")), "{refused:?}");
    let shown = || fleet.way.novactl(&["executor", "show", "canary", "--json"]).json()["plans"].clone();
    wait_for("the first wave begins", LIMIT, || Some(()).filter(|()| shown()[0]["wave"] == "first"));
    let moved = fleet.way.novactl(&["executor", "label", "canary", "ring=prod"]);
    assert!(moved.stdout.contains("it stays in wave `first`"), "{moved:?}");
    assert_eq!((&shown()[0]["wave"], &shown()[0]["waveByLabels"]), (&json!("first"), &json!("rest")));
    fleet.canary.carry_out("1.0.0", &done(), "1.1.0");
    fleet.other.carry_out("1.0.0", &done(), "1.1.0");
    let waits = |plan: &Value| plan["waves"][1]["state"] == "gate";
    let plan = fleet.wait("the second wave waits for a person", ["1.1.0", "1.1.0"], waits);
    assert_eq!(
        (&plan["waves"][0]["counts"]["total"], &plan["waves"][1]["counts"]["total"]),
        (&json!(1), &json!(1))
    );
    let members = fleet.novactl(&["executors", "monthly", "--wave", "first", "--json"]).json();
    assert_eq!(members["items"][0]["waveByLabels"], "rest", "{members}");
    let status = fleet.novactl(&["status", "monthly"]);
    assert!(status.stdout.contains("novactl fleet approve monthly --reason …"), "{status:?}");
    let approved = fleet.novactl(&[&["approve", "monthly"][..], &WHY].concat());
    assert_eq!(approved.code, 0, "{approved:?}");
    fleet.wait("every wave has passed", ["1.1.0", "1.1.0"], |plan| plan["state"] == "completed");
    assert_eq!(fleet.way.novactl(&in_use).code, 0, "no wave to come names the group any more");
}

#[test]
fn a_dry_run_waits_for_the_answers_of_hosts_and_changes_nothing() {
    let fleet = Fleet::new();
    let file = fleet.plan.to_str().unwrap();
    let told = fleet.novactl(&["dry-run", file]);
    assert_eq!(told.code, 0, "{told:?}");
    for expected in
        ["2 executors would go to 1.1.0", "wave first: 1 executors", "then a person approves", "not answered"]
    {
        assert!(told.stdout.contains(expected), "{expected}: {}", told.stdout);
    }
    let waits = ["dry-run", file, "--wait", "--interval", "50ms", "--timeout", "30s"];
    let answered = std::thread::scope(|scope| {
        let run = scope.spawn(|| fleet.novactl(&waits));
        while !run.is_finished() {
            for host in [&fleet.canary, &fleet.other] {
                host.answer_checks("1.0.0");
            }
        }
        run.join().unwrap()
    });
    assert_eq!(answered.code, 0, "{answered:?}");
    assert!(!answered.stdout.contains("not answered"), "{answered:?}");
    assert!(answered.stdout.contains("clock FAILED: 40 s behind"), "{answered:?}");
    assert_eq!(fleet.novactl(&["list", "--json"]).json()["items"], json!([]), "nothing is kept");
    assert_eq!(fleet.apply().code, 0);
    let known = fleet.novactl(&["dry-run", "--plan", "monthly", "--json"]);
    assert_eq!((known.code, &known.json()["targetVersion"]), (0, &json!("1.1.0")), "{known:?}");
}

#[test]
fn a_plan_with_a_mistake_is_refused_with_its_place_and_nothing_is_begun() {
    let fleet = Fleet::new();
    std::fs::write(&fleet.plan, PLAN.replace("maxFailed: 0", "maxFailde: 0")).unwrap();
    let refused = fleet.apply();
    assert!(refused.code == 1 && refused.stderr.contains("maxFailde"), "{refused:?}");
    assert_eq!(fleet.novactl(&["list", "--json"]).json()["items"], json!([]));
    let schema = fleet.novactl(&["schema"]);
    assert!(schema.code == 0 && schema.stdout.contains("healthCheckDuration"), "{schema:?}");
}
