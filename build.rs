//! Tells the agent which target it is built for: a release must be signed for the same.

#![expect(clippy::disallowed_methods, reason = "a build script reads its environment")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=NOVACULA_TARGET={}", std::env::var("TARGET").expect("cargo sets TARGET"));
}
