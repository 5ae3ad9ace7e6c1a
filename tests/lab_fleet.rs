//! Fleet plans on real agents on real systemd hosts: a wave goes after the other, and a bad release reaches nobody else.

use std::time::Duration;

use novacula_lab::scene::{AGENT, BINARY, CONFIG, DATA_DIR};
use novacula_lab::{ControlPlane, Fault, Host, Suite, builds, faulty_release, wait_for};
use novacula_protocol::people::{FleetPlan, PlanState, WaveState};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(240);

/// Hosts by name, each labelled for the wave that its name begins with, and the control plane they share.
struct Fleet {
    control_plane: ControlPlane,
    hosts: Vec<(&'static str, Host)>,
}

impl Fleet {
    fn at_1_0_0(suite: Suite, names: &[&'static str]) -> Self {
        let control_plane = ControlPlane::start();
        let build = std::fs::read(builds::agent("1.0.0")).expect("the build can be read");
        let mut hosts: Vec<(&'static str, Host)> = Vec::new();
        for name in names {
            let host = match hosts.first() {
                None => Host::boot(suite),
                Some((_, first)) => first.neighbour(suite),
            };
            let wave = name.split('-').next().unwrap_or_default();
            let config = format!(
                "[agent]\nname = \"{name}\"\ndata_dir = \"{DATA_DIR}\"\nsync_interval_ms = 1000\n\n[agent.labels]\n\
                 upgrade-wave = \"{wave}\"\n\n[control_plane]\nurl = \"{}\"\naccess_token = \"{}\"\n",
                control_plane.url(),
                control_plane.owner().executor_key(name)
            );
            host.put(BINARY, &build, 0o755);
            host.put(CONFIG, config.as_bytes(), 0o600);
            host.ok(&format!("{BINARY} install && systemctl start {AGENT}"));
            control_plane.owner().wait_for_version(name, "1.0.0");
            hosts.push((name, host));
        }
        Self { control_plane, hosts }
    }

    fn apply(&self, target: &str, canary: &Value) -> FleetPlan {
        let wave = |name: &str| {
            json!({"name": name, "clusterSelector": {"matchLabels": {"upgrade-wave": name}},
                "validation": {"healthCheckDuration": "3s", "automated": true}})
        };
        let mut first = wave("canary");
        first.as_object_mut().expect("an object").extend(canary.as_object().expect("an object").clone());
        let document = json!({"apiVersion": "fleet.opencenter.cloud/v1alpha1", "kind": "FleetUpgradePlan",
            "metadata": {"name": format!("to-{target}")},
            "spec": {"targetVersion": target, "healthWindow": "3s", "waves": [first, wave("standard")]}});
        self.control_plane.owner().post("fleet/plans", &document)
    }

    #[track_caller]
    fn wait_for_end(&self, plan: &FleetPlan, state: PlanState) -> FleetPlan {
        wait_for(&format!("the plan is {state:?}"), LONG, || {
            let plan: FleetPlan = self.control_plane.owner().get(&format!("fleet/plans/{}", plan.id));
            (plan.state == state).then_some(plan)
        })
    }

    #[track_caller]
    fn run(&self, expected: &[&str]) {
        for ((name, host), version) in self.hosts.iter().zip(expected) {
            self.control_plane.owner().wait_for_version(name, version);
            assert!(host.ok(&format!("{BINARY} --version")).contains(version), "{name}");
        }
    }
}

#[test]
fn a_plan_takes_a_fleet_forward_wave_by_wave_and_a_bad_release_reaches_only_its_canary() {
    for suite in Suite::chosen() {
        let fleet = Fleet::at_1_0_0(suite, &["canary-1", "standard-1", "standard-2"]);
        let owner = fleet.control_plane.owner();
        for version in ["1.0.0", "1.1.0"] {
            owner.publish(version, &builds::agent(version));
        }
        let plan = fleet.apply("1.1", &json!({}));
        assert_eq!(plan.target_version.to_string(), "1.1.0", "the beginning of a version is enough");
        let done = fleet.wait_for_end(&plan, PlanState::Completed);
        fleet.run(&["1.1.0"; 3]);
        let began: Vec<_> = done.waves.iter().map(|wave| (wave.began_at, wave.passed_at)).collect();
        assert!(began[0].1 <= began[1].0, "the second began after the first had passed: {began:?}");

        let bad = faulty_release("1.2.0", Fault::CrashLoop);
        owner.publish("1.2.0", &bad);
        let plan = fleet.apply("1.2.0", &json!({}));
        let halted = fleet.wait_for_end(&plan, PlanState::Halted);
        let states: Vec<_> = halted.waves.iter().map(|wave| wave.state).collect();
        assert_eq!(states, [WaveState::Halted, WaveState::Pending], "{halted:#?}");
        assert!(halted.reason.contains("canary-1"), "{}", halted.reason);
        fleet.run(&["1.1.0"; 3]);

        let back: FleetPlan = owner
            .post(&format!("fleet/plans/{}/rollback", done.id), &json!({"reason": "back to where we were"}));
        assert_eq!(back.state, PlanState::RollingBack);
        fleet.wait_for_end(&back, PlanState::RolledBack);
        fleet.run(&["1.0.0"; 3]);
    }
}
