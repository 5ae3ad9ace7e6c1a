//! The control plane under its own unit, on real systemd hosts.

use std::time::Duration;

use novacula_lab::{Host, Person, Suite, builds, wait_for};

const UNIT: &str = "novacula-control-plane.service";
const PROGRAM: &str = "/usr/bin/novacula-control-plane";
const STATE: &str = "/var/lib/novacula-control-plane";
/// What systemd gives to `DynamicUser=`.
const DYNAMIC_USERS: std::ops::RangeInclusive<u32> = 61_184..=65_519;
const LIMIT: Duration = Duration::from_secs(30);

/// What stands behind `before` in a line of the journal, the latest if there are several.
fn said(host: &Host, before: &str) -> Option<String> {
    let journal = host.journal(UNIT);
    let line = journal.lines().rev().find_map(|line| line.split_once(before))?;
    Some(line.1.trim().to_owned())
}

fn main_pid(host: &Host) -> String {
    host.property(UNIT, "MainPID")
}

/// Waits until the process that runs now listens; where.
fn url(host: &Host) -> String {
    let listening = format!("[{}]: listening on ", main_pid(host));
    wait_for("it listens", LIMIT, || said(host, &listening))
}

#[test]
fn the_control_plane_runs_in_its_sandbox_comes_back_when_killed_and_ends_cleanly() {
    // The program of this machine does not run on a system that is older.
    for suite in Suite::chosen().into_iter().filter(|suite| suite.name() != "bullseye") {
        let host = Host::boot(suite);
        let program = std::fs::read(builds::control_plane()).expect("it is built");
        host.put(PROGRAM, &program, 0o755);
        let unit = include_bytes!("../crates/control-plane/systemd/novacula-control-plane.service");
        host.put(&format!("/etc/systemd/system/{UNIT}"), unit, 0o644);
        // The hosts of the laboratory share one loopback.
        host.put("/etc/novacula/control-plane.environment", b"PORT=0\n", 0o600);
        host.ok(&format!("systemctl daemon-reload && systemctl enable --now {UNIT}"));
        let token =
            wait_for("it shows the owner's token", LIMIT, || said(&host, "owner token (shown once): "));
        let first = url(&host);
        let _ = Person::new(&first, &token).executor_key("host-1");

        let of_database = host.ok(&format!("stat --format='%u %a' {STATE}/novacula.sqlite"));
        let (owner, mode) = of_database.split_once(' ').expect("two words");
        assert!(DYNAMIC_USERS.contains(&owner.parse().expect("a number")), "owned by {owner}");
        assert_eq!(mode, "600");
        host.ok(&format!("stat --format=%a {STATE}/ | grep -qx 700"));
        host.ok(&format!("{PROGRAM} backup --data-dir {STATE} /root/copy.sqlite"));
        assert_eq!(host.ok("stat --format='%U %a' /root/copy.sqlite"), "root 600");

        let killed = main_pid(&host);
        host.ok(&format!("kill -KILL {killed}"));
        wait_for("systemd has started it again", LIMIT, || {
            let now = main_pid(&host);
            (now != "0" && now != killed).then_some(())
        });
        let _ = Person::new(&url(&host), &token).executor_key("host-2");

        host.ok(&format!("systemctl stop {UNIT}"));
        assert_eq!(host.property(UNIT, "Result"), "success");
        assert_eq!(host.property(UNIT, "ExecMainStatus"), "0");
        let journal = host.journal(UNIT);
        assert!(!journal.contains("not permitted") && !journal.contains("panicked"), "{journal}");

        host.ok(&format!("rm -f {STATE}/novacula.sqlite* && cp /root/copy.sqlite {STATE}/novacula.sqlite"));
        host.ok(&format!("chown -R --reference={STATE}/ {STATE}/ && systemctl start {UNIT}"));
        let keys: serde_json::Value = Person::new(&url(&host), &token).get("executor-keys");
        assert_eq!(keys["items"].as_array().map(Vec::len), Some(1), "as at the backup: {keys}");
    }
}
