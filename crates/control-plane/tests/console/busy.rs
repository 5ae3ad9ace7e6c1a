//! An account in the middle of its work: something of everything that the pages can show.

use std::time::Duration;

use novacula_lab::wait_for;
use novacula_protocol::Stage;
use novacula_protocol::people::Presence;
use serde_json::{Value, json};

use crate::fleet::Host;
use crate::scene::Scene;

const LIMIT: Duration = Duration::from_secs(60);
const CRASH: &str = "1.1.0 exited with code 101 four times within 20 s; the last words were `cannot open the journal: \
                     permission denied`";

/// People of every role, two dozen executors, upgrades at every turn, plans that run, wait and were halted.
pub fn busy() -> Scene {
    let scene = Scene::with(hosts());
    for (name, role, publishes) in
        [("ada", "owner", true), ("bo", "admin", false), ("eve", "editor", false), ("vic", "viewer", false)]
    {
        scene.person(name, role, publishes);
    }
    releases(&scene);
    upgrades(&scene);
    plans(&scene);
    rules(&scene);
    settled(&scene);
    scene
}

fn hosts() -> Vec<Host> {
    let berlin = &[("site", "berlin"), ("ring", "standard")];
    let potsdam = &[("site", "potsdam"), ("ring", "standard")];
    vec![
        Host::new("berlin-01", "1.0.0", "stable", berlin),
        Host::new("berlin-02", "1.0.0", "stable", berlin).failing(CRASH),
        Host::new("berlin-03", "1.0.0", "stable", berlin).until(Stage::Download),
        Host::new("berlin-04", "1.0.0", "stable", berlin).until(Stage::CheckHealth),
        Host::new("potsdam-01", "1.0.0", "stable", potsdam),
        Host::new("potsdam-02", "1.0.0", "stable", potsdam),
        Host::new("potsdam-03", "1.0.0", "stable", potsdam),
        Host::new("potsdam-04", "1.1.0", "stable", potsdam),
        Host::new("potsdam-05", "1.0.0", "stable", potsdam).until(Stage::Download),
        Host::new("bonn-01", "1.1.0", "beta", &[("site", "bonn"), ("wave", "second")]),
        Host::new("bonn-02", "1.0.0", "beta", &[("site", "bonn"), ("wave", "second")]),
        Host::new("lab-01", "1.1.0", "dev", &[("site", "lab")]),
        Host::new("lab-02", "1.0.0", "dev", &[("site", "lab")]).held("frozen for the audit"),
        Host::new("attic-01", "1.0.0", "stable", &[("site", "attic")]),
        Host::new("free-01", "1.0.0", "stable", &[("site", "free")]),
        Host::new("canary-01", "1.0.0", "stable", &[("wave", "canary")]),
        Host::new("canary-02", "1.0.0", "stable", &[("wave", "canary")]),
        Host::new("early-01", "1.0.0", "stable", &[("wave", "early")]).until(Stage::Verify),
        Host::new("early-02", "1.0.0", "stable", &[("wave", "early")]).until(Stage::Verify),
        Host::new("brittle-01", "1.0.0", "stable", &[("wave", "brittle")]).failing(CRASH),
        Host::new("brittle-02", "1.0.0", "stable", &[("wave", "brittle")]).failing(CRASH),
    ]
}

fn releases(scene: &Scene) {
    let steps = json!(["Take a backup of the journal", "Tell the people on call"]).to_string();
    let after = json!(["Look at the graphs"]).to_string();
    scene.release(
        "1.2.0",
        &[
            ("channel", "stable"),
            ("notes", "The journal is kept in one file.\n\nOld journals are read once."),
            ("prerequisites", &steps),
            ("postrequisites", &after),
        ],
    );
    scene.release("2.0.0", &[("channel", "beta"), ("notes", "The second generation.")]);
    scene.release("2.1.0-rc.1", &[("channel", "dev"), ("notes", "For those who build it.")]);
    let yanked = scene.release("0.9.0", &[("channel", "stable"), ("notes", "Too early.")]);
    scene.ask(
        "PATCH",
        &format!("/releases/{yanked}"),
        &json!({"status": "yanked", "reason": "it eats the disk"}),
    );
    scene.ask("PUT", "/four-eyes", &json!({"channels": ["beta"]}));
}

fn upgrades(scene: &Scene) {
    let none = &json!({});
    for name in ["berlin-01", "berlin-02", "berlin-03", "berlin-04"] {
        scene.request(
            name,
            "1.1.0",
            &json!({"description": "the one that starts faster", "healthWindowMs": 600_000}),
        );
    }
    scene.request("potsdam-01", "1.1.0", &json!({"confirm": "manual"}));
    scene.request("potsdam-02", "1.1.0", &json!({"scheduledAt": "2100-01-01T02:00:00Z"}));
    scene.request("potsdam-03", "1.1.0", &json!({"confirmStart": "manual"}));
    scene.request("potsdam-04", "1.2.0", none);
    scene.request("bonn-01", "2.0.0", none);
    let paused = scene.request("potsdam-05", "1.1.0", none);
    until_at(scene, &paused, Stage::Download);
    scene.ask(
        "POST",
        &format!("/upgrades/{paused}/pause"),
        &json!({"reason": "the backup is still running"}),
    );
    let abandoned = scene.request("bonn-02", "1.1.0", &json!({"confirmStart": "manual"}));
    scene.ask(
        "POST",
        &format!("/upgrades/{abandoned}/abandon"),
        &json!({"reason": "a new disk comes first"}),
    );
    scene.ask(
        "POST",
        "/releases/agent/batch-upgrade?targetVersion=2.1.0-rc.1",
        &json!({"labels": {"site": "lab"}, "concurrency": 1, "hops": true}),
    );
}

fn plans(scene: &Scene) {
    let wave = |name: &str, ring: &str, automated: bool| {
        json!({
            "name": name, "executorSelector": {"matchLabels": {"wave": ring}},
            "validation": {"healthCheckDuration": "0s", "automated": automated},
        })
    };
    for (name, version, waves) in [
        ("winter", "1.1.0", json!([wave("canary", "canary", false), wave("early", "early", true)])),
        ("brittle", "1.1.0", json!([wave("brittle", "brittle", true)])),
        ("early birds", "1.1.0", json!([wave("early", "early", true), wave("late", "late", false)])),
        ("second generation", "2.0.0", json!([wave("second", "second", true)])),
    ] {
        let document = json!({
            "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": name},
            "spec": {"targetVersion": version, "healthWindow": "1s", "waves": waves},
        });
        scene.ask("POST", "/fleet/plans", &document);
    }
}

fn rules(scene: &Scene) {
    let berlin = json!({"matchLabels": {"site": "berlin"}});
    let attic = json!({"matchLabels": {"site": "attic"}});
    scene.ask("POST", "/fleet/groups", &json!({"name": "berlin", "selector": berlin}));
    let window = json!({
        "name": "nightly", "cron": "30 2 * * *", "durationMs": 3_600_000, "zone": "Europe/Berlin", "selector": attic,
    });
    scene.ask("POST", "/windows", &window);
    let freeze = |reason: &str, from: &str, to: &str| json!({"reason": reason, "startsAt": from, "endsAt": to, "zone": "Europe/Berlin", "selector": attic});
    scene.ask("POST", "/freezes", &freeze("year end", "2099-12-20T00:00:00Z", "2100-01-02T00:00:00Z"));
    scene.ask("POST", "/freezes", &freeze("the roof leaks", "2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z"));
    let webhook = json!({
        "url": "https://chat.example.com/hooks/novacula", "description": "The people on call",
        "events": ["upgrade.failed", "upgrade.rolledBack", "plan.halted"],
    });
    let webhook = scene.ask("POST", "/webhooks", &webhook);
    scene.ask("POST", &format!("/webhooks/{}/test", webhook["id"].as_str().unwrap()), &Value::Null);
    scene.ask("POST", "/enrolment-tokens", &json!({"maxUses": 10, "expiresAt": "2100-01-01T00:00:00Z"}));
    scene.ask("POST", "/tokens", &json!({"name": "the nightly report"}));
    scene.ask("POST", "/accounts", &json!({"name": "The neighbours"}));
    scene.request("attic-01", "1.1.0", &json!({}));
    scene.fleet.tell("attic-01", |host| host.is_on = false);
}

/// What moves by itself has come to where it shall be looked at.
fn settled(scene: &Scene) {
    for (name, stage) in [
        ("berlin-01", "COMPLETED"),
        ("berlin-02", "ROLLEDBACK"),
        ("berlin-04", "CHECK_HEALTH"),
        ("potsdam-01", "CONFIRM_COMPLETION"),
    ] {
        wait_for(&format!("the upgrade of {name} is at {stage}"), LIMIT, || {
            (scene.last_upgrade(name)["stage"] == stage).then_some(())
        });
    }
    wait_for("the plan `brittle` is halted", LIMIT, || {
        (scene.plan("brittle")["state"] == "halted").then_some(())
    });
    wait_for("the first wave of `winter` waits for a person", LIMIT, || {
        (scene.plan("winter")["waves"][0]["state"] == "gate").then_some(())
    });
    wait_for("attic-01 is offline", LIMIT, || {
        scene.owner.executor("attic-01").filter(|attic| attic.status == Presence::Offline)
    });
}

fn until_at(scene: &Scene, upgrade: &str, stage: Stage) {
    wait_for(&format!("the upgrade is at {stage}"), LIMIT, || {
        (scene.owner.upgrade(upgrade).stage == stage).then_some(())
    });
}
