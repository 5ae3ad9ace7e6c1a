//! What stands on this host, for people and for machines.

use std::path::Path;

use jiff::Timestamp;
use novacula_protocol::sync::Held;
use semver::Version;
use serde::Serialize;

use crate::disk;
use crate::error::Error;
use crate::host::{Build, Places};
use crate::systemd;
use crate::units::{self, Drift};
use crate::upgrade::trial::{Committed, EndedAttempt, Records, RefusedRelease, Trial, refused_releases};
use crate::upgrade::verify::version_printed_by;

/// The whole standing of this host.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    version: Version,
    target: &'static str,
    binary: Binary,
    previous: Option<Binary>,
    service: Option<ServiceState>,
    drifted_units: Vec<Drift>,
    trial: Option<Trial>,
    held: Option<Held>,
    committed: Option<Committed>,
    floor: Option<Version>,
    refused_releases: Vec<RefusedRelease>,
    ended: Vec<EndedAttempt>,
    trusted_keys: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Binary {
    path: String,
    sha256: Option<String>,
    version: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceState {
    active_state: String,
    result: String,
    main_pid: u32,
    restarts: u32,
}

impl Standing {
    /// Looks at this host; changes nothing.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn of(
        build: &Build,
        places: &Places,
        data_dir: &Path,
        keys: Vec<String>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let records = Records::at(data_dir);
        let previous = places.previous();
        let service = systemd::is_running().then(systemd::agent_service).and_then(Result::ok);
        let ended = records.ended()?;
        Ok(Self {
            version: build.version.clone(),
            target: build.target,
            binary: Binary::at(&places.binary),
            previous: previous.exists().then(|| Binary::at(&previous)),
            service: service.map(|service| ServiceState {
                active_state: service.active,
                result: service.result,
                main_pid: service.main_pid,
                restarts: service.restarts,
            }),
            drifted_units: units::drifted(places, &records)?,
            trial: records.trial()?,
            held: records.hold(now)?,
            committed: records.committed()?,
            floor: records.floor()?.into_iter().chain(build.floor.clone()).max(),
            refused_releases: refused_releases(&ended),
            ended,
            trusted_keys: keys,
        })
    }

    /// One line a fact.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = |fact: &str, text: String| lines.push(format!("{fact:<10} {text}"));
        line("binary", self.binary.line());
        line("previous", self.previous.as_ref().map_or("none".to_owned(), Binary::line));
        line(
            "service",
            match &self.service {
                Some(service) => format!(
                    "{}, result {}, main pid {}, {} automatic restarts",
                    service.active_state, service.result, service.main_pid, service.restarts
                ),
                None => "systemd does not answer".to_owned(),
            },
        );
        line(
            "units",
            match self.drifted_units.as_slice() {
                [] => "as this version writes them".to_owned(),
                drifted => {
                    let each: Vec<_> = drifted.iter().map(Drift::to_string).collect();
                    format!("{} (`novacula-agent install` writes them anew)", each.join(", "))
                }
            },
        );
        line(
            "trial",
            match &self.trial {
                None => "none".to_owned(),
                Some(trial) => format!(
                    "{} since {}, upgrade {} attempt {}, {}",
                    trial.target_version,
                    trial.opened_at,
                    trial.upgrade_id,
                    trial.attempt,
                    match (&trial.verdict, trial.healthy, trial.synced, trial.inconclusive) {
                        (Some(_), ..) => "the verdict stands and is being carried out",
                        (_, true, ..) => "healthy, waiting for a person",
                        (_, _, true, _) => "synced, proving that it stays up",
                        (.., true) => "inconclusive: nobody reaches the control plane",
                        _ => "no sync accepted yet",
                    }
                ),
            },
        );
        line(
            "committed",
            self.committed.as_ref().map_or("nothing yet".to_owned(), |it| {
                let is_in_place = self.binary.sha256.as_ref() == Some(&it.sha256);
                let hint = if is_in_place || self.trial.is_some() {
                    ""
                } else {
                    ", which is not in place (`repair`)"
                };
                format!("{}{hint}", it.version)
            }),
        );
        line("held", self.held.as_ref().map_or("no".to_owned(), ToString::to_string));
        line("floor", self.floor.as_ref().map_or("none".to_owned(), ToString::to_string));
        line(
            "keys",
            if self.trusted_keys.is_empty() {
                "none: every release is refused".to_owned()
            } else {
                self.trusted_keys.join(", ")
            },
        );
        for refused in &self.refused_releases {
            let times =
                if refused.count == 1 { "once".to_owned() } else { format!("{} times", refused.count) };
            let RefusedRelease { version, code, message, last_at, .. } = refused;
            line(
                "refused",
                format!(
                    "{version} {times}, last at {last_at}: {code}: {message}; a new attempt may try it again"
                ),
            );
        }
        match self.ended.last() {
            None => line("last", "no upgrade yet".to_owned()),
            Some(ended) => line(
                "last",
                format!(
                    "{} {} at {}{}",
                    ended.target_version.as_ref().map_or("?".to_owned(), ToString::to_string),
                    ended.stage,
                    ended.at,
                    ended
                        .error
                        .as_ref()
                        .map_or(String::new(), |error| format!(": {}: {}", error.code, error.message))
                ),
            ),
        }
        lines
    }
}

impl Binary {
    fn at(path: &Path) -> Self {
        Self {
            path: path.display().to_string(),
            sha256: disk::sha256_of(path).ok(),
            version: version_printed_by(path)
                .ok()
                .and_then(|line| line.split_whitespace().last().map(crate::error::printable)),
        }
    }

    fn line(&self) -> String {
        let unknown = || "cannot be read".to_owned();
        format!(
            "{} {} (sha256 {})",
            self.path,
            self.version.clone().unwrap_or_else(|| "does not tell its version".to_owned()),
            self.sha256.clone().unwrap_or_else(unknown)
        )
    }
}
