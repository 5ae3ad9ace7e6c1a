//! The folder of artifacts: files that are named by their hash, and never seen half written.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use novacula_protocol::Refusal;
use novacula_protocol::signature::{ReleaseSignature, TrustedKeys};
use novacula_protocol::trusted_comment::TrustedComment;
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;

use crate::secrets::hex;

const TEMPORARY: &str = ".upload-";

/// Where artifacts are kept.
pub struct ArtifactFolder {
    folder: PathBuf,
    /// Between placing a file and the row that names it, nobody may tidy it away.
    placing: tokio::sync::Mutex<()>,
}

impl ArtifactFolder {
    /// Opens the folder, and sweeps out what an upload cut short has left.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder, placing: tokio::sync::Mutex::new(()) })
    }

    /// Begins an artifact.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn begin(&self) -> io::Result<Incoming> {
        let (file, path) = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.folder)?.into_parts();
        Ok(Incoming { file: tokio::fs::File::from_std(file), path, hash: Sha256::new(), size: 0 })
    }

    /// The turn to place files; held until the row is written.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.placing.lock().await
    }

    /// Gives a complete file its name, durably.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn place(&self, received: Received) -> io::Result<()> {
        received.path.persist(self.folder.join(&received.sha256)).map_err(|e| e.error)?;
        std::fs::File::open(&self.folder)?.sync_all()
    }

    /// Removes a file that no release has any more.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn remove(&self, sha256: &str) -> io::Result<()> {
        match std::fs::remove_file(self.folder.join(sha256)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Where the bytes with this hash are.
    #[must_use]
    pub fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256)
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
        Ok(Received { path: self.path, sha256: hex(&self.hash.finalize()), size: self.size })
    }
}

/// A complete artifact without a name. Dropped, it leaves nothing behind.
pub struct Received {
    path: TempPath,
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
        &self,
        signature: &ReleaseSignature,
        keys: &TrustedKeys,
    ) -> io::Result<Result<TrustedComment, Refusal>> {
        let mut verifier = match signature.verifier(keys) {
            Ok(verifier) => verifier,
            Err(refusal) => return Ok(Err(refusal)),
        };
        each_chunk(&self.path, |bytes| verifier.update(bytes))?;
        Ok(verifier.finish())
    }
}

fn each_chunk(path: &Path, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = std::fs::File::open(path)?;
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(()),
            n => take(&chunk[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_upload_cut_short_has_left_is_swept_out_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".upload-abc"), "half").unwrap();
        std::fs::write(folder.path().join("ab12"), "whole").unwrap();
        ArtifactFolder::open(folder.path().to_owned()).unwrap();
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["ab12"]);
    }

    #[tokio::test]
    async fn an_upload_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactFolder::open(folder.path().to_owned()).unwrap();
        let mut incoming = artifacts.begin().unwrap();
        incoming.take(b"half").await.unwrap();
        drop(incoming);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_placed_artifact_is_found_by_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = ArtifactFolder::open(folder.path().to_owned()).unwrap();
        let mut incoming = artifacts.begin().unwrap();
        incoming.take(b"abc").await.unwrap();
        let received = incoming.complete().await.unwrap();
        let sha256 = received.sha256.clone();
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        artifacts.place(received).unwrap();
        assert_eq!(std::fs::read(artifacts.path(&sha256)).unwrap(), b"abc");
        artifacts.remove(&sha256).unwrap();
        artifacts.remove(&sha256).unwrap();
    }
}
