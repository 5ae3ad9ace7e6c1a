//! The units travel with the release, a step behind it, on real systemd hosts.

use std::time::Duration;

use novacula_lab::builds::{self, OTHER_START_LIMIT};
use novacula_lab::scene::{AGENT, BINARY, EXECUTOR, ROLLBACK, TRIAL_TIMER};
use novacula_lab::{Scene, Suite, wait_for};
use novacula_protocol::Stage;

const OWN_START_LIMIT: &str = "30s";
/// Long enough to look at a release on trial.
const LONG_WINDOW: Duration = Duration::from_secs(600);

fn unit(name: &str) -> String {
    format!("/etc/systemd/system/{name}")
}

fn start_limit(scene: &Scene) -> String {
    assert_eq!(scene.host.property(AGENT, "NeedDaemonReload"), "no", "systemd knows what stands on disk");
    scene.host.property(AGENT, "TimeoutStartUSec")
}

fn wait_for_start_limit(scene: &Scene, expected: &str) {
    wait_for(&format!("systemd knows TimeoutStartSec={expected}"), Duration::from_secs(30), || {
        (scene.host.property(AGENT, "TimeoutStartUSec") == expected).then_some(())
    });
}

#[test]
fn units_are_refreshed_after_commit_and_reverted_with_a_rollback() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let drop_in = format!("{}.d/site.conf", unit(AGENT));
        scene.host.put(&drop_in, b"[Service]\nEnvironment=SITE=here\n", 0o644);
        scene.host.ok("systemctl daemon-reload");
        let before = [AGENT, ROLLBACK, TRIAL_TIMER].map(|name| scene.host.read(&unit(name)));

        scene.publish("1.1.0", &builds::agent_with_other_units("1.1.0"));
        assert_eq!(scene.upgrade_to("1.1.0").stage, Stage::Completed);
        wait_for_start_limit(&scene, OTHER_START_LIMIT);
        scene
            .host
            .ok("grep -l '^# Other units' /etc/systemd/system/novacula-agent*.*er* | wc -l | grep -qx 3");
        assert!(scene.agent("status").contains("as this version writes them"));
        assert_eq!(scene.host.property(AGENT, "DropInPaths"), drop_in);
        scene.host.ok(&format!("grep -qx Environment=SITE=here {drop_in}"));
        scene.host.ok(&format!("systemctl restart {AGENT}"));
        scene.wait_until_active(AGENT);

        scene.agent("rollback");
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        wait_for_start_limit(&scene, OWN_START_LIMIT);
        wait_for("every unit is back", Duration::from_secs(30), || {
            let now = [AGENT, ROLLBACK, TRIAL_TIMER].map(|name| scene.host.read(&unit(name)));
            (now == before).then_some(())
        });
        assert_eq!(start_limit(&scene), OWN_START_LIMIT);
        assert!(scene.agent("status").contains("as this version writes them"));

        // What was refreshed once judges the next one.
        scene.publish("1.2.0", &builds::agent("1.2.0"));
        assert_eq!(scene.upgrade_to("1.2.0").stage, Stage::Completed);
    }
}

#[test]
fn a_release_on_trial_has_no_say_in_the_units() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let release = builds::agent_with_other_units("1.1.0");
        scene.publish("1.1.0", &release);
        let requested = scene.request_with("1.1.0", LONG_WINDOW);
        scene.wait_until_in_place(&release);
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
        scene.host.ok(&format!("systemctl restart {AGENT}"));
        scene.wait_until_active(AGENT);
        assert_eq!(start_limit(&scene), OWN_START_LIMIT);
        assert!(scene.agent("status").contains("is as another version wrote it"));
        scene.agent("rollback");
        assert_eq!(scene.end_of(&requested).stage, Stage::RolledBack);
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        assert_eq!(start_limit(&scene), OWN_START_LIMIT);
        scene.host.ok("! grep -q 'Other units' /etc/systemd/system/novacula-agent*.*er*");
    }
}

#[test]
fn a_unit_that_a_person_has_changed_is_theirs() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        scene.host.ok(&format!(
            "sed -i 's/TimeoutStartSec=30/TimeoutStartSec=27/' {} && systemctl daemon-reload",
            unit(AGENT)
        ));
        scene.publish("1.1.0", &builds::agent_with_other_units("1.1.0"));
        assert_eq!(scene.upgrade_to("1.1.0").stage, Stage::Completed);
        wait_for("the other units are refreshed", Duration::from_secs(30), || {
            scene
                .host
                .sh(&format!("grep -q '^# Other units' {}", unit(TRIAL_TIMER)))
                .code
                .eq(&0)
                .then_some(())
        });
        assert_eq!(start_limit(&scene), "27s");
        assert!(scene.agent("status").contains("was changed by somebody"));
        scene.agent("install");
        assert_eq!(start_limit(&scene), OTHER_START_LIMIT);
        assert!(scene.agent("status").contains("as this version writes them"));
    }
}

#[test]
fn units_that_systemd_does_not_take_are_taken_back() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        // Whatever the next version's unit says, this host runs another program: the judge would judge nobody.
        let drop_in = format!("{}.d/site.conf", unit(ROLLBACK));
        scene.publish("1.1.0", &builds::agent_with_other_units("1.1.0"));
        let release = builds::agent_with_other_units("1.1.0");
        let requested = scene.request_with("1.1.0", Duration::from_secs(8));
        scene.wait_until_in_place(&release);
        scene.host.put(&drop_in, b"[Service]\nExecStart=\nExecStart=/bin/true\n", 0o644);
        assert_eq!(scene.end_of(&requested).stage, Stage::Completed);
        scene.wait_for_journal(AGENT, "the units stay as they were");
        assert_eq!(start_limit(&scene), OWN_START_LIMIT);
        scene.host.ok("! grep -q 'Other units' /etc/systemd/system/novacula-agent*.*er*");
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "active");
        scene.host.ok(&format!("test -x {BINARY}"));
    }
}
