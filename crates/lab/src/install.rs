//! Files that will be executed are written by another process.
//!
//! While this one holds such a file open for writing, a program that another test starts at that moment inherits the
//! descriptor for an instant, and whoever executes the file in that instant finds it busy.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::checkout;

/// Puts a file in place at once, with its folder and this mode; what was there before is replaced, never written into.
///
/// # Panics
/// When it cannot be written.
pub fn install(bytes: &[u8], place: &Path, mode: u32) {
    let arriving = checkout::beside(place, "arriving");
    let mut writer = Command::new("install")
        .args(["-D", "-m", &format!("{mode:o}"), "/dev/stdin"])
        .arg(&arriving)
        .stdin(Stdio::piped())
        .spawn()
        .expect("install is there");
    writer
        .stdin
        .take()
        .expect("its stdin is a pipe")
        .write_all(bytes)
        .unwrap_or_else(|e| panic!("{} can be written: {e}", place.display()));
    let done = writer.wait().expect("a child of ours can be waited for");
    assert!(done.success(), "{} can be written", place.display());
    std::fs::rename(&arriving, place)
        .unwrap_or_else(|e| panic!("{} can be put in place: {e}", place.display()));
}
