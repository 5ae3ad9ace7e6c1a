//! What no release is to blame for: things missing, full, held or damaged, on real systemd hosts. The agent outlives
//! all of it.

use std::time::Duration;

use novacula_lab::scene::{AGENT, BINARY, CONFIG, DATA_DIR, EXECUTOR, PREVIOUS, ROLLBACK, TRIAL_TIMER};
use novacula_lab::{Fault, Scene, Suite, builds, faulty_release, wait_for};
use novacula_protocol::{RefusalCode, Stage};

fn refused(scene: &Scene, version: &str, code: RefusalCode) {
    let before = scene.sha256(BINARY);
    let ended = scene.upgrade_to(version);
    let error = ended.error.expect("a refusal says why");
    assert_eq!((ended.stage, error.code.as_str()), (Stage::Failed, code.as_str()), "{}", error.message);
    assert_eq!(scene.sha256(BINARY), before);
    assert_eq!(scene.host.property(TRIAL_TIMER, "ActiveState"), "inactive");
}

#[test]
fn nothing_is_swapped_without_the_units_that_would_roll_it_back() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        scene.host.ok(&format!("rm /etc/systemd/system/{ROLLBACK} && systemctl daemon-reload"));
        refused(&scene, "1.1.0", RefusalCode::UnitsMissing);
    }
}

#[test]
fn nothing_is_swapped_while_the_units_look_at_other_records() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        // A start of the timer would be skipped without an error: its condition looks where nothing is.
        let mend = "s#ConditionPathExists=.*#ConditionPathExists=/srv/elsewhere/trial.json#";
        scene
            .host
            .ok(&format!("sed -i '{mend}' /etc/systemd/system/{TRIAL_TIMER} && systemctl daemon-reload"));
        refused(&scene, "1.1.0", RefusalCode::UnitsMissing);
        scene.agent("install");
        assert_eq!(scene.upgrade_to("1.1.0").stage, Stage::Completed);
    }
}

#[test]
fn an_agent_whose_config_is_away_for_a_while_comes_back_by_itself() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        scene.host.ok(&format!("mv {CONFIG} {CONFIG}.away && systemctl restart {AGENT}"));
        scene.wait_for_journal(AGENT, "waiting until it is mended");
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "active");
        scene.host.ok(&format!("mv {CONFIG}.away {CONFIG}"));
        scene.wait_for_journal(AGENT, "1.0.0 is running, syncing with");
        assert_eq!(scene.host.property(AGENT, "NRestarts"), "0");
    }
}

#[test]
fn an_agent_that_others_restart_and_kill_again_and_again_keeps_running() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        scene.host.ok(&format!("for n in 1 2 3 4 5 6; do systemctl restart {AGENT} || exit; done"));
        for _ in 0..5 {
            let pid = scene.host.property(AGENT, "MainPID");
            scene.host.ok(&format!("kill -KILL {pid}"));
            wait_for("another agent runs in its place", Duration::from_secs(20), || {
                let is_up = scene.host.property(AGENT, "ActiveState") == "active";
                let now = scene.host.property(AGENT, "MainPID");
                (is_up && now != "0" && now != pid).then_some(())
            });
        }
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "active");
    }
}

#[test]
fn a_lock_that_somebody_keeps_costs_no_host_its_agent() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let good = builds::agent("1.1.0");
        scene.publish("1.1.0", &good);
        let requested = scene.request_with("1.1.0", Duration::from_secs(8));
        scene.wait_until_in_place(&good);
        // Longer than the judge waits for a lock before it takes the holder for an agent that hangs.
        scene.host.ok(&format!("setsid -f flock {DATA_DIR}/records.lock sleep 17 >/dev/null 2>&1"));
        scene.wait_for_journal(ROLLBACK, "holds the records' lock");
        assert_eq!(scene.end_of(&requested).stage, Stage::Completed);
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
        scene.wait_until_inactive(TRIAL_TIMER);
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "active");
    }
}

#[test]
fn a_crash_loop_under_a_record_that_nobody_can_read_brings_the_previous_binary_back() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let old = scene.sha256(BINARY);
        let bad = std::fs::read(faulty_release("1.1.0", Fault::CrashLoop)).expect("a release can be read");
        scene.host.ok(&format!("systemctl stop {AGENT} && cp -a {BINARY} {PREVIOUS}"));
        scene.host.put(&format!("{BINARY}.new"), &bad, 0o755);
        scene.host.put(&format!("{DATA_DIR}/trial.json"), b"novacula-record 9\nfrom the future", 0o600);
        scene
            .host
            .ok(&format!("mv {BINARY}.new {BINARY} && systemctl start --no-block {TRIAL_TIMER} {AGENT}"));
        scene.wait_for_journal(ROLLBACK, "the trial record could not be read");
        scene.wait_until_active(AGENT);
        assert_eq!(scene.sha256(BINARY), old);
        assert!(
            scene.host.read(&format!("{DATA_DIR}/trial.json.unreadable")).is_some(),
            "kept for whoever wants to know"
        );
        scene.wait_until_inactive(TRIAL_TIMER);
    }
}

#[test]
fn a_trial_without_its_previous_binary_leaves_what_runs_alone() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let good = builds::agent("1.1.0");
        scene.publish("1.1.0", &good);
        let requested = scene.request_with("1.1.0", Duration::from_secs(600));
        scene.wait_until_in_place(&good);
        scene.host.ok(&format!("cp {BINARY} /tmp/copy && printf x >> /tmp/copy && mv /tmp/copy {PREVIOUS}"));
        let tried = scene.host.sh(&format!("{BINARY} rollback"));
        assert_eq!(tried.code, 1, "{tried:?}");
        assert!(tried.stderr.contains("by hand"), "{tried:?}");
        let ended = scene.end_of(&requested);
        assert_eq!(
            (ended.stage, ended.error.expect("it says why").code.as_str()),
            (Stage::Failed, "host_failure")
        );
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "active");
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
    }
}

#[test]
fn a_held_host_waits_says_why_and_goes_on_when_it_is_let_go() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        scene.agent("hold --reason 'frozen for the audit'");
        assert!(scene.agent("explain").contains("frozen for the audit"));
        assert!(scene.agent("status").contains("frozen for the audit"));
        let requested = scene.request("1.1.0");
        scene.wait_for_journal(AGENT, "not now: this host is held: frozen for the audit");
        let seen = scene.owner().executor(EXECUTOR).and_then(|executor| executor.held);
        assert_eq!(seen.expect("the control plane knows").reason, "frozen for the audit");
        scene.agent("unhold");
        assert_eq!(scene.end_of(&requested).stage, Stage::Completed);
        assert_eq!(scene.host.sh(&format!("{BINARY} unhold")).code, 3);
    }
}

#[test]
fn repair_puts_back_what_was_committed() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        assert_eq!(scene.host.sh(&format!("{BINARY} repair")).code, 3, "nothing to repair");
        let committed = scene.sha256(BINARY);
        scene.host.ok(&format!("cp -a {BINARY} {PREVIOUS}"));
        let other = std::fs::read(builds::agent("1.1.0")).expect("a build can be read");
        scene.host.put(&format!("{BINARY}.new"), &other, 0o755);
        scene.host.ok(&format!("mv {BINARY}.new {BINARY} && systemctl restart {AGENT}"));
        assert!(scene.agent("status").contains("which is not in place"));
        scene.agent("repair");
        assert_eq!(scene.sha256(BINARY), committed);
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
    }
}

#[test]
fn preflight_finds_a_host_in_order_and_names_what_is_not() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let fine = scene.host.sh(&format!("{BINARY} preflight --json"));
        assert_eq!(fine.code, 0, "{fine:?}");
        scene.host.ok(&format!("rm /etc/systemd/system/{TRIAL_TIMER} && systemctl daemon-reload"));
        let found = scene.host.sh(&format!("{BINARY} preflight"));
        assert_eq!(found.code, 1);
        assert!(found.stdout.contains("FAIL  units"), "{found:?}");
        assert!(scene.agent("explain --json").contains("\"rule\":\"units\""));
    }
}
