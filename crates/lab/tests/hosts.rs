//! The hosts of the laboratory keep their own promises, or no test on them means anything.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test of the laboratory may start programs, look at clocks and speak"
)]

use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use novacula_lab::{Host, Suite, wait_for};

const SOON: Duration = Duration::from_secs(20);

fn boot_id(host: &Host) -> String {
    host.ok("systemctl show --property=UserspaceTimestampMonotonic; stat -c %Y.%y /proc/1")
}

#[test]
fn a_host_runs_the_systemd_of_its_suite_and_nothing_that_failed() {
    for suite in Suite::chosen() {
        let begun = Instant::now();
        let host = Host::boot(suite);
        eprintln!("{} is up after {:?}", suite.name(), begun.elapsed());
        let version = host.ok("systemctl --version | head -n 1");
        let expected = match suite {
            Suite::Bullseye => "systemd 247",
            Suite::Bookworm => "systemd 252",
            Suite::Trixie => "systemd 257",
        };
        assert!(version.starts_with(expected), "{version}");
        assert_eq!(host.ok("systemctl --failed --no-legend"), "");
        assert_eq!(host.sh("exit 7").code, 7);
    }
}

#[test]
fn what_is_written_outlives_a_reboot_and_a_power_cut() {
    for suite in Suite::chosen() {
        let mut host = Host::boot(suite);
        host.ok("mkdir -p /opt/a && echo before >/opt/a/file");
        let first = boot_id(&host);
        host.reboot();
        let second = boot_id(&host);
        assert_ne!(first, second, "a reboot starts another systemd");
        assert_eq!(host.ok("cat /opt/a/file"), "before");

        host.ok("echo after >/opt/a/file");
        host.power_cut();
        assert_eq!(host.read("/opt/a/file").as_deref(), Some(&b"after\n"[..]), "readable while it is off");
        host.put("/opt/a/script", b"#!/bin/sh\necho put while off\n", 0o755);
        host.boot_again();
        assert_eq!(host.ok("cat /opt/a/file; /opt/a/script"), "after\nput while off");
        assert!(host.journal("systemd-journald").matches("Journal started").count() >= 3, "three boots");
    }
}

#[test]
fn two_hosts_have_nothing_in_common_but_the_network() {
    let one = Host::boot(Suite::Bookworm);
    let other = one.neighbour(Suite::Bookworm);
    let unit = b"[Service]\nExecStart=/bin/sleep infinity\n";
    for host in [&one, &other] {
        host.put("/etc/systemd/system/same-name.service", unit, 0o644);
        host.ok("systemctl daemon-reload && systemctl start same-name");
    }
    one.ok("systemctl stop same-name && touch /only-here");
    assert_eq!(one.property("same-name", "ActiveState"), "inactive");
    assert_eq!(other.property("same-name", "ActiveState"), "active", "the other host's service goes on");
    assert_eq!(other.read("/only-here"), None);
    assert_ne!(one.ok("cat /etc/machine-id"), other.ok("cat /etc/machine-id"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let port = listener.local_addr().expect("it is bound").port();
    one.ok(&format!("bash -c '</dev/tcp/127.0.0.1/{port}'"));
}

#[test]
fn a_command_that_hangs_is_ended() {
    let host = Host::boot(Suite::Bookworm);
    assert_eq!(host.sh_within(1, "sleep 600").code, 124);
    wait_for("the hanging command is gone", SOON, || {
        host.ok("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").contains("sleep 600").eq(&false).then_some(())
    });
}

#[test]
fn nothing_is_left_of_a_dropped_host() {
    let mut host = Host::boot(Suite::Bookworm);
    let name = host.name().to_owned();
    assert!(traces_of(&name) > 0);
    drop(host);
    assert_eq!(traces_of(&name), 0);

    host = Host::boot(Suite::Bookworm);
    let name = host.name().to_owned();
    host.power_cut();
    drop(host);
    assert_eq!(traces_of(&name), 0, "nor of one that was off");
}

#[test]
fn nothing_is_left_of_a_host_whose_test_was_killed() {
    const PLAY_THE_VICTIM: &str = "NOVACULA_LAB_VICTIM";
    if env::var_os(PLAY_THE_VICTIM).is_some() {
        let host = Host::boot(Suite::Bookworm);
        println!("\nvictim {}", host.name());
        wait_for("somebody kills this process", Duration::from_secs(60), || None::<()>);
    }
    let mut victim = Command::new(env::current_exe().expect("this test has a path"))
        .args(["--exact", "--nocapture", "nothing_is_left_of_a_host_whose_test_was_killed"])
        .env(PLAY_THE_VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test can be started");
    let lines = BufReader::new(victim.stdout.take().expect("its stdout is a pipe")).lines();
    let name = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("victim ").map(str::to_owned))
        .expect("the victim says the name of its host");
    assert!(traces_of(&name) > 0);
    victim.kill().expect("a child of ours can be killed");
    victim.wait().expect("a child of ours can be waited for");
    wait_for("nothing is left", SOON, || (traces_of(&name) == 0).then_some(()));
}

/// How many processes, mounts, control groups and folders carry the name of a host.
fn traces_of(host: &str) -> usize {
    // Bracketed, so that the search does not find itself.
    let pattern = format!("[n]{}", host.strip_prefix('n').expect("names of hosts begin with an n"));
    let search = format!(
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/mountinfo 2>/dev/null | tr '\\0' '\\n' | grep -c '{pattern}'; \
         find /sys/fs/cgroup -maxdepth 3 -name '{pattern}' | wc -l"
    );
    let found = Command::new("sh").args(["-c", &search]).output().expect("sh is there");
    String::from_utf8_lossy(&found.stdout)
        .lines()
        .map(|count| count.trim().parse::<usize>().expect("grep and wc count"))
        .sum()
}
