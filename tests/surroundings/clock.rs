//! Clocks that disagree by a day, in both directions: expiry is judged by the control plane's, a trial by neither.
//!
//! The host's clock is the machine's and stays as it is, so it is the control plane that is a day ahead or behind.

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::{RefusalCode, Stage};
use serde_json::json;

use crate::bench::{Agent, NEXT, Release, control_plane, end_of, refused};
use crate::nginx::Nginx;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What this spec comes to when the control plane's clock is off by so much and it expires so long after its now.
fn judged(off: SignedDuration, expires_in: SignedDuration) -> novacula_protocol::sync::UpgradeReport {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "");
    let control_plane = control_plane();
    let now = Timestamp::now() + off;
    control_plane.set_clock(now);
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    let mut spec = release.upgrade(&format!("http://127.0.0.1:{}/artifact", nginx.port()));
    spec["expiresAt"] = json!(now + expires_in);
    control_plane.offer(spec);
    let end = end_of(&control_plane);
    if end.stage == Stage::Completed {
        let last = control_plane.syncs_after(0).pop().unwrap();
        assert_eq!(last.current_version.to_string(), NEXT, "the trial is over and the next version runs");
    } else {
        agent.is_untouched();
    }
    end
}

#[test]
fn a_fresh_spec_is_carried_out_and_its_trial_judged_though_the_clocks_are_a_day_apart() {
    for off in [DAY, -DAY] {
        let end = judged(off, HOUR);
        assert_eq!((end.stage, end.error), (Stage::Completed, None), "{off}");
    }
}

#[test]
fn a_spec_that_expired_an_hour_ago_is_stale_though_the_clocks_are_a_day_apart() {
    for off in [DAY, -DAY] {
        refused(&judged(off, -HOUR), RefusalCode::StaleSpec);
    }
}
