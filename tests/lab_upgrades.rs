//! Good releases, and releases that are turned away at the door, on real systemd hosts.

use novacula_lab::scene::{AGENT, BINARY, EXECUTOR, PREVIOUS, TRIAL_TIMER};
use novacula_lab::{Fault, Scene, Signer, Suite, builds, faulty_release};
use novacula_protocol::people::Upgrade;
use novacula_protocol::spec::Direction;
use novacula_protocol::{RefusalCode, Stage};

#[test]
fn a_good_release_is_committed_and_the_old_binary_is_kept() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let old = scene.sha256(BINARY);
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        let ended = scene.upgrade_to("1.1.0");
        assert_committed(&ended);
        assert_eq!((ended.bytes_done, ended.bytes_done), (ended.bytes_total, size_of_agent("1.1.0")));

        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
        assert_eq!(scene.agent("--version"), "novacula-agent 1.1.0");
        assert_eq!(scene.sha256(PREVIOUS), old, "the old binary lies beside the new one");
        scene.wait_until_inactive(TRIAL_TIMER);
        assert_eq!(scene.host.property(AGENT, "NRestarts"), "0", "the new version was started once");
        assert_eq!(scene.host.ok("find /opt/novacula/bin -type f | wc -l"), "2", "no leftovers");
    }
}

#[test]
fn an_upgrade_goes_on_from_what_the_last_one_committed() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        for version in ["1.1.0", "1.2.0"] {
            scene.publish(version, &builds::agent(version));
            assert_committed(&scene.upgrade_to(version));
            scene.owner().wait_for_version(EXECUTOR, version);
        }
        assert_eq!(scene.host.ok(&format!("{PREVIOUS} --version")), "novacula-agent 1.1.0");
    }
}

#[test]
fn a_downgrade_that_a_person_asked_for_is_carried_out() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.1.0");
        scene.publish("1.0.0", &builds::agent("1.0.0"));
        let ended = scene.upgrade_to("1.0.0");
        assert_eq!(ended.direction, Direction::Downgrade);
        assert_committed(&ended);
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        assert_eq!(scene.host.ok(&format!("{PREVIOUS} --version")), "novacula-agent 1.1.0");
    }
}

#[test]
fn a_release_that_does_not_run_here_never_reaches_the_swap() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let (binary, process) = (scene.sha256(BINARY), scene.host.property(AGENT, "MainPID"));
        for (version, fault) in
            [("1.1.0", Fault::Garbage), ("1.2.0", Fault::NoVersion), ("1.3.0", Fault::WrongVersion)]
        {
            scene.publish(version, &faulty_release(version, fault));
            let ended = scene.upgrade_to(version);
            assert_eq!(ended.stage, Stage::Failed, "{fault:?}: {ended:#?}");
            let error = ended.error.expect("a refusal has a reason");
            assert_eq!(error.code, RefusalCode::ExecPreflight.as_str(), "{fault:?}: {}", error.message);
            assert_eq!(scene.sha256(BINARY), binary, "{fault:?}");
        }
        assert_eq!(scene.sha256(PREVIOUS), None, "nothing was swapped");
        assert_eq!(scene.host.property(AGENT, "MainPID"), process, "the agent never stopped");
        assert_eq!(scene.host.ok("ls -A /opt/novacula/bin"), "novacula-agent", "no leftovers");
    }
}

#[test]
fn verify_trusts_the_release_key_and_nobody_else() {
    let scene = Scene::with_agent_not_installed(Suite::Bookworm, "1.0.0");
    let release = builds::agent("1.1.0");
    scene.host.put("/tmp/release", &std::fs::read(&release).expect("the release can be read"), 0o644);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let trusted = Signer::trusted().sign_agent(&release, "1.1.0");
    let stranger = Signer::stranger(folder.path()).sign_agent(&release, "1.1.0");
    for (signature, code) in [(&trusted, 0), (&stranger, 4)] {
        scene.host.put("/tmp/release.minisig", signature.as_bytes(), 0o644);
        let done = scene.host.sh(&format!("{BINARY} verify /tmp/release"));
        assert_eq!(done.code, code, "{done:?}");
    }
}

#[track_caller]
fn assert_committed(ended: &Upgrade) {
    assert_eq!(ended.stage, Stage::Completed, "{ended:#?}");
    assert_eq!(ended.error, None);
}

fn size_of_agent(version: &str) -> u64 {
    std::fs::metadata(builds::agent(version)).expect("a build can be looked at").len()
}
