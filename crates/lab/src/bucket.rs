//! A real S3-compatible server that checks every signature, with one bucket on a disk that a test can look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::checkout;
use crate::guard::Guarded;
use crate::wait::wait_for;

const LIMIT: Duration = Duration::from_secs(20);

/// A server with one bucket, and a key that may do everything there. Ends when dropped.
pub struct Bucket {
    running: Option<Guarded>,
    folder: TempDir,
    port: u16,
}

impl Bucket {
    /// Its name.
    pub const NAME: &str = "artifacts";
    /// The key that opens it.
    pub const KEY: &str = "AKNOVACULALAB";
    /// What proves the key.
    pub const SECRET: &str = "the-secret-of-the-bucket-of-the-laboratory";

    /// Listens on a free port of loopback.
    ///
    /// # Panics
    /// When the server is missing or does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::create_dir_all(folder.path().join("root").join(Self::NAME)).expect("a folder can be made");
        let mut bucket = Self { running: None, folder, port: 0 };
        bucket.start_again();
        bucket
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it at the same address, with what it has kept.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.stop();
        let log = fs::File::create(self.folder.path().join("log")).expect("a file can be made");
        let mut running = Guarded::spawn(
            Command::new(checkout::lab().join("s3s-fs/bin/s3s-fs"))
                .args(["--host", "127.0.0.1", "--port", &self.port.to_string()])
                .args(["--access-key", Self::KEY, "--secret-key", Self::SECRET])
                .arg(self.folder.path().join("root"))
                .env("RUST_LOG", "info")
                .env("NO_COLOR", "1")
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .stdout(log),
            self.folder.path(),
        );
        self.port = wait_for("the S3 server is installed and listens (tests/prepare.sh)", LIMIT, || {
            let ended = running.program().try_wait().expect("a child of ours can be waited for");
            assert!(ended.is_none(), "it has ended: {ended:?} {}", self.log());
            let log = self.log();
            let address = log.split_once("running at http://127.0.0.1:")?.1;
            address.split_once('\n')?.0.trim().parse().ok()
        });
        self.running = Some(running);
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a control plane is told so that it keeps its artifacts here, or by way of `endpoint`.
    #[must_use]
    pub fn environment(endpoint: &str) -> Vec<(String, String)> {
        let all = [
            ("S3_BUCKET", Self::NAME),
            ("S3_ENDPOINT", endpoint),
            ("S3_PREFIX", "novacula/test"),
            ("AWS_ACCESS_KEY_ID", Self::KEY),
            ("AWS_SECRET_ACCESS_KEY", Self::SECRET),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// The file of an object that a control plane keeps here.
    #[must_use]
    pub fn object(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(Self::NAME).join("novacula/test").join(name)
    }

    /// The names of what a control plane keeps here, sorted.
    #[must_use]
    pub fn objects(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.object("")) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// How many files the server keeps, also those of uploads that are not complete.
    #[must_use]
    pub fn files(&self) -> usize {
        count(&self.folder.path().join("root"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder of ours can be read").flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.stop();
    }
}
