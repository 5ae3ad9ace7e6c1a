//! Tells the agent which target it is built for, since a release must be signed for the same, and where the units are
//! that it brings: in `systemd/`, or where `NOVACULA_UNITS_DIR` says.

#![expect(clippy::disallowed_methods, reason = "a build script reads its environment")]

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NOVACULA_UNITS_DIR");
    println!("cargo::rustc-env=NOVACULA_TARGET={}", var("TARGET").expect("cargo sets TARGET"));
    let own = || format!("{}/systemd", var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    println!("cargo::rustc-env=NOVACULA_UNITS={}", var("NOVACULA_UNITS_DIR").unwrap_or_else(|_| own()));
}
