//! A control plane that was written from the protocol page alone, in another language, drives the real agent.

#![allow(clippy::disallowed_methods, reason = "a test: the programs it runs are its own")]

use std::path::Path;
use std::process::{Command, Stdio};

use novacula_lab::{Signer, builds};

#[test]
fn an_independent_control_plane_can_drive_the_agent() {
    let ran = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/drive.py"))
        .arg("--agent")
        .arg(builds::agent("1.0.0"))
        .arg("--release")
        .arg(builds::agent("1.1.0"))
        .args(["--release-version", "1.1.0", "--target", builds::target(), "--secret-key"])
        .arg(Signer::trusted().secret())
        .stdin(Stdio::null())
        .output()
        .expect("python3 is installed (tests/prepare.sh)");
    let said = String::from_utf8_lossy(&ran.stdout);
    let missed: Vec<_> = said.lines().filter(|line| line.starts_with("not ok")).collect();
    assert!(
        ran.status.success() && missed.is_empty(),
        "{}\n{}",
        missed.join("\n"),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(
        said.lines().filter(|line| line.starts_with("ok - ")).count() > 200,
        "most checks were skipped:\n{said}"
    );
}
