//! The bucket of an S3-compatible store: objects that are named by their hash, and seen when they are whole.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{Error, GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::incoming::Received;

/// What lies beside the artifacts, to be looked at: whoever may write, read and forget artifacts may do the same with it.
const SIGNPOST: &str = "novacula.txt";
const ON_THE_SIGNPOST: &str = "Artifacts of a Novacula control plane, each named by its SHA-256.\n";
/// Larger uploads go in parts of at least this many bytes; one is in memory at a time.
const PART: u64 = 8 << 20;
/// A store takes 10,000 parts.
const MOST_PARTS: u64 = 9_000;

/// Artifacts in a bucket.
pub struct Bucket {
    store: AmazonS3,
    prefix: Path,
    /// For how long a signed URL begins a download, where executors are sent to the bucket.
    signed_for: Option<Duration>,
    has_signpost: AtomicBool,
    is_reachable: AtomicBool,
    failures: AtomicU64,
}

impl Bucket {
    /// Without a call yet.
    #[must_use]
    pub fn new(store: AmazonS3, prefix: Path, signed_for: Option<Duration>) -> Self {
        Self {
            store,
            prefix,
            signed_for,
            has_signpost: AtomicBool::new(false),
            is_reachable: AtomicBool::new(true),
            failures: AtomicU64::new(0),
        }
    }

    fn at(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }

    /// Uploads a complete file. Nobody sees it before its last byte is there.
    pub(super) async fn place(&self, received: &Received) -> Result<(), Error> {
        let at = self.at(&received.sha256);
        self.noted(match received.size {
            small if small <= PART => self.put(received, &at).await,
            _ => self.put_in_parts(received, &at).await,
        })
    }

    async fn put(&self, received: &Received, at: &Path) -> Result<(), Error> {
        let mut file = open(received).await?;
        self.store.put(at, next(&mut file, received.size).await?.into()).await.map(drop)
    }

    async fn put_in_parts(&self, received: &Received, at: &Path) -> Result<(), Error> {
        let part = PART.max(received.size.div_ceil(MOST_PARTS));
        let mut file = open(received).await?;
        let mut parts = self.store.put_multipart(at).await?;
        let outcome = async {
            let mut left = received.size;
            while left > 0 {
                let bytes = next(&mut file, left.min(part)).await?;
                left -= bytes.len() as u64;
                parts.put_part(bytes.into()).await?;
            }
            parts.complete().await.map(drop)
        };
        let outcome = outcome.await;
        if outcome.is_err() {
            // What is not aborted stays in the bucket, unseen and paid for, until a rule of the bucket ends it.
            if let Err(e) = parts.abort().await {
                tracing::warn!("an upload to the bucket was given up, and its parts stay there: {e}");
            }
        }
        outcome
    }

    pub(super) async fn remove(&self, sha256: &str) -> Result<(), Error> {
        self.noted(match self.store.delete(&self.at(sha256)).await {
            Err(Error::NotFound { .. }) => Ok(()),
            outcome => outcome,
        })
    }

    /// These bytes, as they come. Another size than was taken in is an error before the first byte.
    pub(super) async fn read(&self, sha256: &str, first: u64, length: u64, size: u64) -> Result<Body, Error> {
        let range = (length < size).then_some(GetRange::Bounded(first..first + length));
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.noted(self.store.get_opts(&self.at(sha256), options).await)?;
        if found.meta.size != size {
            let sentence = format!("it has {} bytes in the bucket, {size} were taken in", found.meta.size);
            return Err(Error::Generic { store: "S3", source: sentence.into() });
        }
        Ok(Body::from_stream(found.into_stream()))
    }

    /// Where an executor fetches it without a token of ours, where that is wanted.
    pub(super) async fn signed_url(&self, sha256: &str) -> Option<Result<String, Error>> {
        let signed_for = self.signed_for?;
        let signed = self.store.signed_url(Method::GET, &self.at(sha256), signed_for).await;
        Some(self.noted(signed).map(String::from))
    }

    /// Whether the bucket can be used.
    pub(super) async fn look(&self) {
        let outcome = if self.has_signpost.load(Ordering::Relaxed) {
            self.store.head(&self.at(SIGNPOST)).await.map(drop)
        } else {
            self.store.put(&self.at(SIGNPOST), ON_THE_SIGNPOST.into()).await.map(drop)
        };
        let is_there = !matches!(outcome, Err(Error::NotFound { .. }));
        self.has_signpost.store(outcome.is_ok() && is_there, Ordering::Relaxed);
        let (is_reachable, cause) = match self.noted(outcome) {
            Ok(()) => (true, String::new()),
            Err(e) => (false, e.to_string()),
        };
        if self.is_reachable.swap(is_reachable, Ordering::Relaxed) != is_reachable {
            match is_reachable {
                true => tracing::info!("the bucket of artifacts can be used again"),
                false => tracing::error!(
                    "the bucket of artifacts cannot be used, executors cannot fetch from it: {cause}"
                ),
            }
        }
    }

    /// Whether it could be used when it was last looked at, and how many calls have failed since the start.
    pub(super) fn health(&self) -> (bool, u64) {
        (self.is_reachable.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    fn noted<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if outcome.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }
}

async fn open(received: &Received) -> Result<File, Error> {
    File::open(&received.path).await.map_err(on_disk)
}

async fn next(file: &mut File, length: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|e| on_disk(std::io::Error::other(e)))?];
    file.read_exact(&mut bytes).await.map_err(on_disk)?;
    Ok(bytes)
}

fn on_disk(e: std::io::Error) -> Error {
    Error::Generic { store: "disk", source: e.into() }
}
