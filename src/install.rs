//! The units: written as they stand in `systemd/`, enabled, and removed again.

use std::path::{Path, PathBuf};

use crate::config::{DEFAULT_CONFIG, DEFAULT_DATA_DIR};
use crate::disk;
use crate::error::Error;
use crate::host::Places;
use crate::systemd::{self, AGENT, ROLLBACK, TRIAL_TIMER};

/// Where units are written.
pub const UNIT_DIRECTORY: &str = "/etc/systemd/system";
/// The binary as the units in `systemd/` name it.
const DEFAULT_BINARY: &str = "/opt/novacula/bin/novacula-agent";

const UNITS: [(&str, &str); 3] = [
    (AGENT, include_str!("../systemd/novacula-agent.service")),
    (ROLLBACK, include_str!("../systemd/novacula-agent-rollback.service")),
    (TRIAL_TIMER, include_str!("../systemd/novacula-agent-trial.timer")),
];

/// What `install` did.
#[derive(Debug, PartialEq, Eq)]
pub struct Installed {
    /// Units that were not there or were different.
    pub written: Vec<PathBuf>,
}

/// Writes the units for this installation, reloads systemd and enables them; starts nothing.
///
/// # Errors
/// Says what could not be written or what systemd said.
pub fn install(places: &Places, data_dir: &Path) -> Result<Installed, Error> {
    let mut written = Vec::new();
    for (path, text) in units(places, data_dir)? {
        if disk::replace_if_different(&path, text.as_bytes(), 0o644)? {
            written.push(path);
        }
    }
    systemd::systemctl(&["daemon-reload"])?;
    systemd::systemctl(&["enable", AGENT, TRIAL_TIMER])?;
    Ok(Installed { written })
}

/// Disables and removes the units, and nothing else.
///
/// # Errors
/// Says what could not be removed or what systemd said.
pub fn uninstall() -> Result<Vec<PathBuf>, Error> {
    let present: Vec<_> = UNITS
        .iter()
        .map(|(name, _)| Path::new(UNIT_DIRECTORY).join(name))
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    if present.is_empty() {
        return Ok(present);
    }
    systemd::systemctl(&["disable", AGENT, TRIAL_TIMER])?;
    for path in &present {
        disk::remove(path)?;
    }
    systemd::systemctl(&["daemon-reload"])?;
    Ok(present)
}

/// The units whose text on disk is not the one of this version.
///
/// # Errors
/// A path of this installation cannot be written into a unit.
pub fn drifted(places: &Places, data_dir: &Path) -> Result<Vec<PathBuf>, Error> {
    // A package brings the same units to another directory.
    let differs = |(written, text): (PathBuf, String)| {
        let name = written.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let path = systemd::fragment_path(name).unwrap_or(written);
        (!std::fs::read(&path).is_ok_and(|present| present == text.as_bytes())).then_some(path)
    };
    Ok(units(places, data_dir)?.into_iter().filter_map(differs).collect())
}

fn units(places: &Places, data_dir: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let replacements = [
        (DEFAULT_BINARY, plain(&places.binary)?),
        (DEFAULT_CONFIG, plain(&places.config)?),
        (DEFAULT_DATA_DIR, plain(data_dir)?),
    ];
    let write =
        |text: &str| replacements.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    Ok(UNITS.iter().map(|(name, text)| (Path::new(UNIT_DIRECTORY).join(name), write(text))).collect())
}

// Spaces, quotes, `%` and `$` mean something in a unit file.
fn plain(path: &Path) -> Result<&str, Error> {
    let is_plain = |text: &&str| {
        text.starts_with('/') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+@".contains(&b))
    };
    path.to_str().filter(is_plain).ok_or_else(|| {
        Error::host(format!(
            "{} must be an absolute path of letters, digits and /._-+@ to be written into a unit, it is not",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(binary: &str, data_dir: &str) -> Vec<String> {
        let places = Places { binary: binary.into(), config: DEFAULT_CONFIG.into() };
        units(&places, Path::new(data_dir)).unwrap().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn the_units_of_a_standard_installation_are_the_files_in_systemd() {
        let standard: Vec<_> = UNITS.iter().map(|(_, text)| (*text).to_owned()).collect();
        assert_eq!(texts(DEFAULT_BINARY, DEFAULT_DATA_DIR), standard);
    }

    #[test]
    fn another_place_is_written_everywhere() {
        let all = texts("/srv/agent", "/srv/data").concat();
        assert!(!all.contains(DEFAULT_BINARY) && !all.contains(DEFAULT_DATA_DIR));
        assert!(all.contains("ExecStart=/srv/agent.prev judge"));
        assert!(all.contains("--data-dir /srv/data\n"));
        assert!(all.contains("ConditionPathExists=/srv/data/trial.json"));
    }

    #[test]
    fn a_path_that_means_something_to_systemd_is_refused() {
        for path in ["/srv/with space", "/srv/%i", "/srv/$HOME", "/srv/\"x", "relative"] {
            assert!(plain(Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn the_start_limit_can_be_reached_by_a_release_that_hangs_in_its_start() {
        let seconds = |key: &str| -> f64 {
            let value =
                UNITS[0].1.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
            match value.strip_suffix("ms") {
                Some(ms) => ms.parse::<f64>().unwrap() / 1_000.0,
                None => value.parse().unwrap(),
            }
        };
        let burst = seconds("StartLimitBurst");
        assert!(
            seconds("StartLimitIntervalSec") > burst * (seconds("RestartSec") + seconds("TimeoutStartSec"))
        );
        assert_eq!(burst, f64::from(crate::upgrade::judge::CRASHES));
    }
}
