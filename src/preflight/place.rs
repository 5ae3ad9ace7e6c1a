//! The directories of the binary and of the records, and what they are mounted from.

use std::path::Path;

use nix::sys::statfs::{FsType, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::Looking;
use crate::disk;
use crate::error::{Doing as _, Error};
use crate::upgrade::verify::version_printed_by;
use crate::upgrade::{enough_bytes, enough_inodes};

pub(super) fn not_read_only(looking: &Looking<'_>) -> Result<String, Error> {
    for directory in [looking.binary_directory(), looking.data_dir()] {
        if flags(directory)?.contains(FsFlags::ST_RDONLY) {
            return Err(Error::host(format!(
                "{} must be on a file system that can be written to, it is mounted read-only",
                directory.display()
            )));
        }
    }
    Ok("the binary and its records are on no file system that is mounted read-only".to_owned())
}

pub(super) fn writable(looking: &Looking<'_>) -> Result<String, Error> {
    let (binary, data_dir) = (looking.binary_directory(), looking.data_dir());
    disk::try_writing(binary)?;
    disk::try_writing(data_dir)?;
    disk::must_be_ours(data_dir)?;
    Ok(format!("{} and {} can be written", binary.display(), data_dir.display()))
}

pub(super) fn not_noexec(looking: &Looking<'_>) -> Result<String, Error> {
    let directory = looking.binary_directory();
    match flags(directory)?.contains(FsFlags::ST_NOEXEC) {
        false => Ok(format!("{} allows programs", directory.display())),
        true => {
            Err(Error::host(format!("{} must allow programs, it is mounted noexec", directory.display())))
        }
    }
}

pub(super) fn executable(looking: &Looking<'_>) -> Result<String, Error> {
    version_printed_by(looking.binary())
        .map_err(|found| Error::host(format!("{} must run here, {found}", looking.binary().display())))
}

pub(super) fn disk_space(looking: &Looking<'_>) -> Result<String, Error> {
    // As much as the binary that is here, which is the best guess at the next one.
    let need = std::fs::metadata(looking.binary()).map_or(0, |found| found.len());
    let mut found = Vec::new();
    for (directory, need) in [(looking.binary_directory(), need), (looking.data_dir(), 0)] {
        enough_bytes(directory, need)?;
        found.push(format!("{} bytes at {}", disk::space(directory)?.bytes, directory.display()));
    }
    Ok(format!("free are {}", found.join(" and ")))
}

pub(super) fn inodes(looking: &Looking<'_>) -> Result<String, Error> {
    let mut found = Vec::new();
    for directory in [looking.binary_directory(), looking.data_dir()] {
        enough_inodes(directory)?;
        let inodes =
            disk::space(directory)?.inodes.map_or("uncounted".to_owned(), |inodes| inodes.to_string());
        found.push(format!("{inodes} at {}", directory.display()));
    }
    Ok(format!("free are {}", found.join(" and ")))
}

pub(super) fn local_filesystem(looking: &Looking<'_>) -> Result<String, Error> {
    for directory in [looking.binary_directory(), looking.data_dir()] {
        let kind = statfs(directory).doing(|| format!("look at {}", directory.display()))?.filesystem_type();
        if let Some(name) = network_filesystem(kind) {
            return Err(Error::host(format!(
                "{} must be on a disk of this host, it is on a network file system ({name})",
                directory.display()
            )));
        }
    }
    Ok("the binary and its records are on file systems of this host".to_owned())
}

/// Those of the kernel, by their magic numbers; most have no name in any library.
const NETWORK_FILESYSTEMS: [(FsType, &str); 8] = [
    (NFS_SUPER_MAGIC, "nfs"),
    (SMB_SUPER_MAGIC, "smbfs"),
    (FsType(0xff53_4d42_u32 as _), "cifs"),
    (FsType(0xfe53_4d42_u32 as _), "smb3"),
    (FsType(0x00c3_6400), "ceph"),
    (FsType(0x7375_7245), "coda"),
    (FsType(0x5346_414f), "afs"),
    (FsType(0x0102_1997), "9p"),
];

fn network_filesystem(kind: FsType) -> Option<&'static str> {
    NETWORK_FILESYSTEMS.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

fn flags(directory: &Path) -> Result<FsFlags, Error> {
    Ok(statvfs(directory).doing(|| format!("look at {}", directory.display()))?.flags())
}

#[cfg(test)]
mod tests {
    use nix::sys::statfs::{
        BTRFS_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, EXT4_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC,
        XFS_SUPER_MAGIC,
    };

    use super::*;

    /// As in the kernel's `include/uapi/linux/magic.h`; a cifs mount shows one of the last two.
    #[test]
    fn a_network_file_system_is_known_by_its_number_and_no_local_one_is_taken_for_it() {
        for (magic, name) in
            [(0x6969_u32, "nfs"), (0x517b, "smbfs"), (0xff53_4d42, "cifs"), (0xfe53_4d42, "smb3")]
        {
            assert_eq!(network_filesystem(FsType(magic as _)), Some(name));
        }
        for local in [
            BTRFS_SUPER_MAGIC,
            CGROUP2_SUPER_MAGIC,
            EXT4_SUPER_MAGIC,
            OVERLAYFS_SUPER_MAGIC,
            TMPFS_MAGIC,
            XFS_SUPER_MAGIC,
        ] {
            assert_eq!(network_filesystem(local), None, "{local:?}");
        }
    }
}
