//! The key that signs releases is exchanged, on real systemd hosts and with the real control plane:
//!
//! | release | trusts | signed by |
//! |---|---|---|
//! | 1.0.0 | first | first |
//! | 2.0.0, the barrier | both | first |
//! | 3.0.0 | both | next |
//! | 3.1.0 | next | next |
//!
//! A new major is how a release engineer makes a barrier: nobody goes around the one before it.

use std::path::PathBuf;

use novacula_lab::scene::{BINARY, EXECUTOR, PREVIOUS};
use novacula_lab::{Fault, Scene, Signer, Suite, Trust, builds, faulty_release};
use novacula_protocol::people::{Upgrade, UpgradeRequest};
use novacula_protocol::{RefusalCode, Stage};

const START: &str = "1.0.0";
const BARRIER: &str = "2.0.0";
const BEYOND: &str = "3.0.0";
const END: &str = "3.1.0";

fn build(version: &str) -> PathBuf {
    let trust = match version {
        START => Trust::First,
        END => Trust::Next,
        _ => Trust::Both,
    };
    builds::agent_trusting(trust, version)
}

/// A host with this release, and all that follow it published.
fn host_at(start: &str) -> Scene {
    let scene = Scene::with_build(Suite::Bookworm, start, &build(start));
    for (version, signer) in [(BARRIER, Signer::trusted()), (BEYOND, Signer::next()), (END, Signer::next())] {
        let release = build(version);
        scene.owner().publish_signed(version, &release, &signer.sign_agent(&release, version));
    }
    scene
}

fn goes_to(scene: &Scene, version: &str) {
    let ended = scene.upgrade_to(version);
    assert_eq!((ended.stage, &ended.error), (Stage::Completed, &None), "{ended:#?}");
    scene.owner().wait_for_version(EXECUTOR, version);
}

/// A release of this version, good but for its signer, is refused and leaves the host as it was.
fn refuses(scene: &Scene, version: &str, signer: &Signer) {
    let release = faulty_release(version, Fault::CleanExit);
    scene.owner().publish_signed(version, &release, &signer.sign_agent(&release, version));
    let before = [BINARY, PREVIOUS].map(|path| scene.sha256(path));
    let ended = scene.upgrade_to(version);
    let code = ended.error.as_ref().map(|error| error.code.as_str());
    assert_eq!((ended.stage, code), (Stage::Failed, Some(RefusalCode::UntrustedKey.as_str())), "{ended:#?}");
    assert_eq!([BINARY, PREVIOUS].map(|path| scene.sha256(path)), before);
}

#[test]
fn a_host_from_before_a_key_rotation_arrives_behind_it_by_way_of_the_barrier() {
    let scene = host_at(START);
    // What only the next key vouches for is no release here, not even where the control plane offers it.
    refuses(&scene, "1.1.0", &Signer::next());

    let executor = scene.owner().executor(EXECUTOR).expect("the control plane knows the executor");
    let offered = executor.available_upgrades.expect("one executor is asked for");
    let direct: Vec<_> = offered
        .iter()
        .filter(|release| release.allowed_as_direct_target)
        .map(|release| release.version.to_string())
        .collect();
    assert_eq!(direct, ["1.1.0", BARRIER], "nothing beyond the barrier is offered");
    let request = UpgradeRequest::to(BEYOND.parse().expect("a version"));
    let asked = scene.owner().try_post::<Upgrade>(&format!("executors/{}/upgrade", executor.id), &request);
    let problem = asked.expect_err("nobody goes around the barrier");
    assert_eq!(problem.code, "release_unreachable");
    assert_eq!(problem.details["reason"], "requires upgrade to 2.x first");

    for version in [BARRIER, BEYOND, END] {
        goes_to(&scene, version);
    }
    // The retired key signs no release any more.
    refuses(&scene, "3.2.0", &Signer::trusted());
}

#[test]
fn hosts_at_and_behind_the_barrier_arrive_as_well() {
    for (start, way) in [(BARRIER, &[BEYOND, END][..]), (BEYOND, &[END])] {
        let scene = host_at(start);
        for version in way {
            goes_to(&scene, version);
        }
        refuses(&scene, "3.2.0", &Signer::trusted());
    }
}
