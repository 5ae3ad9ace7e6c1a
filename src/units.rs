//! The units: what this version wants them to say, what stands on this host, and how the one becomes the other.
//!
//! They travel with the release. What a version of ours wrote, or found as it wants it, is remembered by its hash; only
//! such a unit is ever written anew, once the version that brings another text runs without a trial. A unit that a
//! person has changed is theirs, and so is every drop-in.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::Serialize;

use crate::config::{DEFAULT_CONFIG, DEFAULT_DATA_DIR};
use crate::disk;
use crate::error::Error;
use crate::host::Places;
use crate::systemd::{self, AGENT, ROLLBACK, TRIAL_TIMER};
use crate::upgrade::trial::{NotedUnits, Records};

/// Where units of a sysadmin are, and those that we write; they come before those of a package.
const DIRECTORY: &str = "/etc/systemd/system";
/// The binary as the units in `systemd/` name it.
const DEFAULT_BINARY: &str = "/opt/novacula/bin/novacula-agent";

const TEXTS: [(&str, &str); 3] = [
    (AGENT, include_str!(concat!(env!("NOVACULA_UNITS"), "/novacula-agent.service"))),
    (ROLLBACK, include_str!(concat!(env!("NOVACULA_UNITS"), "/novacula-agent-rollback.service"))),
    (TRIAL_TIMER, include_str!(concat!(env!("NOVACULA_UNITS"), "/novacula-agent-trial.timer"))),
];

/// One unit of this installation.
struct Unit {
    /// As systemd calls it.
    name: &'static str,
    /// What this version wants it to say.
    text: String,
    /// The file that systemd reads, or would read.
    path: PathBuf,
    /// What that file says.
    found: Option<Vec<u8>>,
}

/// How a unit stands to what this version wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// As this version wants it.
    Current,
    /// As another version of ours wrote it.
    OfAnotherVersion,
    /// Changed by somebody else.
    Changed,
    /// Not there.
    Missing,
}

impl Unit {
    /// How it stands.
    fn state(&self, noted: Option<&NotedUnits>) -> State {
        match &self.found {
            None => State::Missing,
            Some(found) if found == self.text.as_bytes() => State::Current,
            Some(found) => {
                let known = noted.and_then(|noted| noted.sha256.get(self.name));
                if known.is_some_and(|known| *known == disk::sha256_of_bytes(found)) {
                    State::OfAnotherVersion
                } else {
                    State::Changed
                }
            }
        }
    }

    /// Lets systemd read this version's text, from where it comes before the unit of a package.
    fn put(&self) -> Result<(), Error> {
        disk::replace(&Path::new(DIRECTORY).join(self.name), self.text.as_bytes(), 0o644)
    }

    /// Lets systemd read what it read before [`Self::put`].
    fn take_back(&self) -> Result<(), Error> {
        let ours = Path::new(DIRECTORY).join(self.name);
        match &self.found {
            Some(found) if self.path == ours => disk::replace(&ours, found, 0o644),
            _ => disk::remove(&ours),
        }
    }
}

/// The units of this installation as they stand.
fn standing(places: &Places, data_dir: &Path) -> Result<Vec<Unit>, Error> {
    let of = |(name, text)| {
        let path = systemd::fragment_path(name).unwrap_or_else(|| Path::new(DIRECTORY).join(name));
        let found = fs::read(&path).ok();
        Unit { name, text, path, found }
    };
    Ok(texts(places, data_dir)?.into_iter().map(of).collect())
}

/// A unit that does not say what this version wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The file that systemd reads, or would read.
    pub path: PathBuf,
    /// How it differs.
    pub state: State,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.state {
            State::Current => "is as this version wants it",
            State::OfAnotherVersion => "is as another version wrote it",
            State::Changed => "was changed by somebody",
            State::Missing => "is missing",
        };
        write!(f, "{} {how}", self.path.display())
    }
}

/// The units that do not say what this version wants.
///
/// # Errors
/// A path of this installation cannot be written into a unit; the record cannot be read.
pub fn drifted(places: &Places, records: &Records) -> Result<Vec<Drift>, Error> {
    let noted = records.units()?;
    let units = standing(places, records.data_dir())?.into_iter();
    let drift = units.map(|unit| Drift { state: unit.state(noted.as_ref()), path: unit.path });
    Ok(drift.filter(|drift| drift.state != State::Current).collect())
}

/// Writes every unit that is not as this version wants it, whoever wrote it; gives their names. Enables them; starts
/// nothing.
///
/// # Errors
/// Says what could not be written or what systemd said.
pub fn install(places: &Places, data_dir: &Path) -> Result<Vec<&'static str>, Error> {
    let mut written = Vec::new();
    for unit in standing(places, data_dir)?.iter().filter(|unit| unit.state(None) != State::Current) {
        unit.put()?;
        written.push(unit.name);
    }
    systemd::systemctl(&["daemon-reload"])?;
    systemd::systemctl(&["enable", AGENT, TRIAL_TIMER])?;
    Ok(written)
}

/// Disables the units and removes those that were not brought by a package; gives their paths.
///
/// # Errors
/// Says what could not be removed or what systemd said.
pub fn uninstall() -> Result<Vec<PathBuf>, Error> {
    let present: Vec<_> = TEXTS
        .iter()
        .map(|(name, _)| Path::new(DIRECTORY).join(name))
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

/// Brings the units that another version of ours left in place to what this version wants, and remembers what is in
/// place; gives the names of those it wrote. For the agent that has no trial: what it wants was proven with it.
///
/// # Errors
/// They cannot be written, or systemd does not take them: then they are as they were.
pub fn refresh(version: &Version, places: &Places, records: &Records) -> Result<Vec<&'static str>, Error> {
    let noted = records.units()?;
    let units = standing(places, records.data_dir())?;
    let state = |unit: &&Unit| unit.state(noted.as_ref());
    let old: Vec<_> = units.iter().filter(|unit| state(unit) == State::OfAnotherVersion).collect();
    if !old.is_empty() {
        let put = old.iter().try_for_each(|unit| unit.put()).and_then(|()| reload(places, records));
        if let Err(e) = put {
            // What cannot be taken back now is taken back by nobody: it is the reason that people must hear.
            old.iter().try_for_each(|unit| unit.take_back())?;
            systemd::systemctl(&["daemon-reload"])?;
            return Err(e);
        }
    }
    let ours = units.iter().filter(|unit| !matches!(state(unit), State::Changed | State::Missing));
    let sha256 =
        ours.map(|unit| (unit.name.to_owned(), disk::sha256_of_bytes(unit.text.as_bytes()))).collect();
    let now = NotedUnits { version: version.clone(), sha256 };
    if noted.as_ref() != Some(&now) {
        records.lock()?.note_units(&now)?;
    }
    Ok(old.iter().map(|unit| unit.name).collect())
}

/// Lets systemd read them, and sees that it still runs this binary and judges with the previous one.
fn reload(places: &Places, records: &Records) -> Result<(), Error> {
    systemd::systemctl(&["daemon-reload"])?;
    if systemd::exec_path(AGENT).as_ref() != Some(&places.binary) {
        return Err(Error::host(format!("{AGENT} must run {}", places.binary.display())));
    }
    systemd::must_judge(&places.previous(), records.data_dir())
}

fn texts(places: &Places, data_dir: &Path) -> Result<Vec<(&'static str, String)>, Error> {
    let replacements = [
        (DEFAULT_BINARY, plain(&places.binary)?),
        (DEFAULT_CONFIG, plain(&places.config)?),
        (DEFAULT_DATA_DIR, plain(data_dir)?),
    ];
    let write =
        |text: &str| replacements.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    Ok(TEXTS.iter().map(|(name, text)| (*name, write(text))).collect())
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
        super::texts(&places, Path::new(data_dir)).unwrap().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn the_units_of_a_standard_installation_are_the_files_in_systemd() {
        let standard: Vec<_> = TEXTS.iter().map(|(_, text)| (*text).to_owned()).collect();
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
                TEXTS[0].1.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
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
