//! Checks that a control plane may ask for by name before anybody requests an upgrade.

use std::path::Path;

use novacula_protocol::sync::PreflightResult;

use crate::disk;
use crate::error::{chain, printable};
use crate::host::Places;
use crate::systemd;

/// Runs one check by its name.
#[must_use]
pub fn run(check: &str, places: &Places) -> PreflightResult {
    let directory = places.binary.parent().unwrap_or(Path::new("/"));
    let found = match check {
        "disk_space" => disk::space(directory)
            .map(|space| format!("{} bytes are free at {}", space.bytes, directory.display()))
            .map_err(|e| chain(&e)),
        "binary_directory" => disk::try_writing(directory)
            .map(|()| format!("{} can be written", directory.display()))
            .map_err(|e| chain(&e)),
        "units" => systemd::systemctl(&["cat", systemd::AGENT, systemd::ROLLBACK, systemd::TRIAL_TIMER])
            .map(|_| "the three units are installed".to_owned())
            .map_err(|e| chain(&e)),
        _ => Err("this version knows no check of that name".to_owned()),
    };
    let ok = found.is_ok();
    let note = found.unwrap_or_else(|trouble| trouble);
    PreflightResult { check: printable(check), ok, note }
}
