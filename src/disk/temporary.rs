//! A name for what is not finished yet: gone when dropped, unless it is kept or becomes what it was made for.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{effect, sync_directory};

/// Every temporary file of ours starts with this, so that leftovers can be told from other people's files.
pub(super) const PREFIX: &str = ".novacula-agent.";

/// Such a name.
pub(super) struct Temporary {
    path: PathBuf,
    stays: bool,
}

impl Temporary {
    /// An empty file in `directory` with this mode, under a name that nobody can foresee.
    pub(super) fn file_in(directory: &Path, mode: u32) -> io::Result<(File, Self)> {
        effect(directory)?;
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(mode))
            .tempfile_in(directory)
            .map_err(without_name)?;
        let (file, path) = made.keep()?;
        Ok((file, Self::at(path)))
    }

    /// Another name in `directory` for the file at `from`.
    pub(super) fn link_in(directory: &Path, from: &Path) -> io::Result<Self> {
        effect(directory)?;
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .make_in(directory, |name| fs::hard_link(from, name))
            .map_err(without_name)?;
        let (_, path) = made.keep()?;
        Ok(Self::at(path))
    }

    /// The name of a file that was made for itself.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, stays: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it for the next who looks.
    pub(super) fn keep(mut self) {
        self.stays = true;
    }

    /// Puts it in the place of `target`, for good; should that fail, what stood there stays.
    pub(super) fn rename_over(mut self, target: &Path) -> io::Result<()> {
        effect(target)?;
        fs::rename(&self.path, target)?;
        self.stays = true;
        sync_directory(target.parent().unwrap_or(Path::new("/")))
    }
}

/// The same trouble is the same sentence, whatever the name was this time.
fn without_name(e: io::Error) -> io::Error {
    e.kind().into()
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is swept later.
        if !self.stays && effect(&self.path).is_ok() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
