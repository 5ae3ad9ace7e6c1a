//! What must be true of a host before an upgrade: asked by a sysadmin, or by name by a control plane.

use std::cell::OnceCell;
use std::path::Path;
use std::process::Command;

use novacula_protocol::signature::TrustedKeys;
use novacula_protocol::sync::PreflightResult;

use crate::control_plane::ControlPlane;
use crate::error::{Error, chain, printable};
use crate::host::{Clock, Places};
use crate::upgrade::trial::Records;

mod clock; // this host's against the control plane's
mod place; // the directories and what they are mounted from
mod units; // present, aimed at this installation, current

/// What the checks look at.
pub struct Subject<'a> {
    /// Where the binary is.
    pub places: &'a Places,
    /// The memory of this host.
    pub records: &'a Records,
    /// Whose signatures count.
    pub keys: &'a TrustedKeys,
    /// `None` where the config cannot be used, with the reason.
    pub control_plane: Result<&'a ControlPlane, String>,
    /// The wall clock is compared with the control plane's.
    pub clock: Clock,
}

/// Whether an upgrade would fail where a check does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It would.
    Stops,
    /// It would not; something else will, one day.
    Warns,
}

use Weight::{Stops, Warns};

type Check = fn(&Looking<'_>) -> Result<String, Error>;

/// Every check by its name, in the order in which they are worth mending.
const CHECKS: [(&str, Weight, Check); 14] = [
    ("config", Stops, config),
    ("keys", Stops, keys),
    ("units", Stops, units::aimed_here),
    ("units_current", Warns, units::current),
    ("read_only", Stops, place::not_read_only),
    ("writable", Stops, place::writable),
    ("noexec", Stops, place::not_noexec),
    ("executable", Stops, place::executable),
    ("disk_space", Stops, place::disk_space),
    ("inodes", Stops, place::inodes),
    ("local_filesystem", Warns, place::local_filesystem),
    ("package_ownership", Warns, package_ownership),
    ("control_plane", Stops, control_plane),
    ("clock", Warns, clock::right),
];

/// One look at a host: what several checks ask for is asked once.
struct Looking<'a> {
    subject: &'a Subject<'a>,
    health: OnceCell<Result<clock::Answer, String>>,
}

impl<'a> Looking<'a> {
    fn at(subject: &'a Subject<'a>) -> Self {
        Self { subject, health: OnceCell::new() }
    }

    fn binary(&self) -> &Path {
        &self.subject.places.binary
    }

    fn binary_directory(&self) -> &Path {
        self.binary().parent().unwrap_or(Path::new("/"))
    }

    fn data_dir(&self) -> &Path {
        self.subject.records.data_dir()
    }

    /// The answer of the control plane at `/healthz`, or why there is none.
    fn health(&self) -> &Result<clock::Answer, String> {
        self.health.get_or_init(|| {
            let control_plane = self
                .subject
                .control_plane
                .as_ref()
                .map_err(|_| "without a config nobody knows where the control plane is".to_owned())?;
            let before = (self.subject.clock.wall)();
            let date = control_plane.health().map_err(|no_answer| no_answer.reason)?;
            Ok(clock::Answer { before, date, after: (self.subject.clock.wall)() })
        })
    }
}

/// Runs every check.
#[must_use]
pub fn all(subject: &Subject<'_>) -> Vec<PreflightResult> {
    let looking = Looking::at(subject);
    CHECKS.iter().map(|(name, _, check)| result(name, check(&looking))).collect()
}

/// Runs one check by its name.
#[must_use]
pub fn run(name: &str, subject: &Subject<'_>) -> PreflightResult {
    match CHECKS.iter().find(|(known, ..)| *known == name) {
        Some((name, _, check)) => result(name, check(&Looking::at(subject))),
        None => {
            let names: Vec<_> = CHECKS.iter().map(|(name, ..)| *name).collect();
            let unknown = format!("this version knows no check of that name, it knows {}", names.join(", "));
            result(&printable(name), Err(Error::host(unknown)))
        }
    }
}

/// An upgrade would fail on a host that fails this check. The others are about what goes wrong later.
#[must_use]
pub fn stops_an_upgrade(name: &str) -> bool {
    CHECKS.iter().any(|(known, weight, _)| *known == name && *weight == Stops)
}

fn result(check: &str, found: Result<String, Error>) -> PreflightResult {
    let ok = found.is_ok();
    PreflightResult { check: check.to_owned(), ok, note: printable(&found.unwrap_or_else(|e| chain(&e))) }
}

fn config(looking: &Looking<'_>) -> Result<String, Error> {
    match &looking.subject.control_plane {
        Ok(_) => Ok(format!("{} is in order", looking.subject.places.config.display())),
        Err(found) => Err(Error::host(found.clone())),
    }
}

fn keys(looking: &Looking<'_>) -> Result<String, Error> {
    let names: Vec<_> = looking.subject.keys.names().collect();
    match names.is_empty() {
        false => Ok(format!("releases signed by {} are trusted", names.join(", "))),
        true => Err(Error::host(
            "no key is built in: every release would be refused; build with NOVACULA_KEYS_DIR",
        )),
    }
}

#[expect(clippy::disallowed_methods, reason = "asks the package managers of this host, which are programs")]
fn package_ownership(looking: &Looking<'_>) -> Result<String, Error> {
    for (program, arguments) in [("dpkg", ["-S"]), ("rpm", ["-qf"])] {
        let asked = Command::new(program)
            .args(arguments)
            .arg(looking.binary())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output();
        if asked.is_ok_and(|asked| asked.status.success()) {
            return Err(Error::host(format!(
                "{} must belong to no package, since the package and the agent would overwrite each other; {program} \
                 says that it does",
                looking.binary().display()
            )));
        }
    }
    Ok("no package owns the binary".to_owned())
}

fn control_plane(looking: &Looking<'_>) -> Result<String, Error> {
    match looking.health() {
        Ok(_) => Ok("the control plane answers".to_owned()),
        Err(found) => Err(Error::host(format!(
            "the control plane must answer at /healthz, it does not; see its url, proxies and TLS: {found}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_stops_for_what_an_upgrade_needs_and_for_nothing_else() {
        for name in ["units", "read_only", "noexec", "inodes", "control_plane"] {
            assert!(stops_an_upgrade(name), "{name}");
        }
        for name in ["clock", "units_current", "local_filesystem", "package_ownership", "of the future"] {
            assert!(!stops_an_upgrade(name), "{name}");
        }
    }
}
