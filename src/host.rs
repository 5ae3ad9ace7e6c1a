//! What is true of this build and this host, handed down from main.rs so that nothing below reads a clock.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use semver::Version;

use crate::error::Error;

/// What was decided when this binary was built.
#[derive(Clone, Debug)]
pub struct Build {
    /// `NOVACULA_BUILD_VERSION`, or the package's version.
    pub version: Version,
    /// The target triple: releases for any other are refused.
    pub target: &'static str,
    /// `NOVACULA_BUILD_FLOOR`: the lowest version this build may be followed by.
    pub floor: Option<Version>,
}

/// The two clocks. Nothing but what people read is judged by the first.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Wall time; may jump.
    pub wall: fn() -> Timestamp,
    /// Milliseconds since some point of this boot; never jumps, stands still while the host sleeps.
    pub ticks_ms: fn() -> u64,
}

/// The places of this installation.
#[derive(Clone, Debug)]
pub struct Places {
    /// The binary that systemd starts.
    pub binary: PathBuf,
    /// `agent.toml`.
    pub config: PathBuf,
}

impl Places {
    /// The previous binary, beside the current one.
    #[must_use]
    pub fn previous(&self) -> PathBuf {
        previous_of(&self.binary)
    }
}

/// The name of the previous binary of `binary`.
#[must_use]
pub fn previous_of(binary: &Path) -> PathBuf {
    let mut name = binary.as_os_str().to_owned();
    name.push(".prev");
    PathBuf::from(name)
}

/// The installed path of a program that was started as `executable`: itself, or what it is the `.prev` of.
///
/// # Errors
/// The path cannot be known, as when the file was removed under the running program.
pub fn installed_path(executable: &Path) -> Result<PathBuf, Error> {
    let text = executable.to_str().ok_or_else(|| {
        Error::host(format!("the path of the binary must be UTF-8, it is {}", executable.display()))
    })?;
    // The kernel's way of saying that the file was replaced or removed since it was started.
    let text = text.strip_suffix(" (deleted)").unwrap_or(text);
    Ok(PathBuf::from(text.strip_suffix(".prev").unwrap_or(text)))
}

/// Changes with every boot; empty where the kernel does not say.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// A number nobody can foresee, for jitter and for names; not for secrets.
#[must_use]
pub fn dice() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_previous_binary_knows_what_it_is_the_previous_of() {
        let path = |text: &str| installed_path(Path::new(text)).unwrap();
        assert_eq!(path("/opt/a/agent"), Path::new("/opt/a/agent"));
        assert_eq!(path("/opt/a/agent.prev"), Path::new("/opt/a/agent"));
        assert_eq!(path("/opt/a/agent (deleted)"), Path::new("/opt/a/agent"));
        assert_eq!(previous_of(Path::new("/opt/a/agent")), Path::new("/opt/a/agent.prev"));
    }
}
