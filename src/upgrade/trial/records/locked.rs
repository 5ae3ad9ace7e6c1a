//! Changing the records: under the lock, and no other way.

use std::io;

use novacula_protocol::sync::Held;
use semver::Version;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::{EndedAttempt, Trial, Verdict, find, record_file};
use super::{
    ATTEMPTS, Attempts, COMMITTED, CREDENTIALS, Committed, Credentials, DOWNLOAD, Download, FLOOR, Floor,
    HOLD, LockedRecords, NotedUnits, REFUSALS_KEPT, Records, STARTS, Starts, TRIAL, UNITS,
};
use crate::disk;
use crate::error::{Doing as _, Error};

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
