//! The only durable writes: every function here returns after what it did would survive a power cut.

#![expect(clippy::disallowed_methods, reason = "this is the home of durable writes")]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs2::FileExt as _;
use sha2::{Digest as _, Sha256};

use crate::error::{Doing as _, Error};

mod attributes; // labels and access lists
mod follow; // a download read back while it comes
mod incoming; // a download, and the complete file it becomes
#[cfg(test)]
pub(crate) mod stop; // where a test stops the host
mod temporary; // a name for what is not finished yet

pub use follow::{CHUNK, Ending, Follower};
pub use incoming::{Incoming, Sealed};
#[cfg(test)]
use stop::effect;
use temporary::Temporary;

/// Stands before every single durable effect below `path`, so that tests can stop the host there.
#[cfg(not(test))]
fn effect(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Replaces `path` by `bytes`, or leaves it as it was.
///
/// # Errors
/// Says which file could not be written.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let directory = directory_of(path)?;
    let write = || -> io::Result<()> {
        let (mut file, temporary) = Temporary::file_in(directory, mode)?;
        effect(path)?;
        file.write_all(bytes)?;
        effect(path)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        effect(path)?;
        file.sync_all()?;
        temporary.rename_over(path)
    };
    write().doing(|| format!("write {}", path.display()))
}

/// Removes `path`; one that is not there is already removed.
///
/// # Errors
/// Says which file could not be removed.
pub fn remove(path: &Path) -> Result<(), Error> {
    let removed = match effect(path).and_then(|()| fs::remove_file(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other,
    };
    removed
        .and_then(|()| sync_directory(path.parent().unwrap_or(Path::new("/"))))
        .doing(|| format!("remove {}", path.display()))
}

/// Gives the file at `from` a second name `to`, replacing whatever stood there, atomically.
///
/// # Errors
/// Says which link could not be made; `to` is then as it was.
pub fn link(from: &Path, to: &Path) -> Result<(), Error> {
    let directory = directory_of(to)?;
    let make = || -> io::Result<()> {
        // link(2) refuses an existing name, and rename(2) between two links of one file does nothing at all.
        if same_file(from, to)? {
            return sync_directory(directory);
        }
        Temporary::link_in(directory, from)?.rename_over(to)
    };
    make().doing(|| format!("link {} to {}", to.display(), from.display()))
}

fn same_file(a: &Path, b: &Path) -> io::Result<bool> {
    let a = fs::symlink_metadata(a)?;
    match fs::symlink_metadata(b) {
        Ok(b) => Ok((a.dev(), a.ino()) == (b.dev(), b.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes what an interrupted run of ours left in `directory`, but for a download of `kept_sha256`; says how many
/// files. Links are not followed.
///
/// # Errors
/// The directory cannot be read.
pub fn sweep(directory: &Path, kept_sha256: Option<&str>) -> Result<usize, Error> {
    let kept = kept_sha256.map(incoming::file_name);
    let entries = fs::read_dir(directory).doing(|| format!("read {}", directory.display()))?;
    let mut swept = 0;
    for entry in entries.flatten() {
        let ours = entry.file_name().as_encoded_bytes().starts_with(temporary::PREFIX.as_bytes());
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let kept = kept.as_deref().is_some_and(|kept| entry.file_name() == kept);
        let remove = || effect(&entry.path()).and_then(|()| fs::remove_file(entry.path()));
        if ours && !kept && is_file && remove().is_ok() {
            swept += 1;
        }
    }
    Ok(swept)
}

/// Tries whether files of ours can be made in `directory`.
///
/// # Errors
/// They cannot.
pub fn try_writing(directory: &Path) -> Result<(), Error> {
    Temporary::file_in(directory, 0o600)
        .map(drop)
        .doing(|| format!("create a file in {}", directory.display()))
}

/// Refuses a directory in which others could forge what we decide by.
///
/// # Errors
/// Says whose it is or who may write to it.
pub fn must_be_ours(directory: &Path) -> Result<(), Error> {
    let found = fs::metadata(directory).doing(|| format!("look at {}", directory.display()))?;
    let us = nix::unistd::geteuid().as_raw();
    if found.uid() == us && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::host(format!(
        "{} must belong to user {us} and be writable by nobody else, it belongs to {} with mode {:04o}",
        directory.display(),
        found.uid(),
        found.mode() & 0o7777
    )))
}

/// What is free for us on a file system.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Bytes.
    pub bytes: u64,
    /// File names; `None` where the file system does not count them.
    pub inodes: Option<u64>,
}

/// The space that is free at `directory`.
///
/// # Errors
/// The file system does not say.
#[expect(clippy::useless_conversion, reason = "the width of these fields differs between targets")]
pub fn space(directory: &Path) -> Result<Space, Error> {
    let stat = nix::sys::statvfs::statvfs(directory)
        .doing(|| format!("look at the space of {}", directory.display()))?;
    Ok(Space {
        bytes: u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size())),
        inodes: (stat.files() > 0).then(|| stat.files_available().into()),
    })
}

/// Makes `directory` and its parents, closed to others.
///
/// # Errors
/// Says which directory could not be made.
pub fn make_directory(directory: &Path) -> Result<(), Error> {
    effect(directory)
        .and_then(|()| fs::DirBuilder::new().recursive(true).mode(0o700).create(directory))
        .doing(|| format!("make the directory {}", directory.display()))
}

/// An advisory lock, held until dropped or until the process ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] File);

/// Takes the lock at `path` at once, or says `None` when another process holds it.
///
/// # Errors
/// The file cannot be opened.
pub fn try_lock(path: &Path) -> Result<Option<Lock>, Error> {
    lock_now(open_lock(path)?).doing(|| format!("lock {}", path.display()))
}

/// Takes the lock that `directory` itself is, for whoever works in it with records of their own; `None` when another
/// process holds it.
///
/// # Errors
/// The directory cannot be opened.
pub fn try_lock_directory(directory: &Path) -> Result<Option<Lock>, Error> {
    let file = File::open(directory).doing(|| format!("open {}", directory.display()))?;
    lock_now(file).doing(|| format!("lock {}", directory.display()))
}

/// Takes the lock at `path`, waiting for whoever holds it.
///
/// # Errors
/// The file cannot be opened.
pub fn lock(path: &Path) -> Result<Lock, Error> {
    let file = open_lock(path)?;
    file.lock_exclusive().doing(|| format!("lock {}", path.display()))?;
    Ok(Lock(file))
}

fn lock_now(file: File) -> io::Result<Option<Lock>> {
    match file.try_lock_exclusive() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(e) if e.kind() == fs2::lock_contended_error().kind() => Ok(None),
        Err(e) => Err(e),
    }
}

fn open_lock(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .doing(|| format!("open {}", path.display()))
}

/// Puts an unreadable file out of the way so that it can be looked at later; says where it went.
///
/// # Errors
/// It cannot be renamed.
pub fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let mut name = OsString::from(path.file_name().unwrap_or(OsStr::new("record")));
    name.push(".unreadable");
    let aside = path.with_file_name(name);
    effect(path)
        .and_then(|()| fs::rename(path, &aside))
        .and_then(|()| sync_directory(directory_of(path).map_or(Path::new("/"), |d| d)))
        .doing(|| format!("set {} aside", path.display()))?;
    Ok(aside)
}

/// Lower-case hex of the SHA-256 of the file at `path`.
///
/// # Errors
/// It cannot be read.
pub fn sha256_of(path: &Path) -> Result<String, Error> {
    let hash = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(hex(&hasher.finalize())),
                read => hasher.update(&chunk[..read]),
            }
        }
    };
    hash().doing(|| format!("read {}", path.display()))
}

/// Lower-case hex of the SHA-256 of these bytes.
#[must_use]
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn directory_of(path: &Path) -> Result<&Path, Error> {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .ok_or_else(|| Error::host(format!("{} must be an absolute path of a file", path.display())))
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    effect(directory)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn linking_replaces_the_old_name_and_can_be_repeated() {
        let dir = directory();
        let (current, previous) = (dir.path().join("agent"), dir.path().join("agent.prev"));
        fs::write(&current, "new").unwrap();
        fs::write(&previous, "older").unwrap();
        link(&current, &previous).unwrap();
        link(&current, &previous).unwrap();
        assert_eq!(fs::read(&previous).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_onto_a_directory_leaves_everything_as_it_was() {
        let dir = directory();
        let (current, previous) = (dir.path().join("agent"), dir.path().join("agent.prev"));
        fs::write(&current, "new").unwrap();
        fs::create_dir(&previous).unwrap();
        assert!(link(&current, &previous).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn the_sweep_takes_our_leftovers_and_nothing_else() {
        let dir = directory();
        for name in [".novacula-agent.x.part", ".novacula-other", "novacula-agent", "novacula-agent.prev"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("novacula-agent", dir.path().join(".novacula-agent.link")).unwrap();
        let kept = "a".repeat(64);
        fs::write(dir.path().join(incoming::file_name(&kept)), "").unwrap();
        assert_eq!(sweep(dir.path(), Some(&kept)).unwrap(), 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
        assert_eq!(sweep(dir.path(), None).unwrap(), 1);
    }

    #[test]
    fn a_lock_is_held_once() {
        let dir = directory();
        let path = dir.path().join("lock");
        let held = try_lock(&path).unwrap();
        assert!(held.is_some());
        assert!(try_lock(&path).unwrap().is_none());
        drop(held);
        assert!(try_lock(&path).unwrap().is_some());
    }
}
