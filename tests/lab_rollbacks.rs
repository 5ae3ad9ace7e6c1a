//! Bad releases on real systemd hosts: each ends with the old version running and the reason told.

use novacula_lab::scene::{AGENT, BINARY, DATA_DIR, EXECUTOR, PREVIOUS, ROLLBACK, TRIAL_TIMER};
use novacula_lab::{Fault, Scene, Suite, builds, faulty_release};
use novacula_protocol::people::Upgrade;
use novacula_protocol::{RefusalCode, Stage};

#[test]
fn a_release_that_crashes_at_once_is_rolled_back() {
    is_rolled_back(Fault::CrashLoop, RefusalCode::CrashLoop);
}

#[test]
fn a_release_that_aborts_is_rolled_back() {
    is_rolled_back(Fault::Abort, RefusalCode::CrashLoop);
}

#[test]
fn a_release_that_exits_cleanly_is_rolled_back() {
    is_rolled_back(Fault::CleanExit, RefusalCode::CrashLoop);
}

#[test]
fn a_release_that_says_ready_and_then_exits_cleanly_is_rolled_back() {
    is_rolled_back(Fault::CleanExitSlow, RefusalCode::CrashLoop);
}

#[test]
fn a_release_that_makes_itself_unexecutable_is_rolled_back() {
    is_rolled_back(Fault::UnexecutableAfterSwap, RefusalCode::CrashLoop);
}

#[test]
fn a_release_that_hangs_in_its_start_is_rolled_back() {
    is_rolled_back(Fault::HangBeforeReady, RefusalCode::NeverSynced);
}

#[test]
fn a_release_that_says_ready_and_then_hangs_is_rolled_back() {
    is_rolled_back(Fault::HangAfterReady, RefusalCode::NeverSynced);
}

#[test]
fn a_release_that_runs_but_never_syncs_is_rolled_back() {
    is_rolled_back(Fault::NeverSync, RefusalCode::NeverSynced);
}

#[test]
fn a_release_is_not_blamed_while_nobody_reaches_the_control_plane() {
    for suite in Suite::chosen() {
        let mut scene = Scene::with_agent(suite, "1.0.0");
        let good = builds::agent("1.1.0");
        scene.publish("1.1.0", &good);
        let requested = scene.request("1.1.0");
        scene.wait_until_in_place(&good);
        scene.control_plane.stop();
        scene.wait_for_journal(ROLLBACK, "inconclusive");
        scene.control_plane.start_again();
        let ended = scene.end_of(&requested);
        assert_eq!(ended.stage, Stage::Completed, "{ended:#?}");
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
    }
}

#[test]
fn the_same_attempt_is_never_swapped_in_twice() {
    for suite in Suite::chosen() {
        let mut scene = Scene::with_agent(suite, "1.0.0");
        let old = scene.sha256(BINARY);
        let bad = faulty_release("1.1.0", Fault::CrashLoop);
        scene.publish("1.1.0", &bad);
        // The control plane as it was when nobody had taken the upgrade yet.
        scene.host.ok(&format!("systemctl stop {AGENT}"));
        let requested = scene.request("1.1.0");
        let backup = scene.control_plane.back_up();
        scene.host.ok(&format!("systemctl start {AGENT}"));
        assert_rolled_back(&scene.end_of(&requested), RefusalCode::CrashLoop);

        let offers_again = |scene: &mut Scene, then: &str| {
            scene.control_plane.restore(&backup);
            assert_eq!(
                scene.owner().upgrade(&requested.id).stage,
                Stage::ConfirmStart,
                "it is offered again"
            );
            scene.host.ok(then);
            assert_rolled_back(&scene.end_of(&requested), RefusalCode::CrashLoop);
            assert_eq!(scene.sha256(BINARY), old, "after {then}");
        };
        offers_again(&mut scene, "true");
        offers_again(&mut scene, &format!("systemctl restart {AGENT}"));
        offers_again(&mut scene, &format!("systemctl kill --signal=KILL {AGENT}"));
        scene.control_plane.restore(&backup);
        scene.host.power_cut();
        scene.host.boot_again();
        assert_rolled_back(&scene.end_of(&requested), RefusalCode::CrashLoop);
        let swaps = scene.host.journal(AGENT).matches("1.1.0 is in place, on trial").count();
        assert_eq!(swaps, 1, "swapped in once, offered five times");
    }
}

#[test]
fn the_rollback_service_changes_nothing_without_a_trial() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        rollback_service_changes_nothing(&scene);
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        assert_eq!(scene.upgrade_to("1.1.0").stage, Stage::Completed);
        scene.wait_until_inactive(TRIAL_TIMER);
        rollback_service_changes_nothing(&scene);
        scene.host.ok(&format!("systemctl stop {AGENT}"));
        rollback_service_changes_nothing(&scene);
    }
}

fn rollback_service_changes_nothing(scene: &Scene) {
    let look = format!(
        "systemctl show --property=ActiveState,MainPID,NRestarts {AGENT}; \
         find /opt/novacula {DATA_DIR} -type f -exec sha256sum {{}} + | sort"
    );
    let before = scene.host.ok(&look);
    let started = scene.host.sh(&format!("systemctl start {ROLLBACK}"));
    assert_eq!(started.code, 0, "{started:?}");
    assert_eq!(scene.host.ok(&look), before);
    if scene.host.read(PREVIOUS).is_some() {
        let run = scene
            .host
            .sh(&format!("{PREVIOUS} judge --config /etc/novacula/agent.toml --data-dir {DATA_DIR}"));
        assert_eq!(run.code, 0, "the watcher itself finds nothing to do: {run:?}");
        assert_eq!(scene.host.ok(&look), before);
    }
}

/// Upgrades to a release with this fault: the old binary must come back, sync, and be ready for the next upgrade.
fn is_rolled_back(fault: Fault, reason: RefusalCode) {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let old = scene.sha256(BINARY);
        scene.publish("1.1.0", &faulty_release("1.1.0", fault));
        assert_rolled_back(&scene.upgrade_to("1.1.0"), reason);

        let executor = scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        assert_eq!(executor.pending_upgrade_id, None);
        assert_eq!(scene.sha256(BINARY), old, "the very same binary is back");
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "active");
        scene.wait_until_inactive(TRIAL_TIMER);
        let mode = scene.host.ok(&format!("stat -c '%a %U' {BINARY}"));
        assert_eq!(mode, "755 root");
    }
}

#[track_caller]
fn assert_rolled_back(ended: &Upgrade, reason: RefusalCode) {
    assert_eq!(ended.stage, Stage::RolledBack, "{ended:#?}");
    let error = ended.error.as_ref().expect("a rollback has a reason");
    assert_eq!(error.code, reason.as_str(), "{}", error.message);
}
