//! Whatever the served description of the API allows or forbids is asked of the real control plane by schemathesis, and
//! every answer must be one that the description names. `make test-api` asks more of it.

#![allow(clippy::disallowed_methods, reason = "a test: the programs it runs are its own")]

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use novacula_lab::{Signer, builds};

#[test]
fn every_answer_of_the_api_is_one_that_its_description_names() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let or = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let ran = Command::new("python3")
        .arg(checkout.join("tests/api/drive.py"))
        .arg("--control-plane")
        .arg(builds::control_plane())
        .arg("--secret-key")
        .arg(Signer::trusted().secret())
        .arg("--schemathesis")
        .arg(checkout.join("target/lab/schemathesis/bin/st"))
        .args(["--examples", &or("NOVACULA_API_EXAMPLES", "5"), "--seed", &or("NOVACULA_API_SEED", "1")])
        .stdin(Stdio::null())
        .output()
        .expect("python3 is installed (tests/prepare.sh)");
    let said = String::from_utf8_lossy(&ran.stdout);
    println!("{said}");
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}
