//! Clocks that disagree by a day, in both directions: expiry is judged by the control plane's, a trial by neither.
//!
//! The host's clock is the machine's and stays as it is, so it is the control plane that is a day ahead or behind.

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::sync::UpgradeReport;
use novacula_protocol::{RefusalCode, Stage};
use serde_json::{Value, json};

use crate::bench::{Agent, NEXT, Release, control_plane, end_of, passed, refused};
use crate::nginx::Nginx;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What this spec comes to when the control plane's clock is off by so much and it expires so long after its now.
fn judged(off: SignedDuration, expires_in: SignedDuration) -> UpgradeReport {
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

/// A download of some seconds whose spec expires after two; afterwards the control plane offers `then`.
fn expires_on_the_way(then: impl FnOnce(Value) -> Value) -> UpgradeReport {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "limit_rate 1m;");
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    let mut spec = release.dry_run(&format!("http://127.0.0.1:{}/artifact", nginx.port()));
    spec["expiresAt"] = json!("2026-01-01T00:00:02Z");
    control_plane.offer(spec.clone());
    control_plane.hears("the download is under way", |sync| {
        sync.upgrade.as_ref().is_some_and(|report| report.bytes_done > 0).then_some(())
    });
    control_plane.offer(then(spec));
    let end = end_of(&control_plane);
    agent.is_untouched();
    end
}

#[test]
fn a_spec_that_expires_during_its_download_is_stale() {
    refused(&expires_on_the_way(|_| Value::Null), RefusalCode::StaleSpec);
}

#[test]
fn a_spec_that_is_offered_again_during_its_download_is_carried_out() {
    // By the control plane's clock it has two seconds left each time.
    passed(&expires_on_the_way(|spec| spec));
}
