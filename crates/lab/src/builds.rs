//! Real builds of what we ship, as many versions of it as a test wants.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::checkout;
use crate::guard::Guarded;
use crate::install::install;
use crate::lock::Lock;
use crate::signing::{self, Trust};

/// The triple that releases of the laboratory are built and signed for: static, so that one build runs on every
/// suite. Where the compiler cannot build static programs it is the triple of this machine.
pub fn target() -> &'static str {
    static TARGET: OnceLock<String> = OnceLock::new();
    TARGET.get_or_init(|| {
        let wanted = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        if can_build_for(&wanted) {
            return wanted;
        }
        eprintln!("lab: adding the Rust target {wanted}");
        let added = Command::new("rustup").args(["target", "add", &wanted]).stdin(Stdio::null()).status();
        if added.is_ok_and(|status| status.success()) && can_build_for(&wanted) {
            return wanted;
        }
        let fallback = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        eprintln!("lab: {wanted} is not to be had; releases are built for {fallback} instead");
        fallback
    })
}

/// The agent, built as this version.
#[must_use]
pub fn agent(version: &str) -> PathBuf {
    agent_trusting(Trust::Both, version)
}

/// The agent, built as this version with these keys.
#[must_use]
pub fn agent_trusting(trust: Trust, version: &str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    let mark = match trust {
        Trust::Both => "",
        Trust::First => "-trusts-first",
        Trust::Next => "-trusts-next",
    };
    let build = || Recipe { mark, keys: trust.folder(), ..Recipe::of(version) }.build();
    built.entry(format!("{version}{mark}")).or_insert_with(build).clone()
}

/// The agent as it ships, built as this version: small and slow to build, for those who measure.
#[must_use]
pub fn shipped_agent(version: &str) -> PathBuf {
    Recipe { mark: "-agent", profile: "agent", ..Recipe::of(version) }.build()
}

/// A service with nothing but what every service needs, beside which the agent is measured.
#[must_use]
pub fn bare_service() -> PathBuf {
    let program = checkout::lab().join("bare");
    single_file(&checkout::root().join("crates/lab/src/bin/bare.rs"), &program);
    program
}

/// The agent, built as this version with other units: its service takes [`OTHER_START_LIMIT`] to start, and every unit
/// has a line more.
#[must_use]
pub fn agent_with_other_units(version: &str) -> PathBuf {
    static BUILT: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let units = checkout::lab().join("other-units");
    fs::create_dir_all(&units).expect("the laboratory has a folder");
    for unit in fs::read_dir(own_units()).expect("systemd/ can be read") {
        let unit = unit.expect("systemd/ can be read");
        let text = fs::read_to_string(unit.path()).expect("a unit is text");
        let text = text.replace("TimeoutStartSec=30\n", &format!("TimeoutStartSec={OTHER_START_LIMIT}\n"));
        let place = units.join(unit.file_name());
        let text = format!("# Other units.\n{text}");
        if !fs::read_to_string(&place).is_ok_and(|before| before == text) {
            fs::write(place, text).expect("the laboratory can be written");
        }
    }
    Recipe { mark: "-other-units", units, ..Recipe::of(version) }.build()
}

/// `TimeoutStartSec=` of [`agent_with_other_units`].
pub const OTHER_START_LIMIT: &str = "25s";

/// The control plane.
#[must_use]
pub fn control_plane() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_for_this_machine("novacula-control-plane")).clone()
}

/// The command line of release engineers and sysadmins.
#[must_use]
pub fn novactl() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_for_this_machine("novactl")).clone()
}

/// The hash of some bytes, as the protocol writes it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    checkout::hex(&Sha256::digest(bytes))
}

/// Compiles a program of one file without dependencies for [`target`].
pub(crate) fn single_file(source: &Path, program: &Path) {
    let compiled = Command::new("rustc")
        .args(["--edition=2024", "--target", target(), "-Copt-level=1", "-Cpanic=abort", "-Cstrip=symbols"])
        .arg("-o")
        .arg(program)
        .arg(source)
        .stdin(Stdio::null())
        .output()
        .expect("rustc is installed");
    assert!(
        compiled.status.success(),
        "{} compiles: {}",
        source.display(),
        String::from_utf8_lossy(&compiled.stderr)
    );
}

fn own_units() -> PathBuf {
    checkout::root().join("systemd")
}

/// What an agent is built of.
struct Recipe<'a> {
    version: &'a str,
    /// What tells its file from others of this version.
    mark: &'a str,
    profile: &'a str,
    keys: PathBuf,
    units: PathBuf,
}

impl<'a> Recipe<'a> {
    fn of(version: &'a str) -> Self {
        Self { version, mark: "", profile: "lab", keys: Trust::Both.folder(), units: own_units() }
    }

    fn build(&self) -> PathBuf {
        let Self { version, mark, profile, keys, units } = self;
        let place = checkout::lab().join("agents").join(format!("{version}{mark}"));
        let noted = checkout::beside(&place, "inputs");
        let _lock = build_lock();
        let inputs = fingerprint(&[Path::new("src"), units, Path::new("crates/protocol"), keys]);
        if place.exists() && fs::read_to_string(&noted).is_ok_and(|before| before == inputs) {
            return place;
        }
        eprintln!("lab: building the agent {version}{mark} for {}", target());
        cargo(
            cargo_build()
                .args(["--profile", profile, "--package", "novacula-agent", "--bin", "novacula-agent"])
                .args(["--target", target()])
                .env("NOVACULA_KEYS_DIR", keys)
                .env("NOVACULA_UNITS_DIR", units)
                .env("NOVACULA_BUILD_VERSION", version),
        );
        let built = build_folder().join(target()).join(profile).join("novacula-agent");
        install(&fs::read(&built).expect("what was built can be read"), &place, 0o755);
        fs::write(&noted, inputs).expect("what it was built from can be noted");
        place
    }
}

fn build_for_this_machine(program: &str) -> PathBuf {
    let _lock = build_lock();
    // The whole workspace is named so that features resolve as they do for `cargo test --workspace`: what the two
    // have in common is then compiled once.
    cargo(cargo_build().args(["--workspace", "--bin", program]));
    build_folder().join("debug").join(program)
}

fn build_lock() -> Lock {
    Lock::wait(&checkout::lab().join("build.lock"))
}

/// Apart from what a developer builds: these programs trust the throw-away key.
fn build_folder() -> PathBuf {
    checkout::lab().join("build")
}

fn cargo_build() -> Command {
    let mut command = Command::new("cargo");
    command
        .args(["build", "--quiet", "--locked"])
        .current_dir(checkout::root())
        .env("CARGO_TARGET_DIR", build_folder())
        .env("NOVACULA_KEYS_DIR", signing::trusted_keys())
        .env_remove("NOVACULA_BUILD_VERSION")
        .env_remove("NOVACULA_UNITS_DIR")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    command
}

fn cargo(command: &mut Command) {
    let (built, said) = Guarded::run(command);
    assert!(built, "cargo builds what is tested:\n{said}");
}

fn can_build_for(target: &str) -> bool {
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output();
    asked.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).exists())
}

/// One hash over everything a build depends on; relative paths are below the checkout.
fn fingerprint(inputs: &[&Path]) -> String {
    let mut files = ["Cargo.toml", "Cargo.lock", "build.rs"].map(PathBuf::from).to_vec();
    let mut folders: Vec<PathBuf> = inputs.iter().map(|input| input.to_path_buf()).collect();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(checkout::root().join(&folder));
        for entry in entries.unwrap_or_else(|e| panic!("{} can be read: {e}", folder.display())) {
            let path = folder.join(entry.expect("a folder can be read").file_name());
            if checkout::root().join(&path).is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let bytes = fs::read(checkout::root().join(&file)).unwrap_or_default();
        hash.update(format!("{} {}\n", file.display(), bytes.len()));
        hash.update(&bytes);
    }
    format!("{} {}", target(), checkout::hex(&hash.finalize()))
}
