//! Bad releases on purpose: correctly signed, correctly versioned, and no good.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::install::install;
use crate::lock::Lock;
use crate::{builds, checkout};

/// What is wrong with a release. `src/bin/faulty.rs` plays them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Exits with 1 at once.
    CrashLoop,
    /// Ends by SIGABRT at once.
    Abort,
    /// Neither says READY nor ends.
    HangBeforeReady,
    /// Says READY, then never pings the watchdog.
    HangAfterReady,
    /// Exits with 0 at once, which systemd counts as no failure.
    CleanExit,
    /// Says READY, exits with 0 after four seconds.
    CleanExitSlow,
    /// Says READY and pings the watchdog for ever, but never talks to the control plane.
    NeverSync,
    /// When run, makes its own file impossible to run again, then exits with 1.
    UnexecutableAfterSwap,
    /// `--version` prints another version.
    WrongVersion,
    /// `--version` exits with 1.
    NoVersion,
    /// No program at all.
    Garbage,
}

impl Fault {
    /// Its name, as in the trailer.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CrashLoop => "crash-loop",
            Self::Abort => "abort",
            Self::HangBeforeReady => "hang-before-ready",
            Self::HangAfterReady => "hang-after-ready",
            Self::CleanExit => "clean-exit",
            Self::CleanExitSlow => "clean-exit-slow",
            Self::NeverSync => "never-sync",
            Self::UnexecutableAfterSwap => "unexecutable-after-swap",
            Self::WrongVersion => "wrong-version",
            Self::NoVersion => "no-version",
            Self::Garbage => "garbage",
        }
    }
}

/// A release with this version and this fault.
#[must_use]
pub fn faulty_release(version: &str, fault: Fault) -> PathBuf {
    let place = checkout::lab().join("faulty").join(format!("{version}-{}", fault.name()));
    let _lock = Lock::wait(&checkout::lab().join("faulty/lock"));
    // The trailer is what `src/bin/faulty.rs` reads of itself; a loader never looks behind the last segment.
    let trailer = format!("\nnovacula-fault version={version} fault={}\n", fault.name());
    let mut bytes = match fault {
        Fault::Garbage => b"this is no program".repeat(1_000),
        _ => fs::read(program()).expect("the compiled program can be read"),
    };
    bytes.extend_from_slice(trailer.as_bytes());
    install(&bytes, &place, 0o755);
    place
}

fn program() -> &'static PathBuf {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let program = checkout::lab().join("faulty/program");
        builds::single_file(&checkout::root().join("crates/lab/src/bin/faulty.rs"), &program);
        program
    })
}
