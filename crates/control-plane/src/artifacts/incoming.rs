//! What comes in: a file without a name until it has been judged.

use std::io::{self, Read, Seek as _};
use std::path::PathBuf;

use fs2::FileExt as _;
use novacula_protocol::Refusal;
use novacula_protocol::signature::{ReleaseSignature, TrustedKeys};
use novacula_protocol::trusted_comment::TrustedComment;
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;

use crate::secrets::hex;

const TEMPORARY: &str = ".upload-";

/// The folder that uploads come in by.
pub(super) struct Entrance {
    folder: PathBuf,
}

impl Entrance {
    /// Opens the folder, and sweeps out what an upload cut short has left.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                sweep(&entry.path())?;
            }
        }
        Ok(Self { folder })
    }

    pub(super) fn begin(&self) -> io::Result<Incoming> {
        let (file, path) = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.folder)?.into_parts();
        file.lock_exclusive()?;
        Ok(Incoming { file: tokio::fs::File::from_std(file), path, hash: Sha256::new(), size: 0 })
    }
}

/// A folder may be shared: what another control plane is taking in is locked, and left to it.
fn sweep(path: &std::path::Path) -> io::Result<()> {
    let removed = std::fs::File::open(path).and_then(|file| match file.try_lock_exclusive() {
        Ok(()) => std::fs::remove_file(path),
        Err(_) => Ok(()),
    });
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// An artifact on its way in. Dropped, it leaves nothing behind.
pub struct Incoming {
    file: tokio::fs::File,
    path: TempPath,
    hash: Sha256,
    size: u64,
}

impl Incoming {
    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the disk says no.
    pub async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).await
    }

    /// All bytes are there, and durable.
    ///
    /// # Errors
    /// When the disk says no.
    pub async fn complete(mut self) -> io::Result<Received> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let sha256 = hex(&self.hash.finalize());
        Ok(Received { file: self.file.into_std().await, path: self.path, sha256, size: self.size })
    }
}

/// A complete artifact without a name. Dropped, it leaves nothing behind.
pub struct Received {
    /// Held, and with it the lock that keeps others from sweeping it out.
    file: std::fs::File,
    pub(super) path: TempPath,
    /// Lower-case hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Received {
    /// What the signature says of these bytes, by the agent's own code. Reads the whole file.
    ///
    /// # Errors
    /// Outside, when the file cannot be read; inside, when the signature is refused.
    pub fn verified(
        &mut self,
        signature: &ReleaseSignature,
        keys: &TrustedKeys,
    ) -> io::Result<Result<TrustedComment, Refusal>> {
        let mut verifier = match signature.verifier(keys) {
            Ok(verifier) => verifier,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.file.rewind()?;
        let mut chunk = vec![0; 256 * 1024];
        loop {
            match self.file.read(&mut chunk)? {
                0 => return Ok(verifier.finish()),
                n => verifier.update(&chunk[..n]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(folder: &std::path::Path) -> Vec<std::ffi::OsString> {
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect()
    }

    #[tokio::test]
    async fn what_an_upload_cut_short_has_left_is_swept_out_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".upload-abc"), "half").unwrap();
        std::fs::write(folder.path().join("ab12"), "whole").unwrap();
        Entrance::open(folder.path().to_owned()).unwrap();
        assert_eq!(left(folder.path()), ["ab12"]);
    }

    #[tokio::test]
    async fn what_another_control_plane_is_taking_in_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Entrance::open(folder.path().to_owned()).unwrap();
        let mut incoming = first.begin().unwrap();
        Entrance::open(folder.path().to_owned()).unwrap();
        incoming.take(b"abc").await.unwrap();
        let received = incoming.complete().await.unwrap();
        Entrance::open(folder.path().to_owned()).unwrap();
        assert_eq!(std::fs::read(&received.path).unwrap(), b"abc");
    }

    #[tokio::test]
    async fn an_upload_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut incoming = Entrance::open(folder.path().to_owned()).unwrap().begin().unwrap();
        incoming.take(b"half").await.unwrap();
        drop(incoming);
        assert_eq!(left(folder.path()).len(), 0);
    }
}
