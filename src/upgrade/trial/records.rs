//! The files in the data directory: versioned, checksummed, replaced as a whole, and changed under a lock only.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use novacula_protocol::sync::Held;
use semver::Version;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::record_file::{self, Found};
use super::{EndedAttempt, Trial};
use crate::disk;
use crate::error::{Doing as _, Error};

const TRIAL: &str = "trial.json";
const ATTEMPTS: &str = "attempts.json";
const FLOOR: &str = "floor.json";
const STARTS: &str = "starts.json";
const DOWNLOAD: &str = "download.json";
const HOLD: &str = "hold.json";
const COMMITTED: &str = "committed.json";
const UNITS: &str = "units.json";
const CREDENTIALS: &str = "credentials.json";

/// Refused attempts that never touched the binary are forgotten beyond this many; swapped ones never are.
const REFUSALS_KEPT: usize = 200;

#[derive(Default, Serialize, Deserialize)]
struct Attempts {
    ended: Vec<EndedAttempt>,
}

#[derive(Default, Serialize, Deserialize)]
struct Floor {
    floor: Option<Version>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Starts {
    boot_id: String,
    count: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    access_token: String,
}

/// What the server called the bytes of a download that was cut short, so that it can go on with the same ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// Of the artifact, as the spec says.
    pub sha256: String,
    /// The server's strong ETag.
    pub etag: String,
}

/// The binary that belongs on this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Its version.
    pub version: Version,
    /// Lower-case hex.
    pub sha256: String,
}

/// The units that a version of ours left in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedUnits {
    /// The version whose texts these are.
    pub version: Version,
    /// The hash of each unit's text, by its name.
    pub sha256: BTreeMap<String, String>,
}

mod locked; // changing them

/// The records of this host. Reading needs no lock, since every record is replaced as a whole.
#[derive(Clone, Debug)]
pub struct Records {
    data_dir: PathBuf,
}

/// The records, locked against every other process of ours: only now may they change.
pub struct LockedRecords<'a> {
    records: &'a Records,
    _lock: disk::Lock,
}

impl Records {
    /// The records in `data_dir`, which is made if need be.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        disk::make_directory(data_dir)?;
        Ok(Self::at(data_dir))
    }

    /// The records in `data_dir`, without touching the disk.
    #[must_use]
    pub fn at(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned() }
    }

    /// Where they are.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The only agent of this host, or `None` when another one runs.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn be_the_only_agent(&self) -> Result<Option<disk::Lock>, Error> {
        disk::try_lock(&self.data_dir.join("lock"))
    }

    /// The only one with an upgrade in hand, or `None` when another one has one.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn take_in_hand(&self) -> Result<Option<disk::Lock>, Error> {
        disk::try_lock(&self.data_dir.join("upgrade.lock"))
    }

    /// The right to change the records, unless another process keeps it: the caller must not hang with it.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn try_lock(&self) -> Result<Option<LockedRecords<'_>>, Error> {
        let lock = disk::try_lock(&self.data_dir.join("records.lock"))?;
        Ok(lock.map(|lock| LockedRecords { records: self, _lock: lock }))
    }

    /// Waits for the right to change the records.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn lock(&self) -> Result<LockedRecords<'_>, Error> {
        let lock = disk::lock(&self.data_dir.join("records.lock"))?;
        Ok(LockedRecords { records: self, _lock: lock })
    }

    /// The open trial, if there is one.
    ///
    /// # Errors
    /// The disk does not answer; a record that makes no sense counts as none.
    pub fn trial(&self) -> Result<Option<Trial>, Error> {
        self.read(TRIAL)
    }

    /// There is a trial record, and it cannot be read: damaged, or written by a newer version.
    ///
    /// # Errors
    /// As [`Self::trial`].
    pub fn trial_is_unreadable(&self) -> Result<bool, Error> {
        Ok(matches!(record_file::read::<Trial>(&self.data_dir.join(TRIAL))?, Found::Unreadable))
    }

    /// The attempts that ended on this host, oldest first. Of a damaged record, or one by a newer version, every
    /// attempt counts that can still be made out: a pair that was swapped in must not be forgotten.
    ///
    /// # Errors
    /// As [`Self::trial`].
    pub fn ended(&self) -> Result<Vec<EndedAttempt>, Error> {
        record_file::read_list(&self.data_dir.join(ATTEMPTS), "ended")
    }

    /// The highest floor that was ever committed here.
    ///
    /// # Errors
    /// As [`Self::trial`].
    pub fn floor(&self) -> Result<Option<Version>, Error> {
        Ok(self.read::<Floor>(FLOOR)?.unwrap_or_default().floor)
    }

    /// A sysadmin's hold on this host, unless it has ended by itself.
    ///
    /// # Errors
    /// As [`Self::trial`].
    pub fn hold(&self, now: Timestamp) -> Result<Option<Held>, Error> {
        let held: Option<Held> = self.read(HOLD)?;
        Ok(held.filter(|held| held.until.is_none_or(|until| now < until)))
    }

    /// The binary that belongs here: committed by a trial, or found at the first start.
    ///
    /// # Errors
    /// As [`Self::trial`].
    pub fn committed(&self) -> Result<Option<Committed>, Error> {
        self.read(COMMITTED)
    }

    /// The units that a version of ours left in place.
    ///
    /// # Errors
    /// As [`Self::trial`].
    pub fn units(&self) -> Result<Option<NotedUnits>, Error> {
        self.read(UNITS)
    }

    /// The download that was cut short, if one was.
    ///
    /// # Errors
    /// As [`Self::trial`].
    pub fn download(&self) -> Result<Option<Download>, Error> {
        self.read(DOWNLOAD)
    }

    /// The key from an earlier enrolment.
    ///
    /// # Errors
    /// As [`Self::trial`].
    pub fn stored_key(&self) -> Result<Option<String>, Error> {
        let path = self.data_dir.join(CREDENTIALS);
        match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).doing(|| format!("read {}", path.display())),
            Ok(bytes) => serde_json::from_slice::<Credentials>(&bytes)
                .map(|credentials| Some(credentials.access_token))
                .map_err(|_| {
                    Error::host(format!(
                        "{} must be {{\"accessToken\": \"nva_…\"}}, it is not",
                        path.display()
                    ))
                }),
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        Ok(match record_file::read(&self.data_dir.join(name))? {
            Found::Record(record) => Some(record),
            Found::Nothing | Found::Unreadable => None,
        })
    }
}

#[cfg(test)]
mod tests;
