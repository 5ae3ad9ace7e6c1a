//! A download on its way, and the complete file it becomes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::follow::{Ending, Follower, Growth};
use super::temporary::{PREFIX, Temporary};
use super::{attributes, directory_of, effect};
use crate::error::{Doing as _, Error};

/// A file that is being downloaded, beside the binary it may replace; gone when dropped, unless it is kept.
pub struct Incoming {
    file: File,
    name: Temporary,
    beside: PathBuf,
    length: u64,
    was_kept: bool,
    growth: Growth,
}

/// The name of the download of an artifact: the same for every try, so that one cut short is found again.
#[must_use]
pub(super) fn file_name(sha256: &str) -> String {
    let short: String = sha256.chars().take(32).collect();
    format!("{PREFIX}{short}.part")
}

impl Incoming {
    /// The download of the artifact with this hash, in the directory of `binary`: what an earlier try has kept, or
    /// an empty file.
    ///
    /// # Errors
    /// Says where it could not be made.
    pub fn beside(binary: &Path, sha256: &str) -> Result<Self, Error> {
        let directory = directory_of(binary)?;
        let path = directory.join(file_name(sha256));
        let open = || -> io::Result<(File, u64)> {
            if let Ok(file) =
                OpenOptions::new().read(true).append(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(&path)
            {
                let found = file.metadata()?;
                // Anything but a file that only we can have written is not a download of ours.
                if found.is_file() && found.nlink() == 1 && found.uid() == nix::unistd::geteuid().as_raw() {
                    return Ok((file, found.len()));
                }
            }
            match effect(&path).and_then(|()| fs::remove_file(&path)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            effect(&path)?;
            let file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(&path)?;
            Ok((file, 0))
        };
        let (file, length) =
            open().doing(|| format!("create a temporary file in {}", directory.display()))?;
        let growth = Growth::default();
        growth.grown_to(length);
        let name = Temporary::at(path);
        Ok(Self { file, name, beside: binary.to_owned(), length, was_kept: length > 0, growth })
    }

    /// The bytes that are here.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Some of them were brought by an earlier try, and who knows what became of them since.
    #[must_use]
    pub fn was_kept(&self) -> bool {
        self.was_kept
    }

    /// One who reads the bytes that are here and those that will come.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn follower(&self) -> Result<Follower, Error> {
        let file = self.file.try_clone().doing(|| format!("read {}", self.name.path().display()))?;
        Ok(Follower { file, path: self.name.path().to_owned(), growth: self.growth.clone() })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The disk is full or broken.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        effect(self.name.path())
            .and_then(|()| self.file.write_all(bytes))
            .doing(|| format!("write {}", self.name.path().display()))?;
        self.length += bytes.len() as u64;
        self.growth.grown_to(self.length);
        Ok(())
    }

    /// Forgets all bytes.
    ///
    /// # Errors
    /// The file cannot be cut.
    pub fn begin_again(&mut self) -> Result<(), Error> {
        // Told first, so that nobody takes a file that has become shorter for a broken one.
        self.growth.begin_again();
        (self.length, self.was_kept) = (0, false);
        effect(self.name.path())
            .and_then(|()| self.file.set_len(0))
            .doing(|| format!("empty {}", self.name.path().display()))
    }

    /// Tells those who follow that no more bytes will come: that these are all, or else that nobody wants them.
    #[must_use]
    pub fn ending(&self) -> Ending {
        Ending::of(self.growth.clone())
    }

    /// Leaves what is here for the next try.
    pub fn keep(self) {
        self.name.keep();
    }

    /// Ends writing: mode, owner and extended attributes of the binary it may replace, on disk for good, no longer open
    /// for writing.
    ///
    /// # Errors
    /// Says what could not be done to the file.
    pub fn seal(self) -> Result<Sealed, Error> {
        let seal = || -> io::Result<(u64, u64)> {
            let old = File::open(&self.beside)?;
            let model = old.metadata()?;
            effect(self.name.path())?;
            fchown(&self.file, Some(model.uid()), Some(model.gid()))?;
            // A binary that its owner may not run would lose the host; every other bit is as it was.
            effect(self.name.path())?;
            self.file.set_permissions(fs::Permissions::from_mode(model.mode() & 0o7777 | 0o500))?;
            effect(self.name.path())?;
            attributes::copy(&old, &self.file)?;
            effect(self.name.path())?;
            self.file.sync_all()?;
            let found = self.file.metadata()?;
            Ok((found.dev(), found.ino()))
        };
        let identity = seal().doing(|| format!("finish {}", self.name.path().display()))?;
        Ok(Sealed { name: self.name, identity })
    }
}

/// A complete file that nobody holds open for writing; gone when dropped.
pub struct Sealed {
    name: Temporary,
    identity: (u64, u64),
}

impl Sealed {
    /// Where it is, until it replaces something.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.name.path()
    }

    /// Renames the file over `target`, unless it was exchanged since it was sealed.
    ///
    /// # Errors
    /// Says what was found; `target` is then as it was.
    pub fn rename_over(self, target: &Path) -> Result<(), Error> {
        let path = self.name.path();
        let found = fs::symlink_metadata(path).doing(|| format!("look at {}", path.display()))?;
        if (found.dev(), found.ino()) != self.identity {
            return Err(Error::host(format!("{} was exchanged after it was verified", path.display())));
        }
        self.name.rename_over(target).doing(|| format!("rename the new binary over {}", target.display()))
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

    use super::*;

    const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn bench() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("agent");
        fs::write(&binary, "old").unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        (dir, binary)
    }

    #[test]
    fn a_download_is_gone_when_nobody_wants_it() {
        let (dir, binary) = bench();
        let mut incoming = Incoming::beside(&binary, SHA256).unwrap();
        incoming.append(b"new").unwrap();
        let sealed = incoming.seal().unwrap();
        assert_eq!(fs::metadata(sealed.path()).unwrap().mode() & 0o7777, 0o755);
        drop(sealed);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_binary_gets_mode_owner_and_labels_of_the_old_one() {
        let (_dir, binary) = bench();
        let old = File::open(&binary).unwrap();
        fsetxattr(&old, c"user.label", b"blue", XattrFlags::empty()).unwrap();
        // Only root can give a file away.
        let group = if nix::unistd::geteuid().is_root() { 1 } else { old.metadata().unwrap().gid() };
        fchown(&old, None, Some(group)).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o2751)).unwrap();
        let sealed = Incoming::beside(&binary, SHA256).unwrap().seal().unwrap();
        let new = File::open(sealed.path()).unwrap();
        let found = new.metadata().unwrap();
        assert_eq!((found.mode() & 0o7777, found.gid()), (0o2751, group));
        let mut label = [0; 8];
        let length = fgetxattr(&new, c"user.label", &mut label[..]).unwrap();
        assert_eq!(&label[..length], b"blue");
    }

    #[test]
    fn a_kept_download_is_read_back_and_goes_on() {
        let (dir, binary) = bench();
        let mut first = Incoming::beside(&binary, SHA256).unwrap();
        first.append(b"half").unwrap();
        first.keep();
        let mut second = Incoming::beside(&binary, SHA256).unwrap();
        assert!(second.was_kept());
        let follower = second.follower().unwrap();
        second.append(b"way").unwrap();
        second.ending().complete();
        let seen = follower.read(Vec::new, |seen: &mut Vec<u8>, chunk, length| {
            seen.extend_from_slice(&chunk[..length]);
            chunk
        });
        let seen = seen.unwrap();
        assert_eq!((seen.as_slice(), second.length()), (&b"halfway"[..], 7));
        let sealed = second.seal().unwrap();
        assert_eq!(fs::read(sealed.path()).unwrap(), b"halfway");
        sealed.rename_over(&binary).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_at_the_place_of_the_download_is_not_followed() {
        let (dir, binary) = bench();
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let place = dir.path().join(file_name(SHA256));
        std::os::unix::fs::symlink(&victim, &place).unwrap();
        Incoming::beside(&binary, SHA256).unwrap().append(b"new").unwrap();
        fs::hard_link(&victim, &place).unwrap();
        Incoming::beside(&binary, SHA256).unwrap().append(b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        fs::create_dir(&place).unwrap();
        assert!(Incoming::beside(&binary, SHA256).is_err());
    }

    #[test]
    fn a_file_exchanged_after_it_was_sealed_is_not_renamed_into_place() {
        let (dir, binary) = bench();
        let sealed = Incoming::beside(&binary, SHA256).unwrap().seal().unwrap();
        let evil = dir.path().join("evil");
        fs::write(&evil, "evil").unwrap();
        fs::rename(&evil, sealed.path()).unwrap();
        assert!(sealed.rename_over(&binary).is_err());
        assert_eq!(fs::read(&binary).unwrap(), b"old");
    }
}
