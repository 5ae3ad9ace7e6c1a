//! `novactl fleet …`

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::fleet_live::dry_run;
use crate::novactl::{Run, command, novactl};
use crate::recorder::{Asked, Recorder, Reply};
use crate::samples;

pub(crate) const PLAN: &str = "01900000-0000-7000-8000-000000000006";
const OLDER: &str = "01900000-0000-7000-8000-000000000005";
const HOSTILE: &str = "\u{1b}[2J\u{202e}";

pub(crate) fn counts(some: &Value) -> Value {
    let mut counts = json!({
        "total": 10, "waiting": 0, "started": 0, "completed": 0, "alreadyThere": 0, "failed": 0, "slow": 0,
        "unreachable": 0, "held": 0, "refused": 0, "yielded": 0, "gone": 0, "rollingBack": 0, "rolledBack": 0,
        "notRolledBack": 0
    });
    counts.as_object_mut().unwrap().extend(some.as_object().unwrap().clone());
    counts
}

fn gate(name: &str, outcome: &str, message: &str) -> Value {
    json!({
        "name": name, "outcome": outcome, "message": message, "blocking": true, "at": "2026-11-21T09:00:00Z",
        "by": null, "skipped": false
    })
}

pub(crate) fn wave(name: &str, state: &str, reason: &str, some: &Value) -> Value {
    json!({
        "name": name, "state": state, "reason": reason, "beganAt": null, "healthySince": null, "soaksUntil": null,
        "passedAt": null, "maxInFlight": 3, "canary": 1, "counts": counts(some), "gates": []
    })
}

/// A plan whose second wave stands like this.
pub(crate) fn plan(state: &str, reason: &str, second: &Value) -> Value {
    let mut first = wave("canary", "passed", "all gates passed", &json!({"completed": 9, "alreadyThere": 1}));
    first["gates"] = json!([gate("online", "pass", "10 of 10 are online and on target")]);
    json!({
        "id": PLAN, "name": "monthly", "executorKind": "agent", "targetVersion": "1.34.2", "priority": 0,
        "state": state, "reason": reason, "requestedBy": "alice", "createdAt": "2026-11-21T08:00:00Z",
        "endedAt": null, "approval": null, "warnings": ["wave `late` takes nobody now"],
        "waves": [first, second, wave("late", "pending", "the waves before it come first", &json!({"total": 0}))]
    })
}

pub(crate) fn halted() -> Value {
    let broken = json!({"completed": 4, "failed": 2, "unreachable": 1, "waiting": 3});
    let mut second = wave("standard", "halted", "2 of 7 failed, at most 0 may", &broken);
    second["gates"] = json!([gate("reconciled", "fail", "2 executors have a failed upgrade")]);
    let mut plan = plan("halted", "wave `standard` failed", &second);
    plan["inNoWave"] = json!(["alone-1", "alone-2"]);
    plan
}

/// Answers every call about plans with this one.
pub(crate) fn knowing(plan: Value) -> Recorder {
    Recorder::start(move |asked| answer(asked, &plan))
}

pub(crate) fn answer(asked: &Asked, plan: &Value) -> Reply {
    match asked.line.as_str() {
        line if is_list(line) => (200, samples::page(std::slice::from_ref(plan))),
        line if line.starts_with("DELETE") => (204, String::new()),
        _ => (200, plan.to_string()),
    }
}

fn is_list(line: &str) -> bool {
    line == "GET /api/v1/fleet/plans" || line.starts_with("GET /api/v1/fleet/plans?name=")
}

pub(crate) fn fleet(server: &Recorder, arguments: &[&str]) -> Run {
    novactl(&server.url(), &[&["fleet"], arguments].concat())
}

#[test]
fn a_plan_is_sent_as_it_stands_in_its_file_and_shown_with_its_warnings() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = "# ours\nkind: FleetUpgradePlan\n";
    let json = " {\"kind\": \"FleetUpgradePlan\"}\n";
    for (file, text, content_type) in [
        ("plan.yaml", yaml, "application/yaml"),
        ("plan.json", json, "application/json"),
        ("plan.yml", json, "application/yaml"),
        ("plan", json, "application/json"),
        ("plan", yaml, "application/yaml"),
    ] {
        let path = dir.path().join(file);
        std::fs::write(&path, text).unwrap();
        let server =
            Recorder::start(|_| (201, plan("running", "", &json!(halted()["waves"][1])).to_string()));
        let said = fleet(&server, &["apply", path.to_str().unwrap()]);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
        assert!(said.stdout.contains("wave `late` takes nobody now"), "{said:?}");
        let asked = server.asked().remove(0);
        assert_eq!(asked.line, "POST /api/v1/fleet/plans");
        assert_eq!((asked.content_type.as_str(), asked.body.as_slice()), (content_type, text.as_bytes()));
    }
    let missing = novactl("http://127.0.0.1:1", &["fleet", "apply", "/no/such/plan.yaml"]);
    assert!(missing.code == 1 && missing.stderr.contains("/no/such/plan.yaml"), "{missing:?}");
}

#[test]
fn a_plan_is_read_from_stdin_and_one_that_was_applied_before_is_said_so() {
    let server = knowing(halted());
    let mut child = command(Path::new(env!("CARGO_BIN_EXE_novactl")))
        .env("NOVACULA_URL", server.url())
        .args(["fleet", "apply", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"kind: FleetUpgradePlan\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("nothing was changed"));
    assert_eq!(server.asked()[0].body, b"kind: FleetUpgradePlan\n");
}

#[test]
fn a_plan_that_is_refused_says_where_it_is_wrong() {
    let server =
        Recorder::start(|_| (400, samples::problem("invalid_request", "`spec.waves[1].group` is empty")));
    for command in [&["apply", "-"][..], &["dry-run", "-"]] {
        let said = fleet(&server, command);
        assert!(said.code == 1 && said.stderr.contains("`spec.waves[1].group`"), "{said:?}");
    }
}

#[test]
fn the_status_has_a_reason_beside_every_state_and_says_what_can_be_done() {
    let server = knowing(halted());
    let said = fleet(&server, &["status", "monthly"]);
    assert_eq!(said.code, 0, "{said:?}");
    for expected in [
        "monthly: agent to 1.34.2",
        "halted: wave `standard` failed",
        "novactl fleet executors monthly --outcome failed",
        "novactl fleet resume monthly --reason …",
        "novactl fleet rollback monthly --reason …",
        "10 of 10",
        "9 completed, 1 already there",
        "4 of 10",
        "3 waiting, 4 completed, 2 failed, 1 unreachable",
        "2 of 7 failed, at most 0 may",
        "the waves before it come first",
        "reconciled  fail",
        "in no wave (2): alone-1, alone-2",
        "2 executors have a failed upgrade",
    ] {
        assert!(said.stdout.contains(expected), "{expected}: {}", said.stdout);
    }
    assert_eq!(fleet(&server, &["status", PLAN, "--json"]).json()["waves"][1]["state"], "halted");
    assert!(fleet(&server, &["status"]).stdout.contains("halted: wave `standard` failed"));

    let waits = |name: &str, outcome: &str| {
        let mut second = wave("standard", "gate", "it waits", &json!({"completed": 10}));
        second["gates"] = json!([gate(name, outcome, "so it is")]);
        second
    };
    let mut silent = waits("online", "inconclusive");
    silent["counts"]["unreachable"] = json!(3);
    let look = "novactl fleet executors monthly --wave standard --outcome unreachable";
    let skip = "novactl fleet skip-gate monthly --wave standard --gate 'our alerts' --reason …";
    for (state, second, expected) in [
        ("running", waits("approval", "waiting"), "novactl fleet approve monthly --reason …"),
        ("paused", waits("our alerts", "inconclusive"), skip),
        ("paused", silent, look),
        ("running", waits("online", "pass"), "novactl fleet watch monthly"),
        ("approvalWanted", waits("online", "waiting"), "(somebody else than alice)"),
        ("rollingBack", waits("online", "pass"), "novactl fleet watch monthly"),
    ] {
        let said = fleet(&knowing(plan(state, "why", &second)), &["status", "monthly"]);
        assert!(said.stdout.contains(expected), "{state}: {expected}: {}", said.stdout);
    }
    let mut own = plan("running", "why", &waits("the night shift", "waiting"));
    own["document"] = json!({
        "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "monthly"},
        "spec": {"targetVersion": "1.34.2", "waves": [
            {"name": "standard", "gates": [{"type": "approval", "name": "the night shift"}]}
        ]}
    });
    let said = fleet(&knowing(own), &["status", "monthly"]);
    assert!(
        said.stdout.contains("novactl fleet approve monthly"),
        "an approval of another name: {}",
        said.stdout
    );
    let ended = fleet(&knowing(plan("completed", "", &waits("online", "pass"))), &["status", "monthly"]);
    assert!(!ended.stdout.contains("you can"), "{ended:?}");
    let none = fleet(&Recorder::start(|_| (200, samples::page(&[]))), &["status"]);
    assert!(none.code == 0 && none.stdout.contains("no plan is under way"), "{none:?}");
}

#[test]
fn a_name_stands_for_the_plan_that_has_not_ended_and_else_for_the_newest() {
    let named = |id: &str, state: &str, created_at: &str| {
        let mut plan = plan(state, "", &wave("standard", "passed", "", &json!({})));
        (plan["id"], plan["createdAt"]) = (json!(id), json!(created_at));
        plan
    };
    for (sentence, first, second) in [
        ("the living one, though it is older", "completed", "running"),
        ("the newest of several that have ended", "rolledBack", "completed"),
    ] {
        let newest = named(if second == "running" { OLDER } else { PLAN }, first, "2026-11-21T09:00:00Z");
        let older = named(if second == "running" { PLAN } else { OLDER }, second, "2026-11-20T09:00:00Z");
        let page = samples::page(&[newest.clone(), older]);
        let server = Recorder::start(move |asked| match asked.line.as_str() {
            line if is_list(line) => (200, page.clone()),
            _ => (200, newest.to_string()),
        });
        assert_eq!(fleet(&server, &["status", "monthly"]).code, 0);
        assert_eq!(server.lines()[1], format!("GET /api/v1/fleet/plans/{PLAN}"), "{sentence}");
        let said = fleet(&server, &["status", "yearly", "--json"]);
        assert_eq!((said.code, said.problem()["code"].as_str()), (1, Some("plan_not_found")), "{said:?}");
    }
}

#[test]
fn every_word_to_a_plan_goes_to_its_own_call_with_its_reason() {
    let why = ["--reason", "lunch"];
    for (words, call, body) in [
        (&["approve"][..], "approve", json!({"reason": "lunch"})),
        (&["approve", "--wave", "standard"], "approve", json!({"wave": "standard", "reason": "lunch"})),
        (&["halt"], "halt", json!({"reason": "lunch"})),
        (&["resume"], "resume", json!({"reason": "lunch"})),
        (
            &["skip-gate", "--wave", "standard", "--gate", "online"],
            "skip-gate",
            json!({"wave": "standard", "gate": "online", "reason": "lunch"}),
        ),
        (&["rollback"], "rollback", json!({"reason": "lunch"})),
        (&["rollback", "--wave", "canary"], "rollback", json!({"wave": "canary", "reason": "lunch"})),
    ] {
        let server = knowing(halted());
        let said = fleet(&server, &[words, &["monthly"], &why].concat());
        assert!(said.code == 0 && said.stdout.contains("2 of 7 failed"), "{words:?}: {said:?}");
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.line, format!("POST /api/v1/fleet/plans/{PLAN}/{call}"), "{words:?}");
        assert_eq!(asked.json(), body, "{words:?}");
        let silent = fleet(&server, &[words, &["monthly"]].concat());
        assert!(silent.code == 2 && silent.stderr.contains("--reason"), "{words:?}: {silent:?}");
    }
    let server = knowing(halted());
    let said = fleet(&server, &[&["delete", "monthly"][..], &why].concat());
    assert!(said.code == 0 && said.stdout.contains("what it did stays as it is"), "{said:?}");
    assert_eq!(server.lines().pop().unwrap(), format!("DELETE /api/v1/fleet/plans/{PLAN}?reason=lunch"));
    for wrong in
        [&["delete", "monthly"][..], &["skip-gate", "monthly", "--reason", "x", "--wave", "w"], &["apply"]]
    {
        assert_eq!(novactl("http://127.0.0.1:1", &[&["fleet"], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn plans_are_listed_with_the_wave_they_are_at_and_why() {
    let server = knowing(halted());
    let said = fleet(&server, &["list"]);
    let line = said.stdout.lines().nth(1).unwrap_or_default().to_owned();
    assert!(line.starts_with("monthly  agent 1.34.2  halted  standard"), "{said:?}");
    assert!(line.ends_with("wave `standard` failed"), "{said:?}");
    let mut ended = halted();
    ended["state"] = json!("rolledBack");
    let server = knowing(ended);
    assert_eq!(fleet(&server, &["list", "--living", "--json"]).json()["items"], json!([]));
    assert_eq!(fleet(&server, &["list", "--json"]).json()["items"][0]["id"], PLAN);
    assert_eq!(fleet(&server, &["schema"]).json()["id"], PLAN, "whatever is answered is printed");
    assert_eq!(server.lines().pop().unwrap(), "GET /api/v1/fleet/plans/schema");
}

#[test]
fn the_executors_of_a_plan_are_asked_for_by_wave_and_outcome() {
    let member = |name: &str, today: &Value| {
        json!({
            "executorId": samples::EXECUTOR, "executorName": name, "wave": "canary", "position": 1, "canary": true,
            "outcome": "notRolledBack", "reason": "its host is held", "fromVersion": "1.33.0", "upgradeId": null,
            "waveByLabels": today
        })
    };
    let server = Recorder::start(move |asked| match asked.line.as_str() {
        line if line.contains("/executors") => {
            let stays = member("stays", &json!("canary"));
            (200, samples::page(&[stays, member("moved", &json!("standard")), member("gone", &Value::Null)]))
        }
        _ => answer(asked, &halted()),
    });
    let said = fleet(&server, &["executors", "monthly", "--wave", "canary", "--outcome", "not-rolled-back"]);
    assert_eq!(said.code, 0, "{said:?}");
    let asked = server.lines().pop().unwrap();
    assert_eq!(asked, format!("GET /api/v1/fleet/plans/{PLAN}/executors?wave=canary&outcome=notRolledBack"));
    let lines: Vec<_> = said.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(lines[1][..9], ["canary", "1", "stays", "canary", "not", "rolled", "back", "1.33.0", "its"]);
    assert_eq!((lines[2][8], lines[3][8]), ("standard", "none"), "{}", said.stdout);
    assert_eq!(fleet(&server, &["executors", "monthly", "--outcome", "dead"]).code, 2);
}

#[test]
fn no_string_of_a_plan_reaches_the_terminal_as_a_command() {
    let mut hostile = halted();
    for field in ["name", "reason", "requestedBy"] {
        hostile[field] = json!(HOSTILE);
    }
    hostile["warnings"] = json!([HOSTILE]);
    hostile["inNoWave"] = json!([HOSTILE]);
    let second = &mut hostile["waves"][1];
    (second["name"], second["reason"]) = (json!(HOSTILE), json!(HOSTILE));
    for field in ["name", "message", "by"] {
        second["gates"][0][field] = json!(HOSTILE);
    }
    let mut paused = hostile.clone();
    (paused["state"], paused["waves"][1]["gates"][0]["outcome"]) = (json!("paused"), json!("inconclusive"));
    let mut dry = dry_run(&json!([]), &json!([]));
    dry["inNoWave"] = json!([HOSTILE]);
    dry["waves"][0]["executors"][0]["obstacle"] = json!(HOSTILE);
    dry["waves"][0]["executors"][0]["name"] = json!(HOSTILE);
    for (plan, arguments, code) in [
        (&hostile, &["status"][..], 0),
        (&paused, &["status"], 0),
        (&hostile, &["list"], 0),
        (&hostile, &["watch", PLAN], 1),
        (&hostile, &["halt", PLAN, "--reason", "x"], 0),
        (&hostile, &["delete", PLAN, "--reason", "x"], 0),
        (&dry, &["dry-run", "-"], 0),
    ] {
        for json in [&[][..], &["--json"]] {
            let said = fleet(&knowing(plan.clone()), &[arguments, json].concat());
            assert_eq!(said.code, code, "{said:?}");
            let bad = said.stdout.chars().chain(said.stderr.chars());
            let bad = bad.into_iter().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
            assert_eq!(bad, None, "{said:?}");
        }
    }
}
