//! The real control plane carries out fleet plans whose gates ask a real Prometheus.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use novacula_lab::guard::Guarded;
use novacula_lab::{Person, Prometheus, builds, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);
/// Ten minutes of a soak are a second.
const CLOCK: &str = "600@2026-11-21T00:00:00Z";

/// A control plane whose clock runs ahead, and hosts that do what it says.
struct Scene {
    _program: Guarded,
    folder: TempDir,
    url: String,
    owner: Person,
    hosts: Vec<Host>,
}

struct Host {
    name: &'static str,
    ring: &'static str,
    key: String,
    version: String,
    report: Value,
}

impl Scene {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_novacula-control-plane"));
        command.arg("serve").env_clear().stdout(Stdio::piped());
        command.env("PORT", "0").env("DATA_DIR", folder.path().join("data")).env("RUST_LOG", "error");
        command.env("TEST_CLOCK", CLOCK).env("GATE_ALLOW_PRIVATE", "true");
        // Nobody is offline, and nothing lapses, however slow this machine is.
        command.env("HEARTBEAT_TIMEOUT_MS", "86400000").env("PENDING_UPGRADE_TTL_MS", "86400000");
        let mut program = Guarded::spawn(&mut command, folder.path());
        let mut lines =
            BufReader::new(program.program().stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said =
            |beginning: &str| lines.find_map(|line| line.strip_prefix(beginning).map(str::to_owned)).unwrap();
        let token = said("owner token (shown once): ");
        let url = said("listening on ");
        let owner = Person::new(&url, &token);
        let mut scene = Self { _program: program, folder, url, owner, hosts: Vec::new() };
        for (name, ring) in [("first", "canary"), ("second", "rest")] {
            let key = scene.owner.executor_key(name);
            scene.hosts.push(Host { name, ring, key, version: "1.0.0".to_owned(), report: Value::Null });
        }
        for version in ["1.1.0", "1.2.0", "1.3.0", "1.4.0"] {
            let file = scene.folder.path().join(version);
            std::fs::write(&file, version).unwrap();
            scene.owner.publish(version, &file);
        }
        scene.all_sync();
        scene
    }

    /// Each host syncs, and does at once what it is asked.
    fn all_sync(&mut self) {
        for host in &mut self.hosts {
            let said = json!({
                "name": host.name, "kind": "agent", "currentVersion": host.version, "target": builds::target(),
                "labels": {"ring": host.ring}, "upgrade": host.report,
            });
            let answer = ureq::post(format!("{}/api/v1/syncExecutor", self.url))
                .header("authorization", format!("Bearer {}", host.key))
                .send(said.to_string());
            let answer: Value =
                serde_json::from_str(&answer.unwrap().body_mut().read_to_string().unwrap()).unwrap();
            let asked = &answer["pendingUpgrade"];
            if asked["intent"] == "apply" {
                host.report = json!({
                    "upgradeId": asked["upgradeId"], "attempt": asked["attempt"], "stage": "COMPLETED",
                    "status": "COMPLETED",
                });
                host.version = asked["targetVersion"].as_str().unwrap().to_owned();
            }
        }
    }

    /// A plan of two waves, the first of which soaks and asks this Prometheus.
    fn apply(&self, version: &str, soak: &str, prometheus: &str) -> String {
        let wave = |ring: &str| json!({"name": ring, "clusterSelector": {"matchLabels": {"ring": ring}}});
        let (mut canary, mut rest) = (wave("canary"), wave("rest"));
        canary["validation"] = json!({"healthCheckDuration": soak, "automated": true});
        canary["gates"] = json!([{"type": "prometheus", "name": "alerts", "url": prometheus}]);
        rest["validation"] = json!({"automated": true});
        let plan: Value = self.owner.post(
            "fleet/plans",
            &json!({
                "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": format!("to {version}")},
                "spec": {"targetVersion": version, "waves": [canary, rest]},
            }),
        );
        plan["id"].as_str().unwrap().to_owned()
    }

    /// Waits until something is so of a plan, and gives it.
    fn until(&mut self, plan: &str, sentence: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_for(sentence, LIMIT, || {
            self.all_sync();
            Some(self.owner.get::<Value>(&format!("fleet/plans/{plan}"))).filter(&is_so)
        })
    }

    fn say(&self, plan: &str, word: &str, said: &Value) {
        let _: Value = self.owner.post(&format!("fleet/plans/{plan}/{word}"), said);
    }

    fn versions(&self) -> [&str; 2] {
        [&self.hosts[0].version, &self.hosts[1].version]
    }
}

/// What the Prometheus gate of the first wave says.
fn gate(plan: &Value) -> &Value {
    let gates = plan["waves"][0]["gates"].as_array().unwrap();
    gates.iter().find(|gate| gate["name"] == "alerts").unwrap()
}

#[test]
fn a_plan_passes_halts_and_pauses_by_the_alerts_of_a_real_prometheus() {
    let prometheus = Prometheus::start(&[("DiskFull", "{severity: critical}", "0s")]);
    let url = prometheus.url();
    let mut scene = Scene::start();

    let quiet = scene.apply("1.1.0", "10m", &url);
    let passed =
        scene.until(&quiet, "a plan completes while no alert fires", |it| it["state"] == "completed");
    assert_eq!((&gate(&passed)["outcome"], scene.versions()), (&json!("pass"), ["1.1.0", "1.1.0"]));

    // A soak that does not come to its end by itself.
    let alarmed = scene.apply("1.2.0", "30d", &url);
    scene.until(&alarmed, "the first wave soaks and its gate passes", |it| {
        it["waves"][0]["state"] == "soaking" && gate(it)["outcome"] == "pass"
    });
    prometheus.set("DiskFull", true);
    let halted = scene.until(&alarmed, "the alert halts the plan", |it| it["state"] == "halted");
    assert_eq!(gate(&halted)["outcome"], "fail");
    for reason in [&halted["reason"], &halted["waves"][0]["reason"], &gate(&halted)["message"]] {
        assert!(reason.as_str().unwrap().contains("DiskFull"), "{halted}");
    }
    assert_eq!(scene.versions(), ["1.2.0", "1.1.0"], "nobody beyond the wave was touched");

    prometheus.set("DiskFull", false);
    wait_for("the alert clears", LIMIT, || prometheus.states().is_empty().then_some(()));
    scene.say(&alarmed, "rollback", &json!({"reason": "the disks come first"}));
    scene.until(&alarmed, "what it did is undone", |it| it["state"] == "rolledBack");
    assert_eq!(scene.versions(), ["1.1.0", "1.1.0"]);
    let again = scene.apply("1.3.0", "10m", &url);
    scene.until(&again, "a plan completes after the alert has cleared", |it| it["state"] == "completed");
    assert_eq!(scene.versions(), ["1.3.0", "1.3.0"]);

    drop(prometheus);
    let blind = scene.apply("1.4.0", "10m", &url);
    let paused = scene.until(&blind, "a plan pauses where nobody can tell", |it| it["state"] == "paused");
    assert_eq!(
        (&gate(&paused)["outcome"], &paused["waves"][0]["state"]),
        (&json!("inconclusive"), &json!("gate"))
    );
    assert!(gate(&paused)["message"].as_str().unwrap().contains("did not answer"), "{paused}");
    assert_eq!(scene.versions(), ["1.4.0", "1.3.0"], "the next wave has not begun");
    let past = json!({"wave": "canary", "gate": "alerts", "reason": "we have looked ourselves"});
    scene.say(&blind, "skip-gate", &past);
    scene.until(&blind, "a plan goes on past a gate that a person skipped", |it| it["state"] == "completed");
    assert_eq!(scene.versions(), ["1.4.0", "1.4.0"]);
}
