use serde_json::{Value, json};

use crate::in_process::{ControlPlane, OWNER, TARGET, reported};
use novacula_protocol::people::Role;

/// A host of the test: what it is called, the key it syncs with, what runs there.
struct Host {
    name: String,
    key: String,
    version: String,
    restarts: u32,
    wave: &'static str,
}

struct Scene {
    control_plane: ControlPlane,
    hosts: Vec<Host>,
}

impl Scene {
    /// Hosts at 1.0.0 by the wave they are labelled for, and a release 1.1.0.
    async fn with(waves: &[(&'static str, usize)]) -> Self {
        let control_plane = ControlPlane::start().await;
        for version in ["1.0.0", "1.1.0"] {
            control_plane.publish(version).await;
        }
        let mut scene = Self { control_plane, hosts: Vec::new() };
        for (wave, count) in waves {
            for number in 0..*count {
                scene.add(wave, &format!("{wave}-{number}")).await;
            }
        }
        scene
    }

    async fn add(&mut self, wave: &'static str, name: &str) {
        let key = self.control_plane.key().await;
        self.hosts.push(Host { name: name.to_owned(), key, version: "1.0.0".to_owned(), restarts: 1, wave });
        self.sync(self.hosts.len() - 1).await;
    }

    fn said(&self, host: usize) -> Value {
        let Host { name, version, restarts, wave, .. } = &self.hosts[host];
        json!({"name": name, "kind": "agent", "currentVersion": version, "target": TARGET, "restarts": restarts,
            "labels": {"wave": wave}})
    }

    /// A sync; what it is asked to do.
    async fn sync(&self, host: usize) -> Value {
        let answer = self.control_plane.sync(&self.hosts[host].key, self.said(host)).await.ok();
        answer["pendingUpgrade"].clone()
    }

    /// Everybody syncs; who is asked for an upgrade.
    async fn all_sync(&self) -> Vec<String> {
        let mut asked = Vec::new();
        for (index, host) in self.hosts.iter().enumerate() {
            if !self.sync(index).await.is_null() {
                asked.push(host.name.clone());
            }
        }
        asked
    }

    fn index(&self, name: &str) -> usize {
        self.hosts.iter().position(|host| host.name == name).unwrap()
    }

    async fn report(&self, host: usize, stage: &str, status: &str) {
        let pending = self.sync(host).await;
        let id = pending["upgradeId"].as_str().unwrap_or_else(|| panic!("nothing is asked of {host}"));
        let mut said = self.said(host);
        said["upgrade"] = reported("", "1.0.0", id, stage, status)["upgrade"].clone();
        said["upgrade"]["attempt"] = pending["attempt"].clone();
        self.control_plane.sync(&self.hosts[host].key, said).await.ok();
    }

    /// The host does what it is asked, and it ends well.
    async fn succeed(&mut self, name: &str) {
        let host = self.index(name);
        let pending = self.sync(host).await;
        self.hosts[host].version =
            pending["targetVersion"].as_str().unwrap_or_else(|| panic!("{name}")).to_owned();
        self.hosts[host].restarts += 1;
        let mut said = self.said(host);
        said["upgrade"] = json!({"upgradeId": pending["upgradeId"], "attempt": pending["attempt"],
            "stage": "COMPLETED", "status": "COMPLETED"});
        self.control_plane.sync(&self.hosts[host].key, said).await.ok();
        self.tick().await;
    }

    async fn fail(&mut self, name: &str) {
        self.report(self.index(name), "ROLLEDBACK", "ROLLEDBACK").await;
        self.tick().await;
    }

    async fn tick(&self) {
        self.control_plane.app.tick().await.unwrap();
    }

    /// So long passes, in which everybody goes on syncing but those named.
    async fn wait_s(&self, seconds: i64, silent: &[&str]) {
        let mut left = seconds;
        while left > 0 {
            let step = left.min(10);
            self.control_plane.wait_ms(step * 1_000);
            for (index, host) in self.hosts.iter().enumerate() {
                if !silent.contains(&host.name.as_str()) {
                    self.sync(index).await;
                }
            }
            self.tick().await;
            left -= step;
        }
    }

    /// Whoever is asked does it, until nobody is asked any more.
    async fn everybody_succeeds(&mut self) {
        loop {
            let asked = self.all_sync().await;
            if asked.is_empty() {
                return;
            }
            for name in asked {
                self.succeed(&name).await;
            }
        }
    }

    async fn apply(&self, waves: Value) -> Value {
        self.control_plane.post("/api/v1/fleet/plans", document("monthly", waves)).await.ok()
    }

    async fn plan(&self) -> Value {
        let listed = self.control_plane.get("/api/v1/fleet/plans").await.ok();
        let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
        self.control_plane.get(&format!("/api/v1/fleet/plans/{id}")).await.ok()
    }

    async fn steer(&self, what: &str, body: Value) -> crate::in_process::Answered {
        let id = self.plan().await["id"].as_str().unwrap().to_owned();
        self.control_plane.post(&format!("/api/v1/fleet/plans/{id}/{what}"), body).await
    }

    /// The state of the plan, and of each wave.
    async fn stands(&self) -> String {
        let plan = self.plan().await;
        let mut all = vec![plan["state"].as_str().unwrap().to_owned()];
        all.extend(plan["waves"].as_array().unwrap().iter().map(|w| w["state"].as_str().unwrap().to_owned()));
        all.join(" ")
    }

    async fn outcomes(&self) -> Vec<String> {
        let id = self.plan().await["id"].as_str().unwrap().to_owned();
        let members = self.control_plane.get(&format!("/api/v1/fleet/plans/{id}/executors")).await.ok();
        let mut all: Vec<_> = members["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| format!("{} {}", it["executorName"].as_str().unwrap(), it["outcome"].as_str().unwrap()))
            .collect();
        all.sort();
        all
    }
}

fn document(name: &str, waves: Value) -> Value {
    json!({"apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": name},
        "spec": {"targetVersion": "1.1.0", "waves": waves}})
}

fn wave(name: &str, more: Value) -> Value {
    let mut wave = json!({"name": name, "clusterSelector": {"matchLabels": {"wave": name}},
        "validation": {"healthCheckDuration": "60s", "automated": true}, "maxInFlight": 1});
    wave.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    wave
}

fn versions(scene: &Scene) -> Vec<&str> {
    scene.hosts.iter().map(|host| host.version.as_str()).collect()
}

#[tokio::test]
async fn waves_go_one_after_the_other_each_after_it_has_soaked() {
    let mut scene = Scene::with(&[("a", 2), ("b", 1)]).await;
    let plan = scene.apply(json!([wave("a", json!({})), wave("b", json!({}))])).await;
    assert_eq!(plan["targetVersion"], "1.1.0");
    assert_eq!(scene.stands().await, "running running pending");
    let waves = scene.plan().await["waves"].clone();
    assert_eq!(waves[0]["reason"], "1 under way, 1 waiting; at most 1 go at once");
    assert_eq!(waves[1]["counts"]["total"], 1, "who would be in it is shown");
    assert_eq!(scene.all_sync().await.len(), 1, "one at once");
    scene.everybody_succeeds().await;
    assert_eq!(scene.stands().await, "running soaking pending");
    scene.wait_s(50, &[]).await;
    assert_eq!(scene.stands().await, "running soaking pending");
    assert_eq!(scene.all_sync().await, [""; 0], "nobody goes before it has soaked");
    scene.wait_s(20, &[]).await;
    assert_eq!(scene.stands().await, "running passed running");
    scene.everybody_succeeds().await;
    scene.wait_s(70, &[]).await;
    assert_eq!(scene.stands().await, "completed passed passed");
    assert_eq!(versions(&scene), ["1.1.0", "1.1.0", "1.1.0"]);
    let told = scene.control_plane.get("/api/v1/activity?target=monthly").await.ok();
    let told: Vec<_> =
        told["items"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "plan.completed",
            "plan.wavePassed",
            "plan.waveBegan",
            "plan.wavePassed",
            "plan.waveBegan",
            "plan.applied"
        ]
    );
}

#[tokio::test]
async fn a_wave_halts_by_itself_and_whoever_has_not_begun_stays_where_it_is() {
    let mut scene = Scene::with(&[("a", 4), ("b", 2)]).await;
    let hook = json!({"url": "https://chat.example/", "events": ["plan.halted", "plan.completed"]});
    let hook = scene.control_plane.post("/api/v1/webhooks", hook).await.ok()["id"].clone();
    scene.apply(json!([wave("a", json!({"maxInFlight": 2})), wave("b", json!({}))])).await;
    let asked = scene.all_sync().await;
    assert_eq!(asked.len(), 2);
    scene.report(scene.index(&asked[0]), "DOWNLOAD", "UNDERWAY").await;
    scene.fail(&asked[0]).await;
    assert_eq!(scene.stands().await, "halted halted pending");
    let plan = scene.plan().await;
    let reason = plan["reason"].as_str().unwrap();
    assert!(reason.contains("wave `a`") && reason.contains("1 of 4 executors failed"), "{reason}");
    scene.wait_s(120, &[]).await;
    assert_eq!(scene.all_sync().await, [""; 0], "the other had not begun, and is not asked any more");
    assert_eq!(scene.stands().await, "halted halted pending");
    assert!(versions(&scene).iter().all(|version| *version == "1.0.0"));
    let path = format!("/api/v1/webhooks/{}/deliveries", hook.as_str().unwrap());
    let alerts = scene.control_plane.get(&path).await.ok();
    let told: Value = serde_json::from_str(alerts["items"][0]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&told["type"], &told["data"]["wave"]),
        (&json!("plan.halted"), &json!("a")),
        "one is alerted"
    );
    assert!(told["data"]["reason"].as_str().unwrap().contains("1 of 4 executors failed"), "{told}");
    let refused = scene.steer("halt", json!({"reason": "again"})).await;
    assert_eq!(refused.problem(), (409, "plan_not_running".to_owned()));

    scene.steer("resume", json!({"reason": "it was the cable"})).await.ok();
    scene.everybody_succeeds().await;
    scene.wait_s(70, &[]).await;
    scene.everybody_succeeds().await;
    scene.wait_s(70, &[]).await;
    assert_eq!(scene.stands().await, "completed passed passed", "those that failed had another turn");
    assert!(versions(&scene).iter().all(|version| *version == "1.1.0"));
}

#[tokio::test]
async fn the_executors_of_a_failed_wave_go_back_and_nobody_else_does() {
    let mut scene = Scene::with(&[("a", 1), ("b", 3), ("c", 1)]).await;
    let rolling = json!({"rollbackOnFailure": true, "maxInFlight": 1});
    scene.apply(json!([wave("a", json!({})), wave("b", rolling), wave("c", json!({}))])).await;
    scene.everybody_succeeds().await;
    scene.wait_s(70, &[]).await;
    let first = scene.all_sync().await.remove(0);
    scene.succeed(&first).await;
    let second = scene.all_sync().await.remove(0);
    scene.fail(&second).await;
    assert_eq!(scene.stands().await, "rollingBack passed rollingBack pending");
    assert_eq!(
        scene.all_sync().await,
        std::slice::from_ref(&first),
        "only who went forward is asked to go back"
    );
    let pending = scene.sync(scene.index(&first)).await;
    assert_eq!((&pending["targetVersion"], &pending["direction"]), (&json!("1.0.0"), &json!("downgrade")));
    scene.succeed(&first).await;
    assert_eq!(scene.stands().await, "halted passed rolledBack pending");
    let mut expected = vec!["a-0 completed".to_owned()];
    for name in ["b-0", "b-1", "b-2"] {
        let outcome = match name {
            _ if name == first => "rolledBack",
            _ if name == second => "failed",
            _ => "waiting",
        };
        expected.push(format!("{name} {outcome}"));
    }
    assert_eq!(scene.outcomes().await, expected);

    scene.steer("rollback", json!({"reason": "all of it"})).await.ok();
    scene.everybody_succeeds().await;
    assert_eq!(scene.stands().await, "rolledBack rolledBack rolledBack rolledBack");
    assert!(versions(&scene).iter().all(|version| *version == "1.0.0"));
    let over = scene.steer("rollback", json!({"reason": "again"})).await;
    assert_eq!(over.problem(), (409, "plan_not_running".to_owned()));
}

#[tokio::test]
async fn a_rollback_leaves_alone_what_somebody_else_has_changed_since() {
    let mut scene = Scene::with(&[("a", 3)]).await;
    scene.control_plane.publish("1.2.0").await;
    scene.apply(json!([wave("a", json!({"maxInFlight": 3}))])).await;
    scene.everybody_succeeds().await;
    let listed = scene.control_plane.get("/api/v1/executors?name=a-1").await.ok();
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    scene.control_plane.request(&id, "1.2.0").await.ok();
    scene.succeed("a-1").await;
    scene.steer("rollback", json!({"reason": "no good"})).await.ok();
    scene.everybody_succeeds().await;
    assert_eq!(versions(&scene), ["1.0.0", "1.2.0", "1.0.0"]);
    assert_eq!(scene.stands().await, "rolledBack rolledBack");
}

#[tokio::test]
async fn what_is_in_hand_when_a_plan_is_rolled_back_is_steered_back() {
    let mut scene = Scene::with(&[("a", 2)]).await;
    scene.apply(json!([wave("a", json!({"maxInFlight": 2}))])).await;
    scene.report(0, "CHECK_HEALTH", "UNDERWAY").await;
    scene.steer("rollback", json!({"reason": "no good"})).await.ok();
    assert_eq!(scene.sync(0).await["intent"], "rollback");
    assert!(scene.sync(1).await.is_null(), "it had not begun");
    scene.report(0, "ROLLEDBACK", "ROLLEDBACK").await;
    scene.tick().await;
    assert_eq!(scene.outcomes().await, ["a-0 rolledBack", "a-1 waiting"]);
    assert_eq!(scene.stands().await, "rolledBack rolledBack");
    scene.everybody_succeeds().await;
    assert_eq!(versions(&scene), ["1.0.0", "1.0.0"]);
}

#[tokio::test]
async fn a_dead_executor_does_not_hold_the_wave_and_too_many_pause_it() {
    let mut scene = Scene::with(&[("a", 5)]).await;
    scene.wait_s(40, &["a-0"]).await;
    scene.apply(json!([wave("a", json!({"maxInFlight": 5}))])).await;
    scene.everybody_succeeds_but(&["a-0"]).await;
    assert_eq!(scene.outcomes().await[0], "a-0 unreachable");
    assert_eq!(scene.stands().await, "running soaking", "a fifth may be out of reach");
    scene.wait_s(40, &["a-0", "a-1"]).await;
    assert_eq!(scene.stands().await, "paused running", "two of five are too many");
    let plan = scene.plan().await;
    assert!(plan["reason"].as_str().unwrap().contains("2 of 5 executors do not sync"), "{}", plan["reason"]);
    scene.wait_s(10, &["a-0"]).await;
    assert_eq!(scene.stands().await, "running soaking", "it goes on by itself");
    scene.wait_s(40, &["a-0"]).await;
    assert_eq!(scene.stands().await, "running soaking", "the soak counts from when it was healthy again");
    scene.wait_s(30, &["a-0"]).await;
    assert_eq!(scene.stands().await, "completed passed");
}

impl Scene {
    async fn everybody_succeeds_but(&mut self, silent: &[&str]) {
        loop {
            let mut asked = Vec::new();
            for index in 0..self.hosts.len() {
                let name = self.hosts[index].name.clone();
                if !silent.contains(&name.as_str()) && !self.sync(index).await.is_null() {
                    asked.push(name);
                }
            }
            if asked.is_empty() {
                return;
            }
            for name in asked {
                self.succeed(&name).await;
            }
        }
    }
}

#[tokio::test]
async fn an_executor_that_falls_silent_before_it_begins_gives_its_place_to_the_next() {
    let mut scene = Scene::with(&[("a", 4)]).await;
    scene.apply(json!([wave("a", json!({"maxUnreachable": "50%"}))])).await;
    let first = scene.all_sync().await.remove(0);
    scene.wait_s(40, &[&first]).await;
    let asked: Vec<_> = {
        let mut asked = Vec::new();
        for index in 0..scene.hosts.len() {
            if scene.hosts[index].name != first && !scene.sync(index).await.is_null() {
                asked.push(index);
            }
        }
        asked
    };
    assert_eq!(asked.len(), 1, "the place of the dead one is free");
    scene.everybody_succeeds().await;
    assert!(versions(&scene).iter().all(|version| *version == "1.1.0"), "it came back, and had its turn");
}

#[tokio::test]
async fn canaries_go_first_soak_and_only_then_the_rest() {
    let mut scene = Scene::with(&[("a", 4)]).await;
    scene.apply(json!([wave("a", json!({"canary": 1, "maxInFlight": 4}))])).await;
    assert_eq!(scene.stands().await, "running canary");
    let canary = scene.all_sync().await;
    assert_eq!(canary.len(), 1);
    scene.succeed(&canary[0]).await;
    scene.wait_s(50, &[]).await;
    assert_eq!(scene.all_sync().await, [""; 0]);
    scene.wait_s(20, &[]).await;
    assert_eq!(scene.stands().await, "running running");
    assert_eq!(scene.all_sync().await.len(), 3);
    scene.everybody_succeeds().await;
    scene.wait_s(70, &[]).await;
    assert_eq!(scene.stands().await, "completed passed");
}

#[tokio::test]
async fn a_manual_gate_waits_for_a_person_with_a_reason() {
    let mut scene = Scene::with(&[("a", 1), ("b", 1)]).await;
    let manual = json!({"validation": {"healthCheckDuration": "60s", "automated": false}});
    scene.apply(json!([wave("a", manual), wave("b", json!({}))])).await;
    let early = scene.steer("approve", json!({"reason": "now"})).await;
    assert_eq!(early.problem(), (409, "approval_not_wanted".to_owned()));
    scene.everybody_succeeds().await;
    scene.wait_s(100, &[]).await;
    assert_eq!(scene.stands().await, "running gate pending");
    let told = scene.control_plane.get("/api/v1/activity?action=plan.approvalWanted").await.ok();
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "it is asked for once");
    for (body, expected) in [
        (json!({}), (400, "invalid_request")),
        (json!({"reason": " "}), (400, "reason_required")),
        (json!({"reason": "x", "wave": "z"}), (404, "not_found")),
        (json!({"reason": "x", "wave": "b"}), (409, "approval_not_wanted")),
    ] {
        let refused = scene.steer("approve", body.clone()).await;
        assert_eq!(refused.problem(), (expected.0, expected.1.to_owned()), "{body}");
    }
    scene.steer("approve", json!({"reason": "a quiet day", "wave": "a"})).await.ok();
    assert_eq!(scene.stands().await, "running passed running");
    let gates = scene.plan().await["waves"][0]["gates"].clone();
    let approval = gates.as_array().unwrap().iter().find(|gate| gate["name"] == "approval").unwrap();
    assert_eq!((&approval["outcome"], &approval["by"]), (&json!("pass"), &json!("owner")));
    assert!(approval["message"].as_str().unwrap().contains("a quiet day"), "{approval}");
}

#[tokio::test]
async fn a_gate_can_be_skipped_with_a_role_and_a_reason() {
    let mut scene = Scene::with(&[("a", 2), ("b", 1)]).await;
    scene.apply(json!([wave("a", json!({"maxInFlight": 2})), wave("b", json!({}))])).await;
    scene.fail("a-0").await;
    assert_eq!(scene.stands().await, "halted halted pending");
    let id = scene.plan().await["id"].as_str().unwrap().to_owned();
    let editor = scene.control_plane.somebody(OWNER, "eve", Role::Editor).await;
    let path = format!("/api/v1/fleet/plans/{id}/skip-gate");
    let body = json!({"wave": "a", "gate": "reconciled", "reason": "that host is broken anyway"});
    let by_editor =
        scene.control_plane.call(axum::http::Method::POST, &path, &editor.token, body.to_string()).await;
    assert_eq!(by_editor.problem(), (403, "forbidden".to_owned()));
    for (wave, gate) in [("z", "reconciled"), ("a", "none")] {
        let body = json!({"wave": wave, "gate": gate, "reason": "x"});
        assert_eq!(scene.steer("skip-gate", body).await.problem(), (404, "not_found".to_owned()));
    }
    scene.steer("skip-gate", body).await.ok();
    scene.steer("resume", json!({"reason": "go on"})).await.ok();
    scene.tick().await;
    scene.succeed("a-1").await;
    if let Some(again) = scene.all_sync().await.first().cloned() {
        scene.fail(&again).await;
    }
    scene.wait_s(70, &[]).await;
    assert_eq!(scene.stands().await, "running passed running", "its failure holds nobody up any more");
}

#[tokio::test]
async fn members_are_fixed_when_their_wave_begins() {
    let mut scene = Scene::with(&[("a", 2), ("b", 1)]).await;
    scene.apply(json!([wave("a", json!({"lateArrivers": "next"})), wave("b", json!({}))])).await;
    let leaver = scene.index("a-0");
    scene.hosts[leaver].wave = "elsewhere";
    scene.add("a", "a-late").await;
    scene.everybody_succeeds().await;
    assert_eq!(scene.plan().await["inNoWave"], json!(["a-late"]), "who is left out so far is shown");
    assert_eq!(scene.outcomes().await, ["a-0 completed", "a-1 completed"], "who left stays, who came waits");
    let members = scene.plan().await["id"].as_str().unwrap().to_owned();
    let members = scene.control_plane.get(&format!("/api/v1/fleet/plans/{members}/executors")).await.ok();
    let left = members["items"].as_array().unwrap().iter().find(|it| it["executorName"] == "a-0").unwrap();
    assert_eq!((&left["wave"], &left["waveByLabels"]), (&json!("a"), &Value::Null));
    scene.wait_s(70, &[]).await;
    scene.everybody_succeeds().await;
    let mut expected = ["a-0", "a-1", "a-late", "b-0"].map(|name| format!("{name} completed")).to_vec();
    expected.sort();
    assert_eq!(scene.outcomes().await, expected, "it went with the next wave");
}

#[tokio::test]
async fn late_arrivers_join_or_stay_as_the_wave_says() {
    for (policy, version) in [("join", "1.1.0"), ("never", "1.0.0")] {
        let mut scene = Scene::with(&[("a", 1), ("b", 1)]).await;
        scene.apply(json!([wave("a", json!({"lateArrivers": policy})), wave("b", json!({}))])).await;
        scene.add("a", "a-late").await;
        scene.tick().await;
        for _ in 0..3 {
            scene.everybody_succeeds().await;
            scene.wait_s(70, &[]).await;
        }
        assert_eq!(scene.stands().await, "completed passed passed", "{policy}");
        assert_eq!(scene.hosts[scene.index("a-late")].version, version, "{policy}");
    }
}

#[tokio::test]
async fn who_comes_too_late_to_join_goes_with_the_next_wave() {
    let mut scene = Scene::with(&[("a", 1), ("b", 1), ("c", 1)]).await;
    let waves =
        json!([wave("a", json!({"lateArrivers": "join"})), wave("b", json!({})), wave("c", json!({}))]);
    scene.apply(waves).await;
    scene.everybody_succeeds().await;
    scene.wait_s(70, &[]).await;
    assert_eq!(scene.stands().await, "running passed running pending");
    scene.add("a", "a-late").await;
    for _ in 0..3 {
        scene.everybody_succeeds().await;
        scene.wait_s(70, &[]).await;
    }
    assert_eq!(scene.stands().await, "completed passed passed passed");
    assert_eq!(scene.hosts[scene.index("a-late")].version, "1.1.0");
}

#[tokio::test]
async fn of_two_plans_the_higher_has_the_executor() {
    let mut scene = Scene::with(&[("a", 1)]).await;
    scene.control_plane.publish("1.2.0").await;
    scene.apply(json!([wave("a", json!({}))])).await;
    let mut other = document("urgent", json!([wave("a", json!({}))]));
    other["spec"]["priority"] = json!(1);
    other["spec"]["targetVersion"] = json!("1.2.0");
    scene.control_plane.post("/api/v1/fleet/plans", other).await.ok();
    scene.everybody_succeeds().await;
    assert_eq!(versions(&scene), ["1.2.0"], "one upgrade at a time, and the urgent one counts in the end");
}

#[tokio::test]
async fn the_same_plan_twice_is_one_and_another_of_its_name_is_refused() {
    let scene = Scene::with(&[("a", 1)]).await;
    let first = scene.apply(json!([wave("a", json!({}))])).await;
    let path = "/api/v1/fleet/plans";
    let same = scene.control_plane.post(path, document("monthly", json!([wave("a", json!({}))]))).await;
    assert_eq!((same.status.as_u16(), same.ok()["id"].clone()), (200, first["id"].clone()));
    let other = document("monthly", json!([wave("a", json!({"maxInFlight": 7}))]));
    assert_eq!(
        scene.control_plane.post(path, other.clone()).await.problem(),
        (409, "plan_exists".to_owned())
    );
    let one = format!("{path}/{}", first["id"].as_str().unwrap());
    let running = scene.control_plane.delete(&format!("{one}?reason=x")).await;
    assert_eq!(running.problem(), (409, "plan_running".to_owned()));
    scene.steer("halt", json!({"reason": "wrong"})).await.ok();
    let deleted = scene.control_plane.delete(&format!("{one}?reason=x")).await;
    assert_eq!(deleted.status.as_u16(), 204);
    assert_eq!(scene.control_plane.get(&one).await.problem(), (404, "not_found".to_owned()));
    assert_eq!(scene.control_plane.post(path, other).await.status.as_u16(), 201);
}

#[tokio::test]
async fn a_restart_of_the_control_plane_grants_nothing_twice_and_loses_nothing() {
    let mut scene = Scene::with(&[("a", 3), ("b", 2)]).await;
    scene.apply(json!([wave("a", json!({})), wave("b", json!({}))])).await;
    let first = scene.all_sync().await.remove(0);
    scene.succeed(&first).await;
    let second = scene.all_sync().await;
    let Scene { control_plane, hosts } = scene;
    control_plane.wait_ms(600_000);
    let mut scene = Scene { control_plane: control_plane.restart().await, hosts };
    scene.tick().await;
    assert_eq!(scene.stands().await, "running running pending", "who could not be heard is not dead");
    assert_eq!(scene.all_sync().await, second);
    for _ in 0..2 {
        scene.everybody_succeeds().await;
        scene.wait_s(70, &[]).await;
    }
    assert_eq!(scene.stands().await, "completed passed passed");
    let upgrades = scene.control_plane.get("/api/v1/upgrades?limit=100").await.ok();
    assert_eq!(upgrades["items"].as_array().unwrap().len(), 5, "one each");
}

#[tokio::test]
async fn a_plan_for_a_channel_of_four_eyes_waits_for_somebody_else_once_for_all() {
    let mut scene = Scene::with(&[("a", 2)]).await;
    let channels = json!({"channels": ["stable"]});
    scene
        .control_plane
        .call(axum::http::Method::PUT, "/api/v1/four-eyes", OWNER, channels.to_string())
        .await
        .ok();
    scene.apply(json!([wave("a", json!({"maxInFlight": 2}))])).await;
    assert_eq!(scene.stands().await, "approvalWanted pending");
    assert_eq!(scene.steer("approve", json!({"reason": "me"})).await.problem().1, "own_request");
    let id = scene.plan().await["id"].as_str().unwrap().to_owned();
    let other = scene.control_plane.somebody(OWNER, "eve", Role::Editor).await;
    let path = format!("/api/v1/fleet/plans/{id}/approve");
    let yes = json!({"reason": "looked at it"}).to_string();
    scene.control_plane.call(axum::http::Method::POST, &path, &other.token, yes).await.ok();
    assert_eq!(scene.all_sync().await.len(), 2, "nobody has to approve each upgrade");
    scene.everybody_succeeds().await;
    assert_eq!(versions(&scene), ["1.1.0", "1.1.0"]);
}

#[tokio::test]
async fn a_wave_of_nobody_pauses_and_begins_with_whoever_comes() {
    let mut scene = Scene::with(&[("b", 1)]).await;
    scene.apply(json!([wave("a", json!({"canary": 1})), wave("b", json!({}))])).await;
    assert_eq!(scene.stands().await, "paused running pending");
    scene.wait_s(600, &[]).await;
    assert_eq!(scene.stands().await, "paused running pending", "that nothing failed proves nothing");
    scene.add("a", "a-0").await;
    scene.tick().await;
    assert_eq!(scene.stands().await, "running canary pending");
    scene.everybody_succeeds().await;
    scene.wait_s(140, &[]).await;
    assert_eq!(scene.stands().await, "running passed running");
}

#[tokio::test]
async fn a_canary_that_falls_silent_before_it_begins_is_replaced_and_one_that_has_begun_is_not() {
    let mut scene = Scene::with(&[("a", 5)]).await;
    scene.apply(json!([wave("a", json!({"canary": 1, "maxInFlight": 5}))])).await;
    let first = scene.all_sync().await.remove(0);
    scene.wait_s(40, &[&first]).await;
    assert_eq!(scene.stands().await, "running canary");
    let mut asked = Vec::new();
    for index in 0..scene.hosts.len() {
        if scene.hosts[index].name != first && !scene.sync(index).await.is_null() {
            asked.push(index);
        }
    }
    assert_eq!(asked.len(), 1, "the next goes first");
    scene.report(asked[0], "DOWNLOAD", "UNDERWAY").await;
    let second = scene.hosts[asked[0]].name.clone();
    scene.wait_s(1_200, &[&first, &second]).await;
    assert_eq!(scene.stands().await, "paused canary", "what it fell silent over may be the release");
    scene.wait_s(20, &[]).await;
    assert_eq!(scene.stands().await, "halted halted", "it is back, and its upgrade stands still");
}
