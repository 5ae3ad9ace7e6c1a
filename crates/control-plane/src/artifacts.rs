//! Where artifacts are kept: in a folder, or in a bucket. Uploads come in by a folder of this host either way, and are
//! judged there before anybody can see them.

mod bucket;
mod folder;
mod incoming;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;

use folder::Folder;
use incoming::Entrance;

pub use bucket::Bucket;
pub use incoming::{Incoming, Received};

/// How often the bucket is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Why artifacts cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The folder, also that of uploads.
    #[error("the artifacts folder: {0}")]
    Disk(#[from] io::Error),
    /// The bucket.
    #[error("the bucket of artifacts: {0}")]
    Bucket(#[from] object_store::Error),
}

enum Kept {
    Folder(Folder),
    Bucket(Box<Bucket>),
}

/// Where artifacts are kept.
pub struct Artifacts {
    entrance: Entrance,
    kept: Kept,
    /// Between placing an artifact and the row that names it, nobody may tidy it away.
    placing: tokio::sync::Mutex<()>,
}

impl Artifacts {
    /// Those of the bucket, else those of the folder. Uploads come in by the folder, and what one that was cut short has
    /// left there is swept out.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: PathBuf, bucket: Option<Bucket>) -> io::Result<Self> {
        let entrance = Entrance::open(folder.clone())?;
        let kept = bucket.map_or(Kept::Folder(Folder(folder)), |bucket| Kept::Bucket(Box::new(bucket)));
        Ok(Self { entrance, kept, placing: tokio::sync::Mutex::new(()) })
    }

    /// Begins an artifact.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn begin(&self) -> io::Result<Incoming> {
        self.entrance.begin()
    }

    /// The turn to place artifacts; held until the row is written.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.placing.lock().await
    }

    /// Gives a complete artifact its name, durably. One that was there before is replaced by the same bytes.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing is.
    pub async fn place(&self, received: Received) -> Result<(), Trouble> {
        match &self.kept {
            Kept::Folder(folder) => Ok(folder.place(received)?),
            Kept::Bucket(bucket) => Ok(bucket.place(&received).await?),
        }
    }

    /// Removes what no release has any more.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn remove(&self, sha256: &str) -> Result<(), Trouble> {
        match &self.kept {
            Kept::Folder(folder) => Ok(folder.remove(sha256)?),
            Kept::Bucket(bucket) => Ok(bucket.remove(sha256).await?),
        }
    }

    /// `length` bytes from `first` on of the artifact that has `size`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn read(&self, sha256: &str, first: u64, length: u64, size: u64) -> Result<Body, Trouble> {
        match &self.kept {
            Kept::Folder(folder) => Ok(folder.read(sha256, first, length).await?),
            Kept::Bucket(bucket) => Ok(bucket.read(sha256, first, length, size).await?),
        }
    }

    /// Where an executor fetches it instead of here, if anywhere.
    ///
    /// # Errors
    /// When the URL cannot be signed.
    pub async fn signed_url(&self, sha256: &str) -> Result<Option<String>, Trouble> {
        match &self.kept {
            Kept::Folder(_) => Ok(None),
            Kept::Bucket(bucket) => Ok(bucket.signed_url(sha256).await.transpose()?),
        }
    }

    /// Whether the bucket could be used when it was last looked at, and how many calls of it have failed.
    pub(crate) fn health(&self) -> Option<(bool, u64)> {
        match &self.kept {
            Kept::Folder(_) => None,
            Kept::Bucket(bucket) => Some(bucket.health()),
        }
    }

    /// Looks at the bucket again and again. Nothing waits for it: syncs go on without.
    pub(crate) async fn watch(&self) {
        let Kept::Bucket(bucket) = &self.kept else { return };
        loop {
            bucket.look().await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests;
