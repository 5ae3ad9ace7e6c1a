//! The only file novactl writes: the `agent.toml` of a host, made before the secret for it is asked for.

#![expect(clippy::disallowed_methods, reason = "the only home of writing and removing a file")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::ending::{Ending, Failure};

/// A file that was not there before, readable by its owner only, and removed again unless it is filled: it is made
/// before the secret is asked for, so that no secret is issued that cannot be kept.
pub struct NewFile {
    path: PathBuf,
    file: Option<File>,
}

impl NewFile {
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| {
            let shown = path.display();
            let message = match e.kind() {
                std::io::ErrorKind::AlreadyExists => format!(
                    "{shown} must not exist yet, it does: nothing was enrolled; move it away or write elsewhere"
                ),
                _ => format!("{shown} must be writable, it is not ({e}): nothing was enrolled"),
            };
            Failure::new(Ending::Failed, "config_not_written", message)
        })?;
        Ok(Self { path: path.to_owned(), file: Some(file) })
    }

    pub fn fill(mut self, text: &str) -> Result<(), Failure> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| {
            Failure::new(
                Ending::Failed,
                "config_not_written",
                format!(
                    "{} must take the new key, it does not ({e}): the key is lost, enroll again",
                    self.path.display()
                ),
            )
        })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            // An empty file that stays behind is only untidy.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_not_filled_is_gone_and_one_that_exists_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        drop(NewFile::create(&path).unwrap());
        assert!(!path.exists());
        NewFile::create(&path).unwrap().fill("text").unwrap();
        assert!(NewFile::create(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
    }
}
