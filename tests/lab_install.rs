//! Installing, looking, rolling back by hand and removing, on real systemd hosts.

use novacula_lab::scene::{AGENT, BINARY, CONFIG, DATA_DIR, EXECUTOR, PREVIOUS, ROLLBACK, TRIAL_TIMER};
use novacula_lab::{Scene, Suite, builds};
use novacula_protocol::Stage;

const UNITS: [&str; 3] = [AGENT, ROLLBACK, TRIAL_TIMER];
const HASH_UNITS: &str = "sha256sum /etc/systemd/system/novacula-agent*";

#[test]
fn installing_twice_is_installing_once_and_starts_nothing() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent_not_installed(suite, "1.0.0");
        scene.agent("install");
        let first = scene.host.ok(HASH_UNITS);
        scene.agent("install");
        assert_eq!(scene.host.ok(HASH_UNITS), first);
        for unit in UNITS {
            assert_eq!(scene.host.property(unit, "LoadState"), "loaded", "{unit}");
            assert_eq!(scene.host.property(unit, "ActiveState"), "inactive", "{unit}");
        }
        assert_eq!(scene.host.property(AGENT, "UnitFileState"), "enabled");
    }
}

#[test]
fn the_units_hold_nothing_that_systemd_does_not_understand() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent_not_installed(suite, "1.0.0");
        scene.agent("install");
        // What the rollback service runs is there only after the first upgrade.
        scene.host.ok(&format!("cp {BINARY} {PREVIOUS}"));
        // Without the flag, which 247 does not know yet, newer ones forgive what they do not understand.
        let strictly = match scene.host.ok("systemd-analyze --help").contains("--recursive-errors") {
            true => "--recursive-errors=yes",
            false => "",
        };
        for unit in UNITS {
            let verify = format!("systemd-analyze --man=no {strictly} verify /etc/systemd/system/{unit}");
            let checked = scene.host.sh(&verify);
            assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "{unit}");
        }
    }
}

/// What `systemd-analyze security` may find at most; what it finds is explained in the unit.
const EXPOSURE_LIMIT: f64 = 4.0;

#[test]
fn the_agent_is_hardly_exposed() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent_not_installed(suite, "1.0.0");
        scene.agent("install");
        let found = scene.host.ok(&format!("systemd-analyze --no-pager security {AGENT}"));
        let exposure = found.lines().find_map(|line| line.split_once("Overall exposure level for"));
        let exposure = exposure.and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<f64>().ok());
        let exposure = exposure.unwrap_or_else(|| panic!("an exposure is told:\n{found}"));
        assert!(exposure <= EXPOSURE_LIMIT, "{found}");
    }
}

#[test]
fn a_full_disk_does_not_keep_the_agent_from_starting() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        // One inode is the folder itself: nothing can be made in it.
        let full = "mount -t tmpfs -o size=4k,nr_inodes=1 full";
        scene.host.ok(&format!("{full} /tmp && {full} /var/tmp && ! touch /tmp/more"));
        // Comes back only when the agent has said that it is ready.
        scene.host.ok(&format!("systemctl restart {AGENT}"));
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "active");
    }
}

#[test]
fn an_agent_that_is_installed_elsewhere_can_still_upgrade_itself() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent_not_installed(suite, "1.0.0");
        let binary = "/usr/local/bin/novacula-agent";
        scene.host.ok(&format!("mv {BINARY} {binary} && sed -i 's|{DATA_DIR}|/srv/records|' {CONFIG}"));
        scene.host.ok(&format!("{binary} install && systemctl start {AGENT}"));
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        let ended = scene.upgrade_to("1.1.0");
        assert_eq!(ended.stage, Stage::Completed, "{ended:#?}");
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
        assert_eq!(scene.host.ok(&format!("{binary}.prev --version")), "novacula-agent 1.0.0");
    }
}

#[test]
fn an_installed_agent_starts_with_the_host() {
    for suite in Suite::chosen() {
        let mut scene = Scene::with_agent_not_installed(suite, "1.0.0");
        scene.agent("install");
        scene.host.reboot();
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
    }
}

#[test]
fn uninstalling_removes_the_units_and_nothing_else() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let kept = format!("find {BINARY} {CONFIG} {DATA_DIR} -type f | sort");
        let before = scene.host.ok(&kept);
        scene.agent("uninstall");
        assert_eq!(scene.host.ok("find /etc/systemd/system -name 'novacula*'"), "");
        assert_eq!(scene.host.ok(&kept), before);
        scene.host.ok("systemctl daemon-reload");
        let again = scene.host.sh(&format!("{BINARY} uninstall"));
        assert_eq!(again.code, 3, "nothing to do: {again:?}");
    }
}

#[test]
fn a_sysadmin_rolls_a_committed_upgrade_back_by_hand() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let old = scene.sha256(BINARY);
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        assert_eq!(scene.upgrade_to("1.1.0").stage, Stage::Completed);
        let status: serde_json::Value =
            serde_json::from_str(&scene.agent("status --json")).expect("status --json prints JSON");
        assert_eq!(status["version"], "1.1.0");
        assert_eq!(status["previous"]["version"], "1.0.0");
        assert!(status["trial"].is_null(), "{status:#}");

        scene.agent("rollback");
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        assert_eq!(scene.sha256(BINARY), old);
        assert!(scene.agent("status").contains("1.0.0"));
        let again = scene.host.sh(&format!("{BINARY} rollback"));
        assert_eq!(again.code, 3, "nothing to do: {again:?}");
        assert_eq!(scene.upgrade_to("1.1.0").stage, Stage::Completed, "a new upgrade is welcome");
    }
}
