//! `preflight` and `explain` on real systemd hosts with real faults: each is named by its own check, and only what
//! stops an upgrade is called so.

use std::io::Write as _;

use novacula_lab::scene::{AGENT, BINARY, CONFIG, DATA_DIR, TRIAL_TIMER};
use novacula_lab::scripted::{Scripted, reply_with};
use novacula_lab::{Scene, Suite, builds};
use novacula_protocol::Stage;
use novacula_protocol::sync::PreflightResult;

/// The agent from elsewhere: on a file system that forbids programs it could not be asked.
const CARRIED_IN: &str = "/root/novacula-agent";
const BIN: &str = "/opt/novacula/bin";

fn scene(suite: Suite) -> Scene {
    let scene = Scene::with_agent(suite, "1.0.0");
    scene.host.ok(&format!("cp {BINARY} {CARRIED_IN}"));
    scene
}

fn checks(scene: &Scene) -> Vec<PreflightResult> {
    let asked = scene.host.sh(&format!("{CARRIED_IN} preflight --json"));
    let checks: Vec<PreflightResult> =
        serde_json::from_str(&asked.stdout).unwrap_or_else(|e| panic!("{e}: {asked:?}"));
    let expected = if checks.iter().all(|check| check.ok) { 0 } else { 1 };
    assert_eq!(asked.code, expected, "{asked:?}");
    checks
}

/// Exactly these checks fail; the sentence of the first.
#[track_caller]
fn fails(scene: &Scene, expected: &[&str]) -> String {
    let failed: Vec<_> = checks(scene).into_iter().filter(|check| !check.ok).collect();
    let names: Vec<_> = failed.iter().map(|check| check.check.as_str()).collect();
    assert_eq!(names, expected, "{failed:#?}");
    let text = scene.host.sh(&format!("{CARRIED_IN} preflight")).stdout;
    for check in &failed {
        assert!(text.contains(&format!("\nFAIL  {:<18} ", check.check)), "{text}");
    }
    failed.into_iter().next().map(|check| check.note).unwrap_or_default()
}

fn explained(scene: &Scene) -> serde_json::Value {
    let text = scene.host.ok(&format!("{CARRIED_IN} explain --json"));
    serde_json::from_str(&text).expect("explain --json prints JSON")
}

#[track_caller]
fn is_stopped_by(scene: &Scene, rule: &str) {
    let explained = explained(scene);
    assert_eq!(explained["rule"], rule, "{explained:#}");
}

/// Nothing is stopped, and the check is mentioned all the same.
#[track_caller]
fn is_not_stopped_by(scene: &Scene, check: &str) {
    let explained = explained(scene);
    assert!(explained["rule"].is_null(), "{explained:#}");
    let sentence = explained["sentence"].as_str().unwrap_or_default();
    assert!(sentence.contains(&format!("worth mending all the same: {check}")), "{explained:#}");
}

#[test]
fn every_check_passes_on_a_host_in_order_and_is_documented_by_its_name() {
    for suite in Suite::chosen() {
        let scene = scene(suite);
        let checks = checks(&scene);
        assert!(checks.iter().all(|check| check.ok && !check.note.is_empty()), "{checks:#?}");
        for (page, text) in [
            ("protocol.md", include_str!("../docs/protocol.md")),
            ("operations.md", include_str!("../docs/operations.md")),
        ] {
            for check in &checks {
                assert!(text.contains(&format!("`{}`", check.check)), "{page}: {}", check.check);
            }
        }
        assert!(explained(&scene)["rule"].is_null());
    }
}

#[test]
fn a_file_system_without_inodes_is_named_and_refuses_an_upgrade_by_its_own_sentence() {
    for suite in Suite::chosen() {
        let scene = scene(suite);
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        scene.host.ok(&format!(
            "mount -t tmpfs -o mode=755,size=100m,nr_inodes=10 few {BIN} && cp {CARRIED_IN} {BINARY} && systemctl restart \
             {AGENT}"
        ));
        let sentence = fails(&scene, &["inodes"]);
        assert!(sentence.contains(&format!("{BIN} must have 16 inodes free, it has 8")), "{sentence}");
        is_stopped_by(&scene, "inodes");
        let ended = scene.upgrade_to("1.1.0");
        let error = ended.error.expect("a refusal says why");
        assert_eq!((ended.stage, error.code.as_str()), (Stage::Failed, "disk_full"));
        assert_eq!(error.message, sentence.split_once(": ").map_or(&*sentence, |(_, message)| message));
    }
}

#[test]
fn records_without_room_refuse_an_upgrade_before_its_first_byte() {
    for suite in Suite::chosen() {
        let scene = scene(suite);
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        scene.host.ok(&format!(
            "mount -t tmpfs -o mode=700,size=2m little {DATA_DIR} && systemctl restart {AGENT}"
        ));
        let sentence = fails(&scene, &["disk_space"]);
        assert!(sentence.contains(&format!("{DATA_DIR} must have 4194304 bytes free")), "{sentence}");
        is_stopped_by(&scene, "disk_space");
        let ended = scene.upgrade_to("1.1.0");
        assert_eq!(ended.stage, Stage::Failed);
        assert_eq!(ended.error.expect("a refusal says why").code, "disk_full");
        assert_eq!(scene.host.ok(&format!("ls -A {BIN}")), "novacula-agent");
    }
}

#[test]
fn a_file_system_that_forbids_programs_is_named() {
    for suite in Suite::chosen() {
        let scene = scene(suite);
        scene.host.ok(&format!("mount --bind {BIN} {BIN} && mount -o remount,bind,noexec {BIN}"));
        let sentence = fails(&scene, &["noexec", "executable"]);
        assert!(sentence.contains(&format!("{BIN} must allow programs, it is mounted noexec")), "{sentence}");
        is_stopped_by(&scene, "noexec");
    }
}

#[test]
fn a_read_only_file_system_is_told_from_one_that_belongs_to_somebody_else() {
    for suite in Suite::chosen() {
        let scene = scene(suite);
        for directory in [BIN, DATA_DIR] {
            scene
                .host
                .ok(&format!("mount --bind {directory} {directory} && mount -o remount,bind,ro {directory}"));
            let sentence = fails(&scene, &["read_only", "writable"]);
            assert!(sentence.contains(&format!("{directory} must be on")), "{sentence}");
            assert!(sentence.contains("it is mounted read-only"), "{sentence}");
            is_stopped_by(&scene, "read_only");
            scene.host.ok(&format!("umount {directory}"));
        }
        scene.host.ok(&format!("chown 1000 {DATA_DIR}"));
        let sentence = fails(&scene, &["writable"]);
        assert!(sentence.contains("must belong to user 0"), "{sentence}");
        is_stopped_by(&scene, "writable");
    }
}

#[test]
fn a_binary_that_belongs_to_a_package_is_named_and_stops_no_upgrade() {
    for suite in Suite::chosen() {
        let scene = scene(suite);
        let control = "Package: somebody\nVersion: 1\nArchitecture: all\nMaintainer: somebody <somebody@example.com>\n\
                       Description: owns the binary\n";
        scene.host.put("/root/package/DEBIAN/control", control.as_bytes(), 0o644);
        scene.host.ok(&format!(
            "install -D {CARRIED_IN} /root/package{BINARY} && dpkg-deb --build /root/package /root/package.deb && \
             dpkg --install /root/package.deb"
        ));
        let sentence = fails(&scene, &["package_ownership"]);
        assert!(sentence.contains("must belong to no package"), "{sentence}");
        assert!(sentence.contains("dpkg says that it does"), "{sentence}");
        is_not_stopped_by(&scene, "package_ownership");
    }
}

#[test]
fn units_that_are_old_stop_no_upgrade_and_units_that_look_elsewhere_do() {
    for suite in Suite::chosen() {
        let scene = scene(suite);
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        let timer = format!("/etc/systemd/system/{TRIAL_TIMER}");
        scene.host.ok(&format!("echo '# of an older version' >>{timer} && systemctl daemon-reload"));
        let sentence = fails(&scene, &["units_current"]);
        assert!(
            sentence.contains(&format!("{timer} was changed by somebody; `install` writes them anew")),
            "{sentence}"
        );
        is_not_stopped_by(&scene, "units_current");
        assert_eq!(scene.upgrade_to("1.1.0").stage, Stage::Completed);

        scene.host.ok(&format!("sed -i 's#{DATA_DIR}#/srv/elsewhere#' {timer} && systemctl daemon-reload"));
        let sentence = fails(&scene, &["units", "units_current"]);
        assert!(sentence.contains("they look elsewhere"), "{sentence}");
        is_stopped_by(&scene, "units");
        scene.host.ok(&format!("rm {timer} && systemctl daemon-reload"));
        fails(&scene, &["units", "units_current"]);
        is_stopped_by(&scene, "units");
        scene.agent("install");
        fails(&scene, &[]);
    }
}

#[test]
fn a_clock_that_is_off_is_named_and_stops_no_upgrade() {
    for suite in Suite::chosen() {
        let mut scene = scene(suite);
        // Hosts of the laboratory share one clock: so it is the control plane that says another time.
        let control_plane = Scripted::start(Box::new(|_head, connection| {
            reply_with(connection, "200 OK", "date: Wed, 01 Jan 2020 00:00:00 GMT\r\n", b"ok\n");
            let _ = connection.flush();
        }));
        scene.host.ok(&format!("cp {CONFIG} /root/agent.toml"));
        scene.host.ok(&format!("sed -i 's|^url = .*|url = \"{}\"|' {CONFIG}", control_plane.url()));
        let sentence = fails(&scene, &["clock"]);
        assert!(
            sentence.contains("must agree with the control plane's to within five minutes"),
            "{sentence}"
        );
        assert!(sentence.contains(" s fast;"), "{sentence}");
        is_not_stopped_by(&scene, "clock");

        scene.host.ok(&format!("cp /root/agent.toml {CONFIG}"));
        fails(&scene, &[]);
        scene.control_plane.stop();
        let sentence = fails(&scene, &["control_plane", "clock"]);
        assert!(sentence.contains("must answer at /healthz, it does not"), "{sentence}");
        assert!(sentence.contains("cannot be reached"), "the cause is told: {sentence}");
        is_stopped_by(&scene, "control_plane");
    }
}
