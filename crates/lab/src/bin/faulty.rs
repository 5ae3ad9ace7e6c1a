//! A release that is signed, has the right version, and is bad. Which version and how bad stands in a last line that
//! `faults.rs` appends to the executable: one program plays every part, and each release has bytes of its own.
//!
//! Depends on the standard library alone: the laboratory compiles this one file with rustc.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a stand-in for an agent, not a part of one"
)]

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{ExitCode, abort};
use std::time::Duration;
use std::{env, fs, thread};

const PROGRAM: &str = "/proc/self/exe";

fn main() -> ExitCode {
    let Some((version, fault)) = part() else {
        eprintln!("faulty: this executable has no trailer that says which part it plays");
        return ExitCode::from(2);
    };
    match env::args().nth(1).as_deref() {
        Some("--version") => say_version(&version, &fault),
        Some("run") => run(&fault),
        _ => {
            eprintln!("faulty: knows `--version` and `run` only");
            ExitCode::FAILURE
        }
    }
}

/// The version and the fault from the last line of this executable.
fn part() -> Option<(String, String)> {
    let bytes = fs::read(PROGRAM).ok()?;
    let end = &bytes[bytes.len().saturating_sub(200)..];
    let text = String::from_utf8_lossy(end);
    let trailer = text.trim_end().lines().last()?.strip_prefix("novacula-fault ")?.to_owned();
    let field = |key: &str| trailer.split(' ').find_map(|word| word.strip_prefix(key)).map(str::to_owned);
    Some((field("version=")?, field("fault=")?))
}

fn say_version(version: &str, fault: &str) -> ExitCode {
    match fault {
        "no-version" => return ExitCode::FAILURE,
        "wrong-version" => println!("novacula-agent 99.0.0"),
        _ => println!("novacula-agent {version}"),
    }
    ExitCode::SUCCESS
}

fn run(fault: &str) -> ExitCode {
    eprintln!("faulty: plays {fault}");
    match fault {
        "abort" => abort(),
        "hang-before-ready" => sleep_for_ever(),
        "hang-after-ready" => {
            notify("READY=1");
            sleep_for_ever()
        }
        "clean-exit" => ExitCode::SUCCESS,
        "clean-exit-slow" => {
            notify("READY=1");
            for _ in 0..8 {
                thread::sleep(Duration::from_millis(500));
                notify("WATCHDOG=1");
            }
            ExitCode::SUCCESS
        }
        "never-sync" => {
            notify("READY=1");
            loop {
                thread::sleep(Duration::from_millis(500));
                notify("WATCHDOG=1");
            }
        }
        "unexecutable-after-swap" => {
            if let Err(e) = fs::read_link(PROGRAM)
                .and_then(|file| fs::set_permissions(file, fs::Permissions::from_mode(0o000)))
            {
                eprintln!("faulty: cannot take its own permissions away: {e}");
            }
            ExitCode::FAILURE
        }
        _ => ExitCode::FAILURE,
    }
}

fn sleep_for_ever() -> ExitCode {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// What `sd_notify(3)` does.
fn notify(state: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    let sent = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&socket),
    }
    .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(e) = sent {
        eprintln!("faulty: cannot tell systemd {state}: {e}");
    }
}
