//! Servers that are slow on purpose end as *not now*, and no sync waits for them.

use std::time::Duration;

use novacula_lab::scripted::Scripted;
use novacula_lab::{poll, wait_for};

use crate::bench::{Agent, LIMIT, Release, control_plane, end_of, passed};
use crate::line::{Fate, Line};
use crate::nginx::Nginx;

/// A download whose first answer drips from this byte on: what the agent says, and the syncs meanwhile.
fn drips_from(byte: usize, pace: Duration, says: &str) {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "");
    let line = Line::to(nginx.port(), &[Fate::Drip(byte, pace)]);
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    control_plane.offer(release.dry_run(&format!("{}/artifact", line.url())));
    let given_up = poll(2 * LIMIT, || (agent.says(says) > 0).then_some(()));
    assert!(given_up.is_some(), "the agent says `{says}`: {}", agent.log());
    assert!(line.carried() < byte + 1_000, "{} bytes came", line.carried());
    passed(&end_of(&control_plane));
    assert!(agent.runs());
    syncs_went_on(&control_plane);
}

/// Whatever a download did, no two syncs were further apart than a few intervals.
fn syncs_went_on(control_plane: &Scripted) {
    let seen = control_plane.syncs_after(0).len();
    wait_for("syncs go on", LIMIT, || (control_plane.syncs_after(seen).len() > 2).then_some(()));
}

#[test]
fn a_download_that_drips_is_given_up_by_its_rate() {
    // A byte each three seconds never stalls; after a minute it is too few.
    drips_from(1_000, Duration::from_secs(3), "bytes in a minute, too few");
}

#[test]
fn an_answer_whose_head_drips_is_given_up() {
    drips_from(20, Duration::from_secs(1), "not now: the artifact cannot be fetched: timeout");
}

#[test]
fn a_sync_whose_answer_drips_does_not_hold_up_the_next() {
    for byte in [20, 150] {
        let control_plane = control_plane();
        let line = Line::to_url(&control_plane.url(), &[Fate::Drip(byte, Duration::from_secs(1))]);
        let mut agent = Agent::new(&line.url());
        agent.start();
        agent.wait_until_it_says("no sync is accepted, trying on");
        agent.wait_until_it_says("the control plane accepts syncs again, after 1 it did not");
        assert!(agent.runs());
    }
}
