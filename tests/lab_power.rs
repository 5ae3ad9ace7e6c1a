//! Reboots and power cuts in the middle of a trial, on real systemd hosts: nothing of a trial is forgotten.

use std::path::Path;
use std::time::Duration;

use novacula_lab::scene::{AGENT, BINARY, EXECUTOR, TRIAL_TIMER};
use novacula_lab::{Fault, Host, Scene, Suite, builds, faulty_release};
use novacula_protocol::people::Upgrade;
use novacula_protocol::{RefusalCode, Stage};

/// Long enough for a good release to be caught in its trial.
const LONG_WINDOW: Duration = Duration::from_secs(8);
const SHORT_WINDOW: Duration = Duration::from_secs(2);

#[test]
fn a_good_release_completes_across_a_reboot() {
    good_release_completes(Host::reboot);
}

#[test]
fn a_good_release_completes_across_a_power_cut() {
    good_release_completes(cut_and_restore_power);
}

#[test]
fn a_bad_release_is_rolled_back_across_a_reboot() {
    bad_release_is_rolled_back(Host::reboot);
}

#[test]
fn a_bad_release_is_rolled_back_across_a_power_cut() {
    bad_release_is_rolled_back(cut_and_restore_power);
}

#[test]
fn a_crash_loop_that_begins_with_the_boot_is_rolled_back() {
    for suite in Suite::chosen() {
        let mut scene = Scene::with_agent(suite, "1.0.0");
        let bad = faulty_release("1.1.0", Fault::CrashLoop);
        scene.publish("1.1.0", &bad);
        let requested = scene.request_with("1.1.0", SHORT_WINDOW);
        scene.wait_until_in_place(&bad);
        cut_and_restore_power(&mut scene.host);
        assert_back(&scene, &scene.end_of(&requested), RefusalCode::CrashLoop);
    }
}

fn good_release_completes(interrupt: impl Fn(&mut Host)) {
    for suite in Suite::chosen() {
        let (mut scene, requested) = on_trial(suite, &builds::agent("1.1.0"), LONG_WINDOW);
        scene.wait_for_stage(&requested, Stage::CheckHealth);
        interrupt(&mut scene.host);
        let ended = scene.end_of(&requested);
        assert_eq!(ended.stage, Stage::Completed, "{ended:#?}");
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
        scene.wait_until_inactive(TRIAL_TIMER);
    }
}

fn bad_release_is_rolled_back(interrupt: impl Fn(&mut Host)) {
    for suite in Suite::chosen() {
        let (mut scene, requested) =
            on_trial(suite, &faulty_release("1.1.0", Fault::NeverSync), SHORT_WINDOW);
        interrupt(&mut scene.host);
        assert_back(&scene, &scene.end_of(&requested), RefusalCode::NeverSynced);
    }
}

/// A host whose agent has just put this release in place and started it.
fn on_trial(suite: Suite, release: &Path, window: Duration) -> (Scene, Upgrade) {
    let scene = Scene::with_agent(suite, "1.0.0");
    scene.publish("1.1.0", release);
    let requested = scene.request_with("1.1.0", window);
    scene.wait_until_in_place(release);
    scene.wait_until_active(AGENT);
    (scene, requested)
}

#[track_caller]
fn assert_back(scene: &Scene, ended: &Upgrade, reason: RefusalCode) {
    assert_eq!(ended.stage, Stage::RolledBack, "{ended:#?}");
    let error = ended.error.as_ref().expect("a rollback has a reason");
    assert_eq!(error.code, reason.as_str(), "{}", error.message);
    scene.owner().wait_for_version(EXECUTOR, "1.0.0");
    assert_eq!(scene.sha256(BINARY), scene.sha256_of(&builds::agent("1.0.0")));
    scene.wait_until_inactive(TRIAL_TIMER);
}

fn cut_and_restore_power(host: &mut Host) {
    host.power_cut();
    host.boot_again();
}
