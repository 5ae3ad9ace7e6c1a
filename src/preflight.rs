//! What must be true of a host before an upgrade: asked by a sysadmin, or by name by a control plane.

use std::path::Path;
use std::process::Command;

use nix::sys::statfs::{FsType, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};
use novacula_protocol::signature::TrustedKeys;
use novacula_protocol::sync::PreflightResult;

use crate::control_plane::ControlPlane;
use crate::disk;
use crate::error::{Doing as _, Error, chain, printable};
use crate::host::Places;
use crate::systemd;
use crate::units;
use crate::upgrade::trial::Records;
use crate::upgrade::verify::version_printed_by;

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
}

type Check = fn(&Subject<'_>) -> Result<String, Error>;

/// Every check by its name, in the order in which they are worth mending.
const CHECKS: [(&str, Check); 9] = [
    ("config", config),
    ("keys", keys),
    ("units", unit_files),
    ("writable", writable),
    ("executable", executable),
    ("disk_space", disk_space),
    ("local_filesystem", local_filesystem),
    ("package_ownership", package_ownership),
    ("control_plane", control_plane),
];

/// Runs every check.
#[must_use]
pub fn all(subject: &Subject<'_>) -> Vec<PreflightResult> {
    CHECKS.iter().map(|(name, check)| result(name, check(subject))).collect()
}

/// Runs one check by its name.
#[must_use]
pub fn run(name: &str, subject: &Subject<'_>) -> PreflightResult {
    match CHECKS.iter().find(|(known, _)| *known == name) {
        Some((name, check)) => result(name, check(subject)),
        None => {
            let names: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
            let unknown = format!("this version knows no check of that name, it knows {}", names.join(", "));
            result(&printable(name), Err(Error::host(unknown)))
        }
    }
}

fn result(check: &str, found: Result<String, Error>) -> PreflightResult {
    let ok = found.is_ok();
    PreflightResult { check: check.to_owned(), ok, note: printable(&found.unwrap_or_else(|e| chain(&e))) }
}

fn config(subject: &Subject<'_>) -> Result<String, Error> {
    match &subject.control_plane {
        Ok(_) => Ok(format!("{} is in order", subject.places.config.display())),
        Err(found) => Err(Error::host(found.clone())),
    }
}

fn keys(subject: &Subject<'_>) -> Result<String, Error> {
    let names: Vec<_> = subject.keys.names().collect();
    match names.is_empty() {
        false => Ok(format!("releases signed by {} are trusted", names.join(", "))),
        true => Err(Error::host(
            "no key is built in: every release would be refused; build with NOVACULA_KEYS_DIR",
        )),
    }
}

fn unit_files(subject: &Subject<'_>) -> Result<String, Error> {
    systemd::systemctl(&["cat", systemd::AGENT, systemd::ROLLBACK, systemd::TRIAL_TIMER])?;
    let drifted = units::drifted(subject.places, subject.records)?;
    Ok(match drifted.is_empty() {
        true => "the three units are installed as this version writes them".to_owned(),
        false => "the three units are installed, not as this version writes them".to_owned(),
    })
}

fn writable(subject: &Subject<'_>) -> Result<String, Error> {
    let directory = directory(subject);
    disk::try_writing(directory)?;
    disk::try_writing(subject.records.data_dir())?;
    Ok(format!("{} and {} can be written", directory.display(), subject.records.data_dir().display()))
}

fn executable(subject: &Subject<'_>) -> Result<String, Error> {
    let directory = directory(subject);
    let stat = statvfs(directory).doing(|| format!("look at {}", directory.display()))?;
    if stat.flags().contains(FsFlags::ST_NOEXEC) {
        return Err(Error::host(format!(
            "{} must allow programs, it is mounted noexec",
            directory.display()
        )));
    }
    let printed = version_printed_by(&subject.places.binary);
    printed
        .map_err(|found| Error::host(format!("{} must run here, {found}", subject.places.binary.display())))
}

fn disk_space(subject: &Subject<'_>) -> Result<String, Error> {
    let directory = directory(subject);
    let space = disk::space(directory)?;
    // As much as the binary that is here, which is the best guess at the next one.
    let need = std::fs::metadata(&subject.places.binary).map_or(0, |found| found.len());
    crate::upgrade::enough_space(directory, need)?;
    let inodes = space.inodes.map_or("uncounted".to_owned(), |inodes| inodes.to_string());
    Ok(format!("{} bytes and {inodes} inodes are free at {}", space.bytes, directory.display()))
}

fn local_filesystem(subject: &Subject<'_>) -> Result<String, Error> {
    /// cifs and smb2 of the kernel's magic numbers, which have no name elsewhere.
    const CIFS: FsType = FsType(0xff53_4d42_u32 as _);
    for directory in [directory(subject), subject.records.data_dir()] {
        let kind = statfs(directory).doing(|| format!("look at {}", directory.display()))?.filesystem_type();
        if [NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS].contains(&kind) {
            return Err(Error::host(format!(
                "{} must be on a disk of this host, it is on a network file system",
                directory.display()
            )));
        }
    }
    Ok("the binary and its records are on file systems of this host".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "asks the package managers of this host, which are programs")]
fn package_ownership(subject: &Subject<'_>) -> Result<String, Error> {
    for (program, arguments) in [("dpkg", ["-S"]), ("rpm", ["-qf"])] {
        let asked = Command::new(program)
            .args(arguments)
            .arg(&subject.places.binary)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output();
        if asked.is_ok_and(|asked| asked.status.success()) {
            return Err(Error::host(format!(
                "{} must belong to no package, since the package and the agent would overwrite each other; {program} \
                 says that it does",
                subject.places.binary.display()
            )));
        }
    }
    Ok("no package owns the binary".to_owned())
}

fn control_plane(subject: &Subject<'_>) -> Result<String, Error> {
    let Ok(control_plane) = &subject.control_plane else {
        return Err(Error::host("without a config nobody knows where the control plane is"));
    };
    match control_plane.is_healthy() {
        true => Ok("the control plane answers".to_owned()),
        false => Err(Error::host(
            "the control plane must answer at /healthz, it does not; see its url, proxies and TLS",
        )),
    }
}

fn directory<'a>(subject: &Subject<'a>) -> &'a Path {
    subject.places.binary.parent().unwrap_or(Path::new("/"))
}
