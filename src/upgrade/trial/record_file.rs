//! One record as a file: a line with its version and checksum, then JSON that a sysadmin can read.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::disk;
use crate::error::{Doing as _, Error};

const FORMAT: &str = "novacula-record 1";

/// What stands at the place of a record.
pub enum Found<T> {
    /// A record.
    Record(T),
    /// No file.
    Nothing,
    /// A file that makes no sense: damaged, or written by a newer version.
    Unreadable,
}

/// Reads a record, and leaves whatever is there as it is.
///
/// # Errors
/// The disk does not answer.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Found<T>, Error> {
    let Some(bytes) = bytes(path)? else { return Ok(Found::Nothing) };
    Ok(decode(&bytes).map_or_else(
        || {
            log::error!("{} cannot be read", path.display());
            Found::Unreadable
        },
        Found::Record,
    ))
}

/// Reads the entries of the list `name` in a record, each for itself.
///
/// # Errors
/// The disk does not answer.
pub fn read_list<T: DeserializeOwned>(path: &Path, name: &str) -> Result<Vec<T>, Error> {
    let Some(bytes) = bytes(path)? else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(&bytes);
    let body = text.split_once('\n').map_or("", |(_, body)| body);
    let Ok(Value::Object(mut record)) = serde_json::from_str(body) else {
        log::error!("{} cannot be read", path.display());
        return Ok(Vec::new());
    };
    let Some(Value::Array(entries)) = record.remove(name) else { return Ok(Vec::new()) };
    Ok(entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect())
}

/// Writes a record. One that cannot be read is not overwritten but set aside, for whoever wants to know.
///
/// # Errors
/// It cannot be written; the old one stands.
pub fn write<T: Serialize + DeserializeOwned>(path: &Path, record: &T) -> Result<(), Error> {
    if matches!(read::<T>(path)?, Found::Unreadable) {
        disk::set_aside(path)?;
    }
    let bytes = encode(record).doing(|| format!("encode {}", path.display()))?;
    disk::replace(path, &bytes, 0o600)
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).doing(|| format!("read {}", path.display())),
    }
}

/// The bytes of a record.
///
/// # Errors
/// It cannot be written as JSON.
pub fn encode<T: Serialize>(record: &T) -> io::Result<Vec<u8>> {
    let body = serde_json::to_string_pretty(record)?;
    Ok(format!("{FORMAT} sha256={}\n{body}\n", digest(&body)).into_bytes())
}

/// The record in these bytes, if they are whole.
#[must_use]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (head, rest) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
    let body = rest.strip_suffix('\n')?;
    (head == format!("{FORMAT} sha256={}", digest(body))).then(|| serde_json::from_str(body).ok()).flatten()
}

fn digest(body: &str) -> String {
    disk::hex(&Sha256::digest(body.as_bytes()))
}
