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
use super::{EndedAttempt, Trial, Verdict, find};
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

impl LockedRecords<'_> {
    /// The records, for reading.
    #[must_use]
    pub fn records(&self) -> &Records {
        self.records
    }

    /// Writes the trial record: before the swap, and at every step of the trial.
    ///
    /// # Errors
    /// It cannot be written; the old one stands.
    pub fn write_trial(&mut self, trial: &Trial) -> Result<(), Error> {
        self.write(TRIAL, trial)
    }

    /// Changes the open trial, as it stands on disk now; `None` when there is none any more.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn change_trial(&mut self, change: impl FnOnce(&mut Trial)) -> Result<Option<Trial>, Error> {
        let Some(before) = self.records.trial()? else { return Ok(None) };
        let mut trial = before.clone();
        change(&mut trial);
        if trial != before {
            self.write_trial(&trial)?;
        }
        Ok(Some(trial))
    }

    /// Writes a verdict, unless there is one already: the first is final. Gives the trial with its verdict.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn decide(&mut self, verdict: Verdict) -> Result<Option<Trial>, Error> {
        self.change_trial(|trial| {
            trial.verdict.get_or_insert(verdict);
        })
    }

    /// Puts a trial record that cannot be read out of the way.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn set_trial_aside(&mut self) -> Result<(), Error> {
        disk::set_aside(&self.records.data_dir.join(TRIAL)).map(drop)
    }

    /// Removes the trial record: the last step of every trial.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_trial(&mut self) -> Result<(), Error> {
        disk::remove(&self.records.data_dir.join(TRIAL))
    }

    /// Remembers how an attempt ended. The first end of an attempt is its end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember(&mut self, attempt: EndedAttempt) -> Result<(), Error> {
        let mut ended = self.records.ended()?;
        if find(&ended, &attempt.upgrade_id, attempt.attempt).is_some() {
            return Ok(());
        }
        ended.push(attempt);
        let mut surplus = ended.iter().filter(|known| !known.swapped).count().saturating_sub(REFUSALS_KEPT);
        ended.retain(|known| {
            let forget = surplus > 0 && !known.swapped;
            surplus -= usize::from(forget);
            !forget
        });
        self.write(ATTEMPTS, &Attempts { ended })
    }

    /// Remembers that the control plane knows how this attempt ended.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn told(&mut self, upgrade_id: &str, attempt: u32) -> Result<(), Error> {
        let mut ended = self.records.ended()?;
        for known in &mut ended {
            if known.upgrade_id == upgrade_id && known.attempt == attempt {
                known.untold = false;
            }
        }
        self.write(ATTEMPTS, &Attempts { ended })
    }

    /// Raises the floor; never lowers it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn raise_floor(&mut self, floor: &Version) -> Result<(), Error> {
        match self.records.floor()? {
            Some(known) if known >= *floor => Ok(()),
            _ => self.write(FLOOR, &Floor { floor: Some(floor.clone()) }),
        }
    }

    /// Holds this host.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_hold(&mut self, held: &Held) -> Result<(), Error> {
        self.write(HOLD, held)
    }

    /// Ends a hold; says whether there was one.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn end_hold(&mut self) -> Result<bool, Error> {
        let was_held = self.records.read::<Held>(HOLD)?.is_some();
        disk::remove(&self.records.data_dir.join(HOLD))?;
        Ok(was_held)
    }

    /// Remembers which binary belongs here.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_committed(&mut self, version: &Version, sha256: &str) -> Result<(), Error> {
        self.write(COMMITTED, &Committed { version: version.clone(), sha256: sha256.to_owned() })
    }

    /// Remembers which units are in place.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_units(&mut self, noted: &NotedUnits) -> Result<(), Error> {
        self.write(UNITS, noted)
    }

    /// Remembers what the server calls the bytes of a download.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_download(&mut self, download: &Download) -> Result<(), Error> {
        if self.records.download()?.as_ref() == Some(download) {
            return Ok(());
        }
        self.write(DOWNLOAD, download)
    }

    /// Forgets it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget_download(&mut self) -> Result<(), Error> {
        disk::remove(&self.records.data_dir.join(DOWNLOAD))
    }

    /// Counts a start of the service; says how many there were before it in this boot.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn count_start(&mut self, boot_id: &str) -> Result<u32, Error> {
        let known = self.records.read::<Starts>(STARTS)?.unwrap_or_default();
        let before = if known.boot_id == boot_id { known.count } else { 0 };
        self.write(STARTS, &Starts { boot_id: boot_id.to_owned(), count: before + 1 })?;
        Ok(before)
    }

    /// Keeps the key that an enrolment brought, for the owner's eyes only.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn store_key(&mut self, key: &str) -> Result<(), Error> {
        let credentials = Credentials { access_token: key.to_owned() };
        let text = serde_json::to_vec(&credentials)
            .map_err(io::Error::from)
            .doing(|| "encode the key".to_owned())?;
        disk::replace(&self.records.data_dir.join(CREDENTIALS), &text, 0o600)
    }

    fn write<T: Serialize + DeserializeOwned>(&mut self, name: &str, record: &T) -> Result<(), Error> {
        record_file::write(&self.records.data_dir.join(name), record)
    }
}

#[cfg(test)]
mod tests {
    use novacula_protocol::{Stage, Status};

    use super::*;

    fn attempt(id: &str, swapped: bool) -> EndedAttempt {
        EndedAttempt {
            upgrade_id: id.to_owned(),
            attempt: 1,
            from_version: None,
            target_version: None,
            stage: Stage::Failed,
            status: Status::Failed,
            bytes: (0, 0),
            error: None,
            swapped,
            untold: true,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_record_with_one_bit_changed_counts_as_none_and_is_set_aside_by_the_next_write() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        records.lock().unwrap().raise_floor(&Version::new(1, 2, 3)).unwrap();
        let path = dir.path().join(FLOOR);
        let good = fs::read(&path).unwrap();
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1;
            disk::replace(&path, &bad, 0o600).unwrap();
            assert_eq!(records.floor().unwrap(), None, "byte {position}");
        }
        records.lock().unwrap().raise_floor(&Version::new(1, 2, 4)).unwrap();
        assert!(dir.path().join("floor.json.unreadable").exists());
        assert_eq!(records.floor().unwrap(), Some(Version::new(1, 2, 4)));
    }

    #[test]
    fn of_damaged_attempts_every_one_counts_that_can_be_made_out() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        let mut locked = records.lock().unwrap();
        locked.remember(attempt("one", true)).unwrap();
        locked.remember(attempt("two", true)).unwrap();
        let path = dir.path().join(ATTEMPTS);
        let text = fs::read_to_string(&path).unwrap();
        let from_the_future = text.replacen("\"FAILED\"", "\"TELEPORTED\"", 1);
        disk::replace(&path, from_the_future.as_bytes(), 0o600).unwrap();
        let known = records.ended().unwrap();
        assert!(find(&known, "two", 1).is_some());
        assert_eq!(known.len(), 1);
    }

    #[test]
    fn the_floor_only_rises() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        let mut locked = records.lock().unwrap();
        for floor in [Version::new(1, 2, 0), Version::new(1, 1, 0)] {
            locked.raise_floor(&floor).unwrap();
        }
        assert_eq!(records.floor().unwrap(), Some(Version::new(1, 2, 0)));
    }

    #[test]
    fn an_attempt_that_swapped_is_never_forgotten_and_refusals_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        let mut locked = records.lock().unwrap();
        locked.remember(attempt("swapped", true)).unwrap();
        for n in 0..REFUSALS_KEPT + 5 {
            locked.remember(attempt(&format!("refused-{n}"), false)).unwrap();
        }
        let ended = records.ended().unwrap();
        assert_eq!(ended.len(), REFUSALS_KEPT + 1);
        assert!(find(&ended, "swapped", 1).is_some());
        assert!(find(&ended, "swapped", 2).is_none());
        assert!(find(&ended, "refused-4", 1).is_none());
        assert!(find(&ended, "refused-5", 1).is_some());
    }

    #[test]
    fn the_first_end_of_an_attempt_is_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        let mut locked = records.lock().unwrap();
        locked.remember(attempt("one", true)).unwrap();
        locked.remember(EndedAttempt { stage: Stage::Completed, ..attempt("one", true) }).unwrap();
        assert_eq!(records.ended().unwrap(), [attempt("one", true)]);
        locked.told("one", 1).unwrap();
        assert!(!records.ended().unwrap()[0].untold);
    }

    #[test]
    fn starts_are_counted_within_one_boot() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        let mut locked = records.lock().unwrap();
        assert_eq!(locked.count_start("a").unwrap(), 0);
        assert_eq!(locked.count_start("a").unwrap(), 1);
        assert_eq!(locked.count_start("b").unwrap(), 0);
    }
}
