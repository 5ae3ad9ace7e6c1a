//! People steer an upgrade of a real agent on real systemd hosts: the words of the control plane, carried out.

use std::time::Duration;

use novacula_lab::scene::{BINARY, CONFIG, EXECUTOR, PREVIOUS};
use novacula_lab::{Scene, Suite, builds, wait_for};
use novacula_protocol::people::{Page, Revision, Upgrade, ValidationState};
use novacula_protocol::spec::Intent;
use novacula_protocol::{Stage, Status};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// Asks for 1.1.0 with what stands in `order` besides.
fn request(scene: &Scene, mut order: Value) -> Upgrade {
    let executor = scene.owner().executor(EXECUTOR).expect("the control plane knows the executor");
    order["targetVersion"] = json!("1.1.0");
    order["healthWindowMs"] = json!(3_000);
    scene.owner().post(&format!("executors/{}/upgrade", executor.id), &order)
}

fn say(scene: &Scene, upgrade: &Upgrade, word: &str, body: &Value) -> Upgrade {
    scene.owner().post(&format!("upgrades/{}/{word}", upgrade.id), body)
}

fn wait_until(scene: &Scene, upgrade: &Upgrade, sentence: &str, is_so: impl Fn(&Upgrade) -> bool) -> Upgrade {
    wait_for(sentence, SOON, || Some(scene.owner().upgrade(&upgrade.id)).filter(&is_so))
}

#[test]
fn an_upgrade_is_tried_out_started_watched_and_completed_by_people() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let old = scene.sha256(BINARY);
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        let upgrade = request(&scene, json!({"confirmStart": "manual", "confirm": "manual"}));
        say(&scene, &upgrade, "validate", &json!({}));
        let tried = wait_until(&scene, &upgrade, "the dry run has ended", |it| {
            it.validation.as_ref().is_some_and(|it| it.state != ValidationState::Running)
        });
        assert_eq!(tried.validation.expect("it was tried").state, ValidationState::Passed);
        assert_eq!((tried.stage, tried.attempt), (Stage::ConfirmStart, 2));
        assert_eq!((scene.sha256(BINARY), scene.sha256(PREVIOUS)), (old, None), "nothing was swapped");

        say(&scene, &upgrade, "start", &json!({}));
        wait_until(&scene, &upgrade, "it waits for a person", |it| it.stage == Stage::ConfirmCompletion);
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
        say(&scene, &upgrade, "complete", &json!({"reason": "the outputs are the same"}));
        let ended = scene.end_of(&upgrade);
        assert_eq!((ended.stage, ended.status), (Stage::Completed, Status::Completed), "{ended:#?}");
    }
}

#[test]
fn a_person_rolls_back_the_last_moment_before_completion_and_later_to_a_revision() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let old = scene.sha256(BINARY);
        for version in ["1.0.0", "1.1.0"] {
            scene.publish(version, &builds::agent(version));
        }
        let upgrade = request(&scene, json!({"confirm": "manual"}));
        wait_until(&scene, &upgrade, "it waits for a person", |it| it.stage == Stage::ConfirmCompletion);
        say(&scene, &upgrade, "rollback", &json!({"reason": "it is slow"}));
        let ended = scene.end_of(&upgrade);
        assert_eq!(ended.stage, Stage::RolledBack, "{ended:#?}");
        assert_eq!(scene.sha256(BINARY), old);
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");

        let again = say(&scene, &upgrade, "retry", &json!({}));
        assert_eq!(again.attempt, 2);
        wait_until(&scene, &upgrade, "it waits for a person", |it| it.stage == Stage::ConfirmCompletion);
        say(&scene, &upgrade, "complete", &json!({}));
        assert_eq!(scene.end_of(&upgrade).stage, Stage::Completed);
        let executor = scene.owner().wait_for_version(EXECUTOR, "1.1.0");

        let path = format!("executors/{}", executor.id);
        let back: Upgrade = scene.owner().post(&format!("{path}/rollback/last-successful"), &json!({}));
        assert_eq!(scene.end_of(&back).stage, Stage::Completed);
        assert_eq!(scene.sha256(BINARY), old);
        let history: Page<Revision> = scene.owner().get(&format!("{path}/revisions"));
        let told: Vec<_> = history.items.iter().map(|it| format!("{} {}", it.version, it.status)).collect();
        assert_eq!(told, ["1.0.0 COMPLETED", "1.1.0 COMPLETED", "1.1.0 ROLLEDBACK", "1.0.0 COMPLETED"]);
    }
}

#[test]
fn a_download_is_paused_continued_and_dropped_without_a_trace() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let old = scene.sha256(BINARY);
        // Slow enough that people come in between.
        scene.host.ok(&format!("sed -i 's/^sync_interval_ms/max_bytes_per_second = 200000\\n&/' {CONFIG}"));
        scene.host.ok("systemctl restart novacula-agent");
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        let upgrade = request(&scene, json!({}));
        let moves = |it: &Upgrade| it.stage == Stage::Download && it.bytes_done > 0;
        wait_until(&scene, &upgrade, "bytes come in", moves);
        say(&scene, &upgrade, "pause", &json!({"reason": "the shop is full"}));
        let paused = wait_until(&scene, &upgrade, "it stands still", |it| it.status == Status::Paused);
        assert_eq!(paused.stage, Stage::Download);
        say(&scene, &upgrade, "continue", &json!({"reason": "the shop is empty"}));
        wait_until(&scene, &upgrade, "it goes on", |it| it.bytes_done > paused.bytes_done);
        say(&scene, &upgrade, "abandon", &json!({"reason": "1.2.0 is out"}));
        let ended = scene.end_of(&upgrade);
        assert_eq!((ended.stage, ended.intent), (Stage::Abandoned, Intent::Abandon), "{ended:#?}");
        assert_eq!(scene.sha256(BINARY), old);
        assert_eq!(scene.host.ok("find /opt/novacula/bin -type f | wc -l"), "1", "no leftovers");
    }
}
