//! The folder of artifacts: files that are named by their hash, and never seen half written.

use std::io::{self, SeekFrom};
use std::path::PathBuf;

use axum::body::Body;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::incoming::Received;

/// The default place of artifacts.
pub(super) struct Folder(pub PathBuf);

impl Folder {
    /// Gives a complete file its name, durably.
    pub(super) fn place(&self, received: Received) -> io::Result<()> {
        received.path.persist(self.0.join(&received.sha256)).map_err(|e| e.error)?;
        std::fs::File::open(&self.0)?.sync_all()
    }

    pub(super) fn remove(&self, sha256: &str) -> io::Result<()> {
        match std::fs::remove_file(self.0.join(sha256)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// These bytes, from disk as they are read.
    pub(super) async fn read(&self, sha256: &str, first: u64, length: u64) -> io::Result<Body> {
        let mut file = tokio::fs::File::open(self.0.join(sha256)).await?;
        file.seek(SeekFrom::Start(first)).await?;
        Ok(Body::from_stream(ReaderStream::with_capacity(file.take(length), 64 * 1024)))
    }
}
