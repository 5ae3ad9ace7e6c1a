//! Locks between test binaries: what is costly to make is made once, whoever comes first.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use fs2::FileExt as _;

/// Held until dropped; the kernel lets go of it too when the process ends in any way.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until nobody else holds the lock that this file stands for.
    pub fn wait(path: &Path) -> Self {
        let file = open(path);
        file.lock_exclusive().unwrap_or_else(|e| panic!("{} can be locked: {e}", path.display()));
        Self { _file: file }
    }

    /// The lock, unless somebody holds it.
    pub fn now(path: &Path) -> Option<Self> {
        let file = open(path);
        file.try_lock_exclusive().is_ok().then_some(Self { _file: file })
    }
}

fn open(path: &Path) -> File {
    let folder = path.parent().expect("a lock file lies in a folder");
    fs::create_dir_all(folder).unwrap_or_else(|e| panic!("{} can be made: {e}", folder.display()));
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .unwrap_or_else(|e| panic!("{} can be opened: {e}", path.display()))
}
