mod back;
mod members;
mod people;
mod silence;
mod upgrades;

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
