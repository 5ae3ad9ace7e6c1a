//! The releases that this host has refused, as people want to see them. Pure.

use jiff::Timestamp;
use novacula_protocol::Status;
use semver::Version;
use serde::Serialize;

use super::EndedAttempt;

/// A release that was refused or rolled back here and not committed since. What refuses it is each of its attempts,
/// for ever; the release itself may be tried again by a new attempt, or by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRelease {
    /// What was asked for.
    pub version: Version,
    /// The cause of the last time.
    pub code: String,
    /// In one sentence.
    pub message: String,
    /// Attempts that ended so.
    pub count: u32,
    /// When the last one did, by the host's clock.
    pub last_at: Timestamp,
}

/// Of these ends, oldest first.
#[must_use]
pub fn refused_releases(ended: &[EndedAttempt]) -> Vec<RefusedRelease> {
    let mut refused: Vec<RefusedRelease> = Vec::new();
    for attempt in ended {
        let Some(version) = &attempt.target_version else { continue };
        let known = refused.iter().position(|known| known.version == *version);
        match (&attempt.error, attempt.status) {
            (Some(error), Status::Failed | Status::RolledBack) => {
                let before = known.map_or(0, |known| refused.remove(known).count);
                refused.push(RefusedRelease {
                    version: version.clone(),
                    code: error.code.clone(),
                    message: error.message.clone(),
                    count: before + 1,
                    last_at: attempt.at,
                });
            }
            // Whatever was wrong with it is over.
            (_, Status::Completed) => drop(known.map(|known| refused.remove(known))),
            _ => {}
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use novacula_protocol::sync::ReportError;
    use novacula_protocol::{Stage, Status};

    use super::*;

    fn ended(version: &str, status: Status, code: &str, at: i64) -> EndedAttempt {
        let at = Timestamp::from_second(at).unwrap();
        let error = (!code.is_empty()).then(|| ReportError {
            code: code.to_owned(),
            stage: Stage::Verify,
            message: format!("because of {code}"),
            timestamp: at,
        });
        EndedAttempt {
            upgrade_id: at.to_string(),
            attempt: 1,
            from_version: None,
            target_version: Some(version.parse().unwrap()),
            stage: Stage::Failed,
            status,
            bytes: (0, 0),
            error,
            swapped: false,
            untold: false,
            at,
        }
    }

    #[test]
    fn a_refused_release_has_its_last_cause_and_its_count_until_it_is_committed() {
        let mut all = vec![
            ended("1.1.0", Status::Failed, "sha256_mismatch", 1),
            ended("1.2.0", Status::Failed, "disk_full", 2),
            ended("1.1.0", Status::RolledBack, "crash_loop", 3),
            ended("1.3.0", Status::Failed, "", 4),
        ];
        let seen = |all: &[EndedAttempt]| -> Vec<_> {
            let refused = refused_releases(all).into_iter();
            refused.map(|it| format!("{} {} {}", it.version, it.code, it.count)).collect()
        };
        assert_eq!(seen(&all), ["1.2.0 disk_full 1", "1.1.0 crash_loop 2"]);
        all.push(ended("1.2.0", Status::Completed, "", 5));
        assert_eq!(seen(&all), ["1.1.0 crash_loop 2"]);
    }
}
